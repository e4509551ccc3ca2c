/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

// pair_style e3d committee K: the first model drives the run; on multiples of K all models run, and
// their spread says where the training data end

#include "pair_e3d.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "output.h"
#include "update.h"

#include <algorithm>
#include <cmath>

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

void PairE3D::load_members(int num_files, char **files)
{
  const auto &first = model->metadata();
  for (int k = 0; k < num_files; k++) {
    members.push_back(load_model(files[k]));
    // a model that takes one chunk at a time would lose all but the last of those that another keeps under way
    if (members.back()->chunk_plan().lanes != static_cast<int>(lanes.size()))
      error->all(FLERR, "pair_style e3d committee: {} runs on {}, {} on {}: all models of a committee must run on "
                 "the same kind of device: give it with 'pair_style e3d device ...', or export them for one", files[k],
                 members.back()->device(), model_file, model->device());
    const auto &other = members.back()->metadata();
    if (other.type_names != first.type_names || other.type_elements != first.type_elements ||
        other.cutoffs != first.cutoffs || other.decomposition != first.decomposition)
      error->all(FLERR, "pair_style e3d committee: {} has other types, cutoffs or another decomposition than "
                 "{}: all models of a committee must have the same ('e3d inspect FILE' shows them)", files[k],
                 model_file);
  }
}

/* ----------------------------------------------------------------------
   multiples of K, and the first and the last step of a run, of which LAMMPS always prints thermo output
------------------------------------------------------------------------- */

bool PairE3D::is_committee_step() const
{
  if (committee == 0) return false;
  const bigint step = update->ntimestep;
  const bool minimized_early = update->whichflag == 2 && output->next_thermo == step;
  return step % committee == 0 || step == update->firststep || step == update->laststep || minimized_early;
}

/* ---------------------------------------------------------------------- */

void PairE3D::require_committee(const std::string &requested_by) const
{
  if (committee == 0)
    error->all(FLERR, "{}: the spread of a committee needs 'pair_style e3d committee K' and more than one "
               "model in pair_coeff", requested_by);
  if (frame.members == 0)
    error->all(FLERR, "{}: on step {} only the first model ran; the committee runs on multiples of {}, and on "
               "the first and the last step of a run: ask for its spread on those, or change 'pair_style e3d committee {}'", requested_by,
               update->ntimestep, committee, committee);
}

/* ----------------------------------------------------------------------
   run all models. Their forces are summed over ranks one model at a time, and the mean and the spread
   of the force vector follow by Welford's recurrence: spread^2 = (1/M) sum_m |F_m - mean F|^2
------------------------------------------------------------------------- */

void PairE3D::evaluate_committee()
{
  const int nlocal = atom->nlocal;
  const int num_members = static_cast<int>(members.size());
  std::vector<double> mean(3 * static_cast<std::size_t>(nlocal), 0.0);
  frame.members = num_members;
  frame.member_eps.resize(static_cast<std::size_t>(frame.edges()) * num_members);
  frame.force_spread.assign(nlocal, 0.0);

  for (int m = 0; m <= num_members; m++) {
    member_force.assign(3 * static_cast<std::size_t>(nlocal + atom->nghost), 0.0);
    if (m == 0) {
      evaluate(*model, [this](const E3D::EdgeChunk &chunk, const E3D::ModelOutput &output) {
        scatter(chunk, output);
        add_member_force(chunk, output);
      });
    } else {
      evaluate(*members[m - 1], [this, m, num_members](const E3D::EdgeChunk &chunk,
                                                       const E3D::ModelOutput &output) {
        add_member_force(chunk, output);
        for (int64_t e = 0; e < chunk.num_edges; e++)
          frame.member_eps[(chunk.first_edge + e) * num_members + m - 1] =
              energy_unit * output.edge_energy[e];
      });
    }
    comm->reverse_comm(this);

    for (int i = 0; i < nlocal; i++)
      for (int d = 0; d < 3; d++) {
        const double force = member_force[3 * i + d], delta = force - mean[3 * i + d];
        mean[3 * i + d] += delta / (m + 1);
        frame.force_spread[i] += delta * (force - mean[3 * i + d]);
      }
  }
  for (double &spread : frame.force_spread) spread = std::sqrt(spread / num_models());
}

/* ---------------------------------------------------------------------- */

void PairE3D::add_member_force(const E3D::EdgeChunk &chunk, const E3D::ModelOutput &output)
{
  int64_t e = 0;
  for (int64_t slot = 0; slot < chunk.num_rows; slot++) {
    const int64_t row = chunk.first_row + slot;
    double *fi = &member_force[3 * static_cast<std::size_t>(frame.centre[row])];
    for (int64_t k = frame.offset[row]; k < frame.offset[row + 1]; k++, e++) {
      double *fj = &member_force[3 * static_cast<std::size_t>(frame.neighbour[k])];
      for (int d = 0; d < 3; d++) {
        const double g = energy_unit * output.edge_forces[3 * e + d];
        fi[d] += g;
        fj[d] -= g;
      }
    }
  }
}

/* ---------------------------------------------------------------------- */

int PairE3D::pack_reverse_comm(int n, int first, double *buf)
{
  std::copy_n(&member_force[3 * static_cast<std::size_t>(first)], 3 * n, buf);
  return 3 * n;
}

/* ---------------------------------------------------------------------- */

void PairE3D::unpack_reverse_comm(int n, int *list, double *buf)
{
  for (int k = 0; k < n; k++)
    for (int d = 0; d < 3; d++) member_force[3 * static_cast<std::size_t>(list[k]) + d] += buf[3 * k + d];
}
