/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

// The instruction set of edge_kernels.cpp for the processor at hand.

#include "edge_kernels.h"

namespace E3D {

#define E3D_DECLARE(isa)                      \
  namespace isa {                             \
    extern const EdgeKernels<float> in_float; \
    extern const EdgeKernels<double> in_double; \
  }

E3D_DECLARE(baseline)
#ifdef E3D_X86
E3D_DECLARE(avx2)
E3D_DECLARE(avx512)
#endif

namespace {

  struct Choice {
    const char *name = "baseline";
    const EdgeKernels<float> *in_float = &baseline::in_float;
    const EdgeKernels<double> *in_double = &baseline::in_double;

    Choice()
    {
#ifdef E3D_X86
      __builtin_cpu_init();
      if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
          __builtin_cpu_supports("avx512dq")) {
        name = "avx512";
        in_float = &avx512::in_float;
        in_double = &avx512::in_double;
      } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        name = "avx2";
        in_float = &avx2::in_float;
        in_double = &avx2::in_double;
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

template <> const EdgeKernels<float> &edge_kernels<float>()
{
  return *choice().in_float;
}

template <> const EdgeKernels<double> &edge_kernels<double>()
{
  return *choice().in_double;
}

const char *edge_kernels_isa()
{
  return choice().name;
}

}    // namespace E3D
