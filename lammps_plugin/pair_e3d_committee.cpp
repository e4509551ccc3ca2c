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

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

void PairE3D::load_members(int num_files, char **files)
{
  const auto &first = model->metadata();
  for (int k = 0; k < num_files; k++) {
    members.push_back(load_model(files[k]));
    // a model that takes one chunk at a time would lose all but the last of those that another keeps under way
    if (members.back()->chunk_plan().lanes != evaluation.lanes())
      error->all(FLERR,
                 "pair_style e3d committee: {} runs on {}, {} on {}: all models of a committee must run on "
                 "the same kind of device: give it with 'pair_style e3d device ...', or export them for one",
                 files[k], members.back()->device(), model_file, model->device());
    const auto &other = members.back()->metadata();
    if (other.type_names != first.type_names || other.type_elements != first.type_elements ||
        other.cutoffs != first.cutoffs || other.decomposition != first.decomposition)
      error->all(FLERR,
                 "pair_style e3d committee: {} has other types, cutoffs or another decomposition than "
                 "{}: all models of a committee must have the same ('e3d inspect FILE' shows them)",
                 files[k], model_file);
  }
}

/* ----------------------------------------------------------------------
   multiples of K, and the first and the last step of a run, of which LAMMPS always prints thermo output
------------------------------------------------------------------------- */

bool PairE3D::is_committee_step() const
{
  if (every == 0) return false;
  const bigint step = update->ntimestep;
  const bool minimized_early = update->whichflag == 2 && output->next_thermo == step;
  return step % every == 0 || step == update->firststep || step == update->laststep || minimized_early;
}

/* ---------------------------------------------------------------------- */

void PairE3D::require_committee(const std::string &requested_by) const
{
  if (every == 0)
    error->all(FLERR,
               "{}: the spread of a committee needs 'pair_style e3d committee K' and more than one "
               "model in pair_coeff",
               requested_by);
  if (frame.members == 0)
    error->all(FLERR,
               "{}: on step {} only the first model ran; the committee runs on multiples of {}, and on "
               "the first and the last step of a run: ask for its spread on those, or change 'pair_style e3d "
               "committee {}'",
               requested_by, update->ntimestep, every, every);
}

/* ----------------------------------------------------------------------
   run all models; the forces of each are summed over ranks by a reverse communication of its own
------------------------------------------------------------------------- */

void PairE3D::evaluate_committee()
{
  committee.begin(frame, num_models(), energy_unit);
  for (int m = 0; m < num_models(); m++) {
    committee.begin_model();
    evaluate(m == 0 ? *model : *members[m - 1],
             [this, m](const E3D::EdgeChunk &chunk, const E3D::ModelOutput &output) {
               if (m == 0) scatter(chunk, output);
               committee.add(chunk, output);
             });
    comm->reverse_comm(this);
    committee.end_model();
  }
  committee.end();
}

/* ---------------------------------------------------------------------- */

int PairE3D::pack_reverse_comm(int n, int first, double *buf)
{
  std::copy_n(&committee.forces()[3 * static_cast<std::size_t>(first)], 3 * n, buf);
  return 3 * n;
}

/* ---------------------------------------------------------------------- */

void PairE3D::unpack_reverse_comm(int n, int *list, double *buf)
{
  std::vector<double> &forces = committee.forces();
  for (int k = 0; k < n; k++)
    for (int d = 0; d < 3; d++) forces[3 * static_cast<std::size_t>(list[k]) + d] += buf[3 * k + d];
}
