#include "dispatch.h"

#include "errors.h"

#include <cstdlib>

// CMake defines E3D_ENGINE_HAS_<set> for every set that it compiled the kernels for.
namespace e3d::engine {

#if defined(E3D_ENGINE_HAS_avx512)
namespace avx512 {
  extern const KernelSet kernels;
}
#endif
#if defined(E3D_ENGINE_HAS_avx2)
namespace avx2 {
  extern const KernelSet kernels;
}
#endif
#if defined(E3D_ENGINE_HAS_neon)
namespace neon {
  extern const KernelSet kernels;
}
#endif
namespace baseline {
  extern const KernelSet kernels;
}

std::vector<const KernelSet *> usable_kernels()
{
  std::vector<const KernelSet *> out;
#if defined(E3D_ENGINE_HAS_avx512)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("fma"))
    out.push_back(&avx512::kernels);
#endif
#if defined(E3D_ENGINE_HAS_avx2)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) out.push_back(&avx2::kernels);
#endif
#if defined(E3D_ENGINE_HAS_neon)
  out.push_back(&neon::kernels);
#endif
  out.push_back(&baseline::kernels);
  return out;
}

const KernelSet &choose_kernels(const std::string &name)
{
  const char *variable = std::getenv("E3D_ENGINE_ISA");
  const std::string wanted = !name.empty() ? name : variable ? variable : "";
  const auto usable = usable_kernels();
  if (wanted.empty()) return *usable.front();
  std::string list;
  for (const KernelSet *set : usable) {
    if (wanted == set->name) return *set;
    list += std::string(list.empty() ? "" : ", ") + set->name;
  }
  throw Error("the instruction set '" + wanted +
              "' does not run here (E3D_ENGINE_ISA); this processor and library have " + list);
}

template <> const Kernel<float> &kernel_of<float>(const KernelSet &set)
{
  return set.single_precision;
}
template <> const Kernel<double> &kernel_of<double>(const KernelSet &set)
{
  return set.double_precision;
}

}    // namespace e3d::engine
