/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "compute_e3d_heat.h"

#include "atom_heat.h"
#include "compute_arguments.h"
#include "datamasks.h"
#include "pair_e3d.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "update.h"

#include <algorithm>

using namespace LAMMPS_NS;

/* ----------------------------------------------------------------------
   compute ID group e3d/heat [cutoff C]
------------------------------------------------------------------------- */

ComputeE3DHeat::ComputeE3DHeat(LAMMPS *lmp, int narg, char **arg) :
    Compute(lmp, narg, arg), name("compute " + std::string(arg[0]) + " e3d/heat")
{
  if (narg > 3) {
    const std::string keyword = arg[3];
    if (keyword != "cutoff")
      error->all(FLERR, "{}: unknown keyword '{}'; it takes 'cutoff C'", name, keyword);
    int iarg = 4;
    cutoff_words = E3D::parse_cutoff(lmp, name, narg, arg, iarg);
    if (iarg < narg)
      error->all(FLERR, "{}: unknown keyword '{}'; it takes 'cutoff C' and nothing after it", name,
                 arg[iarg]);
  }

  pair = PairE3D::find(lmp, name);
  if (pair->pair_labels().size() == 0)
    error->all(FLERR,
               "{}: the elements are not known yet; put 'pair_coeff * * model.safetensors C H' before "
               "this compute",
               name);
  row_names = rows_of_run();

  vector_flag = 1;
  size_vector = NUM_COLUMNS;
  extvector = 1;
  array_flag = 1;
  size_array_rows = static_cast<int>(row_names.size());
  size_array_cols = NUM_COLUMNS;
  extarray = 1;
  comm_forward = 3;
  datamask_read = X_MASK | V_MASK | TYPE_MASK | MASK_MASK | RMASS_MASK;
  datamask_modify = EMPTY_MASK;
  memory->create(vector, NUM_COLUMNS, "e3d/heat:vector");
  memory->create(array, size_array_rows, size_array_cols, "e3d/heat:array");

  if (comm->me == 0) {
    std::string rows;
    for (int k = 0; k < size_array_rows; k++) rows += fmt::format(" {} {}", k + 1, row_names[k]);
    utils::logmesg(lmp, "{} rows:{}\n", name, rows);
  }
}

/* ---------------------------------------------------------------------- */

ComputeE3DHeat::~ComputeE3DHeat()
{
  memory->destroy(vector);
  memory->destroy(array);
}

/* ---------------------------------------------------------------------- */

std::vector<std::string> ComputeE3DHeat::rows_of_run() const
{
  const E3D::PairLabels &labels = pair->pair_labels();
  std::vector<std::string> names;
  for (int k = 0; k < labels.size(); k++) names.push_back(labels.name(k));
  if (!cutoff_words.empty()) names.emplace_back("beyond");
  names.emplace_back("none");
  return names;
}

/* ---------------------------------------------------------------------- */

void ComputeE3DHeat::init()
{
  pair = PairE3D::find(lmp, name);
  if (rows_of_run() != row_names)
    error->all(FLERR,
               "{}: pair_coeff has changed the elements of the atom types; 'uncompute {}' and define it "
               "again",
               name, id);
  if (!cutoff_words.empty()) cutsq = E3D::bond_cutoffs(lmp, name, *pair, cutoff_words);
  if (reads_frame()) pair->subscribe_edge_forces();
  added_step = -1;    // pair_coeff may have begun to count evaluations anew
}

/* ----------------------------------------------------------------------
   velocities of owned and ghost atoms as they are now: with comm_modify vel yes those of ghosts would
   be of the middle of the time step, and of the box's motion
------------------------------------------------------------------------- */

void ComputeE3DHeat::gather_velocities()
{
  const double *const *v = atom->v;
  velocity.resize(3 * static_cast<std::size_t>(atom->nlocal + atom->nghost));
  for (int i = 0; i < atom->nlocal; i++) {
    const bool inside = atom->mask[i] & groupbit;
    for (int d = 0; d < 3; d++) velocity[3 * static_cast<std::size_t>(i) + d] = inside ? v[i][d] : 0.0;
  }
  comm->forward_comm(this);
}

/* ---------------------------------------------------------------------- */

int ComputeE3DHeat::pack_forward_comm(int n, int *list, double *buf, int /*pbc_flag*/, int * /*pbc*/)
{
  for (int k = 0; k < n; k++) std::copy_n(&velocity[3 * static_cast<std::size_t>(list[k])], 3, buf + 3 * k);
  return 3 * n;
}

