/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "lammpsplugin_abi.h"

#include "compute_e3d_atom.h"
#include "compute_e3d_edge_local.h"
#include "compute_e3d_heat.h"
#include "compute_e3d_pair_local.h"
#include "fix_e3d_bonds.h"
#include "fix_e3d_hnemd.h"
#include "fix_e3d_map.h"
#include "fix_e3d_record.h"
#include "fix_e3d_shc.h"
#include "kokkos_styles.h"
#include "pair_e3d.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "lammps.h"
#include "library.h"

using namespace LAMMPS_NS;

namespace {

template <typename Style> void *create_pair(void *lmp)
{
  return new Style(static_cast<LAMMPS *>(lmp));
}

template <typename Style> void *create_with_arguments(void *lmp, int narg, char **arg)
{
  return new Style(static_cast<LAMMPS *>(lmp), narg, arg);
}

// with ids of another width than LAMMPS's all would seem to work, and every id would be wrong

bool sizes_agree(LAMMPS *lmp)
{
  if (lmp->atom->extract_datatype("id") == LAMMPS_TAGINT) return true;
  const bool plugin_bigbig = sizeof(tagint) == sizeof(bigint);
  if (lmp->comm->me == 0)
    lmp->error->warning(FLERR,
                        "The e3d plugin was built for a {} LAMMPS, and this one is {}: its styles are "
                        "left out. Build it again with cmake -DLAMMPS_SIZES={}",
                        plugin_bigbig ? "BIGBIG" : "SMALLBIG", plugin_bigbig ? "SMALLBIG" : "BIGBIG",
                        plugin_bigbig ? "smallbig" : "bigbig");
  return false;
}

}    // namespace

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void *lmp, void *handle,
                                                                         void *regfunc)
{
  if (!sizes_agree(static_cast<LAMMPS *>(lmp))) return;
  const auto register_plugin = reinterpret_cast<lammpsplugin_regfunc>(regfunc);

  lammpsplugin_t plugin{};
#ifdef E3D_LAMMPS_VERSION
  plugin.version = E3D_LAMMPS_VERSION;    // LAMMPS warns where it is not the one that runs
#else
  plugin.version = static_cast<LAMMPS *>(lmp)->version;
#endif
  plugin.author = "e3d-lmp developers";
  plugin.handle = handle;

  plugin.style = "pair";
  plugin.name = "e3d";
  plugin.info = "Allegro edge energies, pair style e3d";
  plugin.creator.v1 = create_pair<PairE3D>;
  register_plugin(&plugin, lmp);

  // computes and fixes
  const auto add = [&](const char *style, const char *name, const char *info, auto creator) {
    plugin.style = style;
    plugin.name = name;
    plugin.info = info;
    plugin.creator.v2 = creator;
    register_plugin(&plugin, lmp);
  };
  add("compute", "e3d/atom", "per-atom sums of edge energies", create_with_arguments<ComputeE3DAtom>);
  add("compute", "e3d/edge/local", "directed edge energies", create_with_arguments<ComputeE3DEdgeLocal>);
  add("compute", "e3d/heat", "heat current and its split by pair label",
      create_with_arguments<ComputeE3DHeat>);
  add("compute", "e3d/pair/local", "bond energies D and asymmetries A",
      create_with_arguments<ComputeE3DPairLocal>);
  add("fix", "e3d/bonds", "bonds by energy: events and species", create_with_arguments<FixE3DBonds>);
  add("fix", "e3d/hnemd", "driving force of homogeneous non-equilibrium heat transport",
      create_with_arguments<FixE3DHnemd>);
  add("fix", "e3d/map", "D-A maps of all bonds during the run", create_with_arguments<FixE3DMap>);
  add("fix", "e3d/record", "edges or bonds in binary, written by one rank of each node",
      create_with_arguments<FixE3DRecord>);
  add("fix", "e3d/shc", "spectral heat current: virial-velocity correlation",
      create_with_arguments<FixE3DShc>);

  E3D::register_kokkos_styles(static_cast<LAMMPS *>(lmp), plugin, register_plugin);
}
