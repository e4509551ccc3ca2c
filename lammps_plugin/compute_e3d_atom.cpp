/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "compute_e3d_atom.h"

#include "compute_arguments.h"
#include "pair_e3d.h"

#include "atom.h"
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
  static const std::map<std::string, Value> known = {{"energy", Value::Energy}, {"coord", Value::Coord}};
  values = E3D::parse_compute_arguments(lmp, name, narg, arg, known, cutoff_words);

  peratom_flag = 1;
  size_peratom_cols = values.size() == 1 ? 0 : static_cast<int>(values.size());
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
  cutsq = E3D::bond_cutoffs(lmp, name, *pair, cutoff_words);
}

/* ----------------------------------------------------------------------
   energy: sum_j epsilon_ij + mu_i over all edges of the model
   coord: edges within the bond cutoff
   0 for atoms outside the group, and for those that another style of a hybrid owns
------------------------------------------------------------------------- */

void ComputeE3DAtom::compute_peratom()
{
  invoked_peratom = update->ntimestep;
  const E3D::EdgeFrame &frame = pair->edge_frame(name);
  if (atom->nmax > nmax) reallocate();

  const auto columns = values.size();
  double *const first = columns == 1 ? vatom : (atom->nlocal > 0 ? aatom[0] : nullptr);
  std::fill_n(first, static_cast<std::size_t>(atom->nlocal) * columns, 0.0);

  const double *const *x = atom->x;
  const int *type = atom->type;
  const int width = atom->ntypes + 1;

  for (std::size_t k = 0; k < frame.rows(); k++) {
    const int i = frame.centre[k];
    if (!(atom->mask[i] & groupbit)) continue;

    int coord = 0;
    for (int64_t e = frame.offset[k]; e < frame.offset[k + 1]; e++) {
      const int j = frame.neighbour[e];
      const double dx = x[j][0] - x[i][0];
      const double dy = x[j][1] - x[i][1];
      const double dz = x[j][2] - x[i][2];
      if (dx * dx + dy * dy + dz * dz < cutsq[type[i] * width + type[j]]) coord++;
    }
    for (std::size_t n = 0; n < columns; n++)
      first[i * columns + n] = values[n] == Value::Energy ? frame.energy[k] : coord;
  }
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