/* ---------------------------------------------------------------------- */

void ComputeE3DHeat::unpack_forward_comm(int n, int first, double *buf)
{
  std::copy_n(buf, 3 * n, &velocity[3 * static_cast<std::size_t>(first)]);
}

/* ----------------------------------------------------------------------
   J = sum_i (U_i + K_i) v_i + sum_i W_i.v_i by rows (ARCHITECTURE section 1): the edge i->j gives
   epsilon_ij v_i - r_ij (g_ij.v_j) to its label, mu_i v_i and K_i v_i go to 'none'

   v is 0 outside the group: an atom's energy counts if it is in the group, and so does the work that
   the others do on it, as in compute heat/flux

   once for vector and array of a step
------------------------------------------------------------------------- */

void ComputeE3DHeat::add_up()
{
  const E3D::EdgeFrame &frame = pair->edge_frame_with_forces(name);
  if (added_step == update->ntimestep && added_evaluation == frame.evaluation) return;
  added_step = update->ntimestep;
  added_evaluation = frame.evaluation;
  const E3D::PairLabels &labels = pair->pair_labels();
  gather_velocities();

  const double *const *x = atom->x;
  const int *type = atom->type;
  const int width = atom->ntypes + 1;
  const std::size_t none = row_names.size() - 1, beyond = none - 1;
  mine.assign(row_names.size() * NUM_COLUMNS, 0.0);

  for (std::size_t k = 0; k < frame.rows(); k++) {
    const int i = frame.centre[k];
    const double *vi = &velocity[3 * static_cast<std::size_t>(i)];
    double shift = frame.energy[k];    // what the edges leave of U_i: mu_i
    for (int64_t e = frame.offset[k]; e < frame.offset[k + 1]; e++) {
      const int j = frame.neighbour[e];
      const double *vj = &velocity[3 * static_cast<std::size_t>(j)];
      const double *g = &frame.g[3 * static_cast<std::size_t>(e)];
      const double r[3] = {x[j][0] - x[i][0], x[j][1] - x[i][1], x[j][2] - x[i][2]};
      const double power = g[0] * vj[0] + g[1] * vj[1] + g[2] * vj[2];
      shift -= frame.eps[e];

      auto row = static_cast<std::size_t>(labels.of_types(type[i], type[j]));
      if (!cutsq.empty() && r[0] * r[0] + r[1] * r[1] + r[2] * r[2] >= cutsq[type[i] * width + type[j]])
        row = beyond;
      double *out = &mine[row * NUM_COLUMNS];
      for (int d = 0; d < 3; d++) {
        const double convective = frame.eps[e] * vi[d];
        out[d] += convective - r[d] * power;
        out[d + 3] += convective;
      }
    }
    for (int d = 0; d < 3; d++) mine[none * NUM_COLUMNS + d + 3] += shift * vi[d];
  }

  for (int i = 0; i < atom->nlocal; i++) {
    const double *vi = &velocity[3 * static_cast<std::size_t>(i)];
    const double kinetic = E3D::kinetic_energy(atom, force, i, vi);
    for (int d = 0; d < 3; d++) mine[none * NUM_COLUMNS + d + 3] += kinetic * vi[d];
  }
  std::copy_n(&mine[none * NUM_COLUMNS + 3], 3, &mine[none * NUM_COLUMNS]);
}

/* ---------------------------------------------------------------------- */

void ComputeE3DHeat::compute_vector()
{
  invoked_vector = update->ntimestep;
  add_up();
  double sum[NUM_COLUMNS] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
  for (std::size_t k = 0; k < mine.size(); k++) sum[k % NUM_COLUMNS] += mine[k];
  MPI_Allreduce(sum, vector, NUM_COLUMNS, MPI_DOUBLE, MPI_SUM, world);
}

/* ---------------------------------------------------------------------- */

void ComputeE3DHeat::compute_array()
{
  invoked_array = update->ntimestep;
  add_up();
  MPI_Allreduce(mine.data(), array[0], static_cast<int>(mine.size()), MPI_DOUBLE, MPI_SUM, world);
}

/* ---------------------------------------------------------------------- */

double ComputeE3DHeat::memory_usage()
{
  return static_cast<double>(velocity.capacity() + mine.capacity()) * sizeof(double);
}
