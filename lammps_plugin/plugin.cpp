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
    lmp->error->warning(FLERR, "The e3d plugin was built for a {} LAMMPS, and this one is {}: its styles are "
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

  plugin.style = "compute";
  plugin.name = "e3d/edge/local";
  plugin.info = "directed edge energies, compute e3d/edge/local";
  plugin.creator.v2 = create_with_arguments<ComputeE3DEdgeLocal>;
  register_plugin(&plugin, lmp);

  plugin.name = "e3d/pair/local";
  plugin.info = "bond energies D and asymmetries A, compute e3d/pair/local";
  plugin.creator.v2 = create_with_arguments<ComputeE3DPairLocal>;
  register_plugin(&plugin, lmp);

  plugin.name = "e3d/atom";
  plugin.info = "per-atom sums of edge energies, compute e3d/atom";
  plugin.creator.v2 = create_with_arguments<ComputeE3DAtom>;
  register_plugin(&plugin, lmp);

  plugin.name = "e3d/heat";
  plugin.info = "heat current and its split by pair label, compute e3d/heat";
  plugin.creator.v2 = create_with_arguments<ComputeE3DHeat>;
  register_plugin(&plugin, lmp);

  plugin.style = "fix";
  plugin.name = "e3d/bonds";
  plugin.info = "bonds by energy: events and species, fix e3d/bonds";
  plugin.creator.v2 = create_with_arguments<FixE3DBonds>;
  register_plugin(&plugin, lmp);

  plugin.name = "e3d/hnemd";
  plugin.info = "driving force of homogeneous non-equilibrium heat transport, fix e3d/hnemd";
  plugin.creator.v2 = create_with_arguments<FixE3DHnemd>;
  register_plugin(&plugin, lmp);

  plugin.name = "e3d/map";
  plugin.info = "D-A maps of all bonds during the run, fix e3d/map";
  plugin.creator.v2 = create_with_arguments<FixE3DMap>;
  register_plugin(&plugin, lmp);
}
