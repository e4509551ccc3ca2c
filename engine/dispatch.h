// The instruction sets that this library was compiled for, and the one for the processor at hand.
#ifndef E3D_ENGINE_DISPATCH_H
#define E3D_ENGINE_DISPATCH_H

#include "kernels/kernel.h"

#include <string>
#include <vector>

namespace e3d::engine {

// Those that run here, the fastest first; never empty.
std::vector<const KernelSet *> usable_kernels();

// The fastest, or the one that `name` or else the environment variable E3D_ENGINE_ISA asks for. Throws Error
// if it does not run here.
const KernelSet &choose_kernels(const std::string &name = "");

template <typename Real> const Kernel<Real> &kernel_of(const KernelSet &set);

}    // namespace e3d::engine

#endif
