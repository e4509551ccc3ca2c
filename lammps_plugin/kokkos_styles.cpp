/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "kokkos_styles.h"

#include "support/kokkos_facts.h"

#include "comm.h"
#include "error.h"
#include "info.h"
#include "lammps.h"

#include <dlfcn.h>

using namespace LAMMPS_NS;

namespace E3D {

namespace {

  std::string reason;

#ifdef E3D_KOKKOS_VERSION

  std::string library_path()
  {
    Dl_info info;
    const std::string plugin =
        dladdr(reinterpret_cast<const void *>(&register_kokkos_styles), &info) && info.dli_fname
        ? info.dli_fname
        : "";
    const auto slash = plugin.rfind('/');
    return (slash == std::string::npos ? "." : plugin.substr(0, slash)) + "/libe3d_kk.so";
  }

#endif

  constexpr const char *BUILD = "cmake -DLAMMPS_ROOT=<its source> -DLAMMPS_BUILD=<its build folder>";

}    // namespace

#ifdef E3D_KOKKOS_VERSION

void register_kokkos_styles(LAMMPS *lmp, const lammpsplugin_t &plugin, lammpsplugin_regfunc regfunc)
{
  reason.clear();
  if (!lmp->kokkos) return;

  const KokkosFacts built_for = {plugin.version, E3D_KOKKOS_PRECISION, E3D_KOKKOS_LAYOUT, E3D_KOKKOS_VERSION};
  const std::string refused =
      differences(built_for, kokkos_facts(lmp->version, Info::get_accelerator_info("KOKKOS")));
  if (!refused.empty()) {
    reason = "libe3d_kk.so was built for " + refused + "; build it for this LAMMPS with " + BUILD;
  } else {
    const std::string library = library_path();
    void *handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);    // stays open: styles live in it
    void *symbol = handle ? dlsym(handle, REGISTER_KOKKOS_STYLES_SYMBOL) : nullptr;
    if (symbol) {
      reinterpret_cast<RegisterKokkosStyles>(symbol)(lmp, plugin, regfunc);
      return;
    }
    const char *problem = dlerror();
    reason = "libe3d_kk.so does not load: " + std::string(problem ? problem : library) +
        "; build it for this LAMMPS with " + BUILD;
  }
  if (lmp->comm->me == 0)
    lmp->error->warning(FLERR, "There are no e3d styles with the suffix /kk: {}", reason);
}

#else

void register_kokkos_styles(LAMMPS *lmp, const lammpsplugin_t &, lammpsplugin_regfunc)
{
  reason = lmp->kokkos
      ? std::string("the e3d plugin was built without the /kk styles; build it with ") + BUILD
      : "";
}

#endif

const std::string &why_no_kokkos_styles()
{
  return reason;
}

}    // namespace E3D
