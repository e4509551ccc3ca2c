/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "compute_e3d_edge_local.h"

#include "compute_arguments.h"
#include "datamasks.h"
#include "pair_e3d.h"

#include "atom.h"
#include "update.h"
#include "utils.h"

#include <cmath>
#include <map>

using namespace LAMMPS_NS;

/* ----------------------------------------------------------------------
   compute ID group e3d/edge/local VALUES... [cutoff C]
------------------------------------------------------------------------- */

ComputeE3DEdgeLocal::ComputeE3DEdgeLocal(LAMMPS *lmp, int narg, char **arg) :
    ComputeLocalRows(lmp, narg, arg, "e3d/edge/local")
{
  static const std::map<std::string, Value> known = {
      {"tag1", Value::Tag1},   {"tag2", Value::Tag2}, {"type1", Value::Type1},
      {"type2", Value::Type2}, {"dist", Value::Dist}, {"dx", Value::Dx},
      {"dy", Value::Dy},       {"dz", Value::Dz},     {"eps", Value::Eps}};
  values = E3D::parse_compute_arguments(lmp, name, narg, arg, known, cutoff_words);
  set_columns(values.size());
  datamask_read = X_MASK | TAG_MASK | TYPE_MASK | MASK_MASK;
  datamask_modify = EMPTY_MASK;
}

/* ---------------------------------------------------------------------- */

void ComputeE3DEdgeLocal::init()
{
  pair = PairE3D::find(lmp, name);
  cutsq = E3D::bond_cutoffs(lmp, name, *pair, cutoff_words);
  pair->subscribe_edges(cutsq);
}

/* ---------------------------------------------------------------------- */

void ComputeE3DEdgeLocal::compute_local()
{
  invoked_local = update->ntimestep;
  set_rows(for_each_edge(false), "edges");
  for_each_edge(true);
}

/* ----------------------------------------------------------------------
   count, or store, the directed edges whose centre is in the group and within the bond cutoff
------------------------------------------------------------------------- */

bigint ComputeE3DEdgeLocal::for_each_edge(bool store)
{
  const E3D::EdgeFrame &frame = pair->edge_frame(name);
  const double *const *x = atom->x;
  const tagint *tag = atom->tag;
  const int *type = atom->type;
  const int *mask = atom->mask;
  const int width = atom->ntypes + 1;

  bigint count = 0;
  for (std::size_t k = 0; k < frame.rows(); k++) {
    const int i = frame.centre[k];
    if (!(mask[i] & groupbit)) continue;
    for (int64_t e = frame.offset[k]; e < frame.offset[k + 1]; e++) {
      const int j = frame.neighbour[e];
      const double dx = x[j][0] - x[i][0];
      const double dy = x[j][1] - x[i][1];
      const double dz = x[j][2] - x[i][2];
      const double rsq = dx * dx + dy * dy + dz * dz;
      if (rsq >= cutsq[type[i] * width + type[j]]) continue;
      if (store) {
        double *out = row(count);
        for (std::size_t n = 0; n < values.size(); n++) {
          switch (values[n]) {
            case Value::Tag1: out[n] = static_cast<double>(tag[i]); break;
            case Value::Tag2: out[n] = static_cast<double>(tag[j]); break;
            case Value::Type1: out[n] = type[i]; break;
            case Value::Type2: out[n] = type[j]; break;
            case Value::Dist: out[n] = std::sqrt(rsq); break;
            case Value::Dx: out[n] = dx; break;
            case Value::Dy: out[n] = dy; break;
            case Value::Dz: out[n] = dz; break;
            case Value::Eps: out[n] = frame.eps[e]; break;
          }
        }
      }
      count++;
    }
  }
  return count;
}
