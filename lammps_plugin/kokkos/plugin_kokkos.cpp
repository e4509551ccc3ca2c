/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

// what libe3d_kk.so has: registers the /kk styles. Each has three names, which LAMMPS's own styles get from macros
// that plugins cannot use

#include "kokkos_styles.h"

#include "compute_e3d_heat_kokkos.h"
#include "fix_e3d_hnemd_kokkos.h"
#include "fix_e3d_map_kokkos.h"
#include "pair_e3d_kokkos.h"

#include "lammps.h"

using namespace LAMMPS_NS;

namespace {

template <typename Style> void *create_pair(void *lmp)
{
  return new Style(static_cast<LAMMPS *>(lmp));
}

template <typename Base, typename Style> void *create(void *lmp, int narg, char **arg)
{
  return static_cast<Base *>(new Style(static_cast<LAMMPS *>(lmp), narg, arg));
}

}    // namespace

extern "C" __attribute__((visibility("default"))) void
e3d_register_kokkos_styles(LAMMPS *lmp, lammpsplugin_t plugin, lammpsplugin_regfunc register_plugin)
{
  plugin.style = "pair";
  plugin.info = "Allegro edge energies, pair style e3d with KOKKOS";
  const auto add_pair = [&](const char *name, lammpsplugin_factory1 creator) {
    plugin.name = name;
    plugin.creator.v1 = creator;
    register_plugin(&plugin, lmp);
  };
  add_pair("e3d/kk", create_pair<PairE3DKokkos<LMPDeviceType>>);
  add_pair("e3d/kk/device", create_pair<PairE3DKokkos<LMPDeviceType>>);
  add_pair("e3d/kk/host", create_pair<PairE3DKokkos<LMPHostType>>);

  // with the suffix kk/host LAMMPS takes those of the host, which are the same
  const auto add = [&](const char *kind, const char *name, const char *info, lammpsplugin_factory2 creator) {
    plugin.style = kind;
    plugin.name = name;
    plugin.info = info;
    plugin.creator.v2 = creator;
    register_plugin(&plugin, lmp);
  };
  for (const char *name : {"e3d/heat/kk", "e3d/heat/kk/device"})
    add("compute", name, "heat current of Allegro models, compute e3d/heat with KOKKOS",
        create<Compute, ComputeE3DHeatKokkos>);
  for (const char *name : {"e3d/hnemd/kk", "e3d/hnemd/kk/device"})
    add("fix", name, "driving force of HNEMD, fix e3d/hnemd with KOKKOS", create<Fix, FixE3DHnemdKokkos>);
  for (const char *name : {"e3d/map/kk", "e3d/map/kk/device"})
    add("fix", name, "D-A maps of Allegro models, fix e3d/map with KOKKOS", create<Fix, FixE3DMapKokkos>);
}
