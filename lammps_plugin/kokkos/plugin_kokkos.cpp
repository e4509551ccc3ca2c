/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

// what libe3d_kk.so has: registers the /kk styles. Each has three names, which LAMMPS's own styles get from macros
// that plugins cannot use

#include "kokkos_styles.h"

#include "pair_e3d_kokkos.h"

#include "lammps.h"

using namespace LAMMPS_NS;

namespace {

template <typename Style> void *create_pair(void *lmp)
{
  return new Style(static_cast<LAMMPS *>(lmp));
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
}
