/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "compute_e3d_pair_local.h"

#include "bonds/bonded_edges.h"
#include "compute_arguments.h"
#include "datamasks.h"
#include "pair_e3d.h"

#include "atom.h"
#include "update.h"

#include <algorithm>
#include <cmath>
#include <map>

using namespace LAMMPS_NS;

/* ----------------------------------------------------------------------
   compute ID group e3d/pair/local VALUES... [cutoff C]
------------------------------------------------------------------------- */

ComputeE3DPairLocal::ComputeE3DPairLocal(LAMMPS *lmp, int narg, char **arg) :
    ComputeLocalRows(lmp, narg, arg, "e3d/pair/local")
{
  static const std::map<std::string, Value> known = {
      {"tag1", Value::Tag1}, {"tag2", Value::Tag2}, {"type1", Value::Type1}, {"type2", Value::Type2},
      {"dist", Value::Dist}, {"dx", Value::Dx},     {"dy", Value::Dy},       {"dz", Value::Dz},
      {"e12", Value::E12},   {"e21", Value::E21},   {"D", Value::D},         {"A", Value::A},
      {"stdD", Value::StdD}, {"stdA", Value::StdA}};
  values = E3D::parse_compute_arguments(lmp, name, narg, arg, known, cutoff_words);
  needs_committee = std::count(values.begin(), values.end(), Value::StdD) ||
      std::count(values.begin(), values.end(), Value::StdA);
  set_columns(values.size());
  scalar_flag = 1;
  extscalar = 0;
  datamask_read = X_MASK | TAG_MASK | TYPE_MASK | MASK_MASK;
  datamask_modify = EMPTY_MASK;
}

/* ---------------------------------------------------------------------- */

void ComputeE3DPairLocal::init()
{
  pair = PairE3D::find(lmp, name);
  subscription = pair->subscribe_bonds(E3D::bond_cutoffs(lmp, name, *pair, cutoff_words));
}

/* ----------------------------------------------------------------------
   one row per pair and image, on the rank that owns its first atom
------------------------------------------------------------------------- */

void ComputeE3DPairLocal::compute_local()
{
  invoked_local = update->ntimestep;
  const E3D::BondedEdges &bonds = pair->bonded_edges(subscription, name);
  if (needs_committee) pair->require_committee(name);

  const double *const *x = atom->x;
  const tagint *tag = atom->tag;
  const int *type = atom->type;
  const int *mask = atom->mask;

  bigint count = 0;
  for (const auto &bond : bonds.pairs())
    if ((mask[bond.first] & groupbit) && (mask[bond.second] & groupbit)) count++;
  set_rows(count, "pairs");

  count = 0;
  for (const auto &bond : bonds.pairs()) {
    const int i = bond.first, j = bond.second;
    if (!(mask[i] & groupbit) || !(mask[j] & groupbit)) continue;
    const double r[3] = {x[j][0] - x[i][0], x[j][1] - x[i][1], x[j][2] - x[i][2]};
    double *out = row(count);
    for (const Value value : values) {
      switch (value) {
        case Value::Tag1: *out = static_cast<double>(tag[i]); break;
        case Value::Tag2: *out = static_cast<double>(tag[j]); break;
        case Value::Type1: *out = type[i]; break;
        case Value::Type2: *out = type[j]; break;
        case Value::Dist: *out = std::sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]); break;
        case Value::Dx: *out = r[0]; break;
        case Value::Dy: *out = r[1]; break;
        case Value::Dz: *out = r[2]; break;
        case Value::E12: *out = bond.e12; break;
        case Value::E21: *out = bond.e21; break;
        case Value::D: *out = bond.D(); break;
        case Value::A: *out = bond.A(); break;
        case Value::StdD: *out = bonds.std_D(bond); break;
        case Value::StdA: *out = bonds.std_A(bond); break;
      }
      out++;
    }
    count++;
  }
}

/* ----------------------------------------------------------------------
   the largest standard deviation of D of any pair over the models of a committee
------------------------------------------------------------------------- */

double ComputeE3DPairLocal::compute_scalar()
{
  invoked_scalar = update->ntimestep;
  const E3D::BondedEdges &bonds = pair->bonded_edges(subscription, name);
  pair->require_committee(name);
  double mine = 0.0;
  for (const auto &bond : bonds.pairs())
    if ((atom->mask[bond.first] & groupbit) && (atom->mask[bond.second] & groupbit))
      mine = std::max(mine, bonds.std_D(bond));
  MPI_Allreduce(&mine, &scalar, 1, MPI_DOUBLE, MPI_MAX, world);
  return scalar;
}
