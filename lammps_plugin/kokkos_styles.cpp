/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "kokkos_styles.h"

#include "comm.h"
#include "error.h"
#include "info.h"
#include "lammps.h"

#include <dlfcn.h>

#include <cstring>

using namespace LAMMPS_NS;

namespace E3D {

namespace {

  std::string reason;

#ifdef E3D_KOKKOS_VERSION

  // what follows a word in the lines of Info::get_accelerator_info(), such as "KOKKOS package precision: double"
  std::string said_by_lammps(const std::string &facts, const std::string &word)
  {
    const auto at = facts.find(word);
    if (at == std::string::npos) return "";
    const auto first = facts.find_first_not_of(" ", at + word.size());
    return facts.substr(first, facts.find_first_of(" \n", first) - first);
  }

  // in words, what the LAMMPS that runs and the one that libe3d_kk.so was built for do not have in common
  std::string mismatch(const LAMMPS *lmp, const char *built_for)
  {
    std::string differences;
    const auto compare = [&differences](const std::string &what, const std::string &built,
                                        const std::string &runs) {
      if (built == runs) return;
      if (!differences.empty()) differences += ", ";
      differences +=
          what + " " + built + " where this LAMMPS has " + (runs.empty() ? "none that is known" : runs);
    };
    const std::string facts = Info::get_accelerator_info("KOKKOS");
    compare("version", built_for, lmp->version);
    compare("precision", E3D_KOKKOS_PRECISION, said_by_lammps(facts, "precision:"));
    compare("view layout", E3D_KOKKOS_LAYOUT, said_by_lammps(facts, "layout:"));
    compare("Kokkos", E3D_KOKKOS_VERSION, said_by_lammps(facts, "library version:"));
    return differences;
  }

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

  const std::string differences = mismatch(lmp, plugin.version);
  if (!differences.empty()) {
    reason = "libe3d_kk.so was built for " + differences + "; build it for this LAMMPS with " + BUILD;
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
