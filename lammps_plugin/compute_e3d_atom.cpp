/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "compute_e3d_atom.h"

#include "bonds/bonded_edges.h"
#include "compute_arguments.h"
#include "datamasks.h"
#include "pair_e3d.h"

#include "atom.h"
#include "comm.h"
#include "memory.h"
#include "update.h"

#include <algorithm>

using namespace LAMMPS_NS;

/* ----------------------------------------------------------------------
   compute ID group e3d/atom VALUES... [cutoff C]
------------------------------------------------------------------------- */

ComputeE3DAtom::ComputeE3DAtom(LAMMPS *lmp, int narg, char **arg) :
    Compute(lmp, narg, arg), name("compute " + std::string(arg[0]) + " e3d/atom")
{
  static const std::map<std::string, Value> known = {{"energy", Value::Energy},
                                                     {"bond", Value::Bond},
                                                     {"asym", Value::Asym},
                                                     {"coord", Value::Coord},
                                                     {"stdf", Value::StdF}};
  values = E3D::parse_compute_arguments(lmp, name, narg, arg, known, cutoff_words);

  peratom_flag = 1;
  size_peratom_cols = values.size() == 1 ? 0 : static_cast<int>(values.size());
  scalar_flag = 1;
  extscalar = 0;
  datamask_read = X_MASK | TAG_MASK | TYPE_MASK | MASK_MASK;
  datamask_modify = EMPTY_MASK;
}

/* ---------------------------------------------------------------------- */

ComputeE3DAtom::~ComputeE3DAtom()
{
  memory->destroy(vatom);
  memory->destroy(aatom);
}

/* ---------------------------------------------------------------------- */

void ComputeE3DAtom::init()
{
  pair = PairE3D::find(lmp, name);
  if (!wants(Value::Bond) && !wants(Value::Asym) && !wants(Value::Coord)) return;

  const auto cutsq = E3D::bond_cutoffs(lmp, name, *pair, cutoff_words);
  subscription = pair->subscribe_bonds(cutsq);
  const int width = atom->ntypes + 1;
  one_sided = false;
  for (int i = 1; i < width; i++)
    for (int j = 1; j < i; j++) one_sided = one_sided || cutsq[i * width + j] != cutsq[j * width + i];
  comm_reverse = one_sided ? 3 : 0;    // taken up by Comm::init(), which follows
}

/* ---------------------------------------------------------------------- */

bool ComputeE3DAtom::wants(Value value) const
{
  return std::find(values.begin(), values.end(), value) != values.end();
}

/* ----------------------------------------------------------------------
   the bonds of each atom, those included that only the other atom has an edge of
------------------------------------------------------------------------- */

void ComputeE3DAtom::add_up_bonds()
{
  const E3D::BondedEdges &bonds = pair->bonded_edges(subscription, name);
  sums.assign(atom->nlocal + (one_sided ? atom->nghost : 0), Sums());
  for (int i = 0; i < atom->nlocal; i++) {
    for (int64_t e = bonds.first_edge(i); e < bonds.first_edge(i + 1); e++) {
      const auto &edge = bonds.edges()[e];
      if (!edge.inside) continue;
      sums[i].own += edge.eps;
      sums[i].reverse += edge.reverse;
      sums[i].bonds += 1.0;
      if (edge.has_reverse || !one_sided) continue;
      sums[edge.neighbour].reverse += edge.eps;
      sums[edge.neighbour].bonds += 1.0;
    }
  }
  if (one_sided) comm->reverse_comm(this);
}

/* ---------------------------------------------------------------------- */

int ComputeE3DAtom::pack_reverse_comm(int n, int first, double *buf)
{
  int m = 0;
  for (int ghost = first; ghost < first + n; ghost++) {
    buf[m++] = sums[ghost].own;
    buf[m++] = sums[ghost].reverse;
    buf[m++] = sums[ghost].bonds;
  }
  return m;
}

/* ---------------------------------------------------------------------- */

void ComputeE3DAtom::unpack_reverse_comm(int n, int *list, double *buf)
{
  int m = 0;
  for (int k = 0; k < n; k++) {
    Sums &sum = sums[list[k]];
    sum.own += buf[m++];
    sum.reverse += buf[m++];
    sum.bonds += buf[m++];
  }
}

/* ----------------------------------------------------------------------
   energy: sum_j epsilon_ij + mu_i over all edges of the model
   bond: half the sum of D_ij; asym: the sum of epsilon_ij - epsilon_ji; coord: the number of them;
     all three over the bonds of the atom
   stdf: standard deviation of the force over a committee
   0 for atoms outside the group, and for those that another style of a hybrid owns
------------------------------------------------------------------------- */

void ComputeE3DAtom::compute_peratom()
{
  invoked_peratom = update->ntimestep;
  const E3D::EdgeFrame &frame = pair->edge_frame(name);
  const bool needs_bonds = wants(Value::Bond) || wants(Value::Asym) || wants(Value::Coord);
  if (needs_bonds) add_up_bonds();
  if (wants(Value::StdF)) pair->require_committee(name);
  if (atom->nmax > nmax) reallocate();

  const auto columns = values.size();
  double *const first = columns == 1 ? vatom : (atom->nlocal > 0 ? aatom[0] : nullptr);
  std::fill_n(first, static_cast<std::size_t>(atom->nlocal) * columns, 0.0);

  for (std::size_t k = 0; k < frame.rows(); k++) {
    const int i = frame.centre[k];
    if (!(atom->mask[i] & groupbit)) continue;

    const Sums sum = needs_bonds ? sums[i] : Sums();
    double *out = first + i * columns;
    for (const Value value : values) {
      switch (value) {
        case Value::Energy: *out = frame.energy[k]; break;
        case Value::Bond: *out = 0.5 * (sum.own + sum.reverse); break;
        case Value::Asym: *out = sum.own - sum.reverse; break;
        case Value::Coord: *out = sum.bonds; break;
        case Value::StdF: *out = frame.force_spread[i]; break;
      }
      out++;
    }
  }
}

/* ----------------------------------------------------------------------
   the largest standard deviation of the force of any atom over the models of a committee
------------------------------------------------------------------------- */

double ComputeE3DAtom::compute_scalar()
{
  invoked_scalar = update->ntimestep;
  const E3D::EdgeFrame &frame = pair->edge_frame(name);
  pair->require_committee(name);
  double mine = 0.0;
  for (int i = 0; i < atom->nlocal; i++)
    if (atom->mask[i] & groupbit) mine = std::max(mine, frame.force_spread[i]);
  MPI_Allreduce(&mine, &scalar, 1, MPI_DOUBLE, MPI_MAX, world);
  return scalar;
}

/* ---------------------------------------------------------------------- */

void ComputeE3DAtom::reallocate()
{
  nmax = atom->nmax;
  if (values.size() == 1) {
    memory->destroy(vatom);
    memory->create(vatom, nmax, "e3d/atom:vector_atom");
    vector_atom = vatom;
  } else {
    memory->destroy(aatom);
    memory->create(aatom, nmax, static_cast<int>(values.size()), "e3d/atom:array_atom");
    array_atom = aatom;
  }
}

/* ---------------------------------------------------------------------- */

double ComputeE3DAtom::memory_usage()
{
  return static_cast<double>(nmax) * static_cast<double>(values.size()) * sizeof(double);
}
