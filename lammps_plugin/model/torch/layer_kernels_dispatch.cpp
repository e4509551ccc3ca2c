/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

// The instruction set of layer_kernels.cpp and training_kernels.cpp for the processor at hand.

#include "model/torch/layer_kernels.h"
#include "model/torch/training_kernels.h"

#include <cstdlib>
#include <string>

namespace E3D {

#define E3D_DECLARE(isa)                                        \
  namespace isa {                                               \
    extern const LayerKernels<float> in_float;                  \
    extern const LayerKernels<double> in_double;                \
    const TrainingKernels<float> &training_in_float(int64_t);   \
    const TrainingKernels<double> &training_in_double(int64_t); \
  }

E3D_DECLARE(baseline)
#ifdef E3D_X86
E3D_DECLARE(avx2)
E3D_DECLARE(avx512)
#endif

namespace {

  struct Choice {
    const char *name = "baseline";
    const LayerKernels<float> *in_float = &baseline::in_float;
    const LayerKernels<double> *in_double = &baseline::in_double;
    decltype(&baseline::training_in_float) training_in_float = baseline::training_in_float;
    decltype(&baseline::training_in_double) training_in_double = baseline::training_in_double;

    // the best that the processor has; E3D_INSTRUCTIONS=baseline or avx2 takes less, for tests
    Choice()
    {
#ifdef E3D_X86
      const char *wanted = std::getenv("E3D_INSTRUCTIONS");
      const std::string most = wanted ? wanted : "avx512";
      __builtin_cpu_init();
      if (most == "avx512" && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
          __builtin_cpu_supports("avx512dq")) {
        name = "avx512";
        in_float = &avx512::in_float;
        in_double = &avx512::in_double;
        training_in_float = avx512::training_in_float;
        training_in_double = avx512::training_in_double;
      } else if (most != "baseline" && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        name = "avx2";
        in_float = &avx2::in_float;
        in_double = &avx2::in_double;
        training_in_float = avx2::training_in_float;
        training_in_double = avx2::training_in_double;
      }
#endif
    }
  };

  const Choice &choice()
  {
    static const Choice it;
    return it;
  }

}    // namespace

template <> const LayerKernels<float> &layer_kernels<float>()
{
  return *choice().in_float;
}

template <> const LayerKernels<double> &layer_kernels<double>()
{
  return *choice().in_double;
}

template <> const TrainingKernels<float> &training_kernels<float>(int64_t channels)
{
  return choice().training_in_float(channels);
}

template <> const TrainingKernels<double> &training_kernels<double>(int64_t channels)
{
  return choice().training_in_double(channels);
}

}    // namespace E3D

extern "C" __attribute__((visibility("default"))) const char *e3d_layer_instructions()
{
  return E3D::choice().name;
}
