/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "edges/committee.h"

#include "model/edge_chunk.h"

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace E3D {

void Committee::begin(EdgeFrame &frame, int num_models, double energy_unit)
{
  frame_ = &frame;
  energy_unit_ = energy_unit;
  model_ = -1;
  frame.members = num_models - 1;
  frame.member_eps.resize(static_cast<std::size_t>(frame.edges()) * frame.members);
  frame.force_spread.assign(frame.nlocal, 0.0);
  mean_.assign(3 * static_cast<std::size_t>(frame.nlocal), 0.0);
}

void Committee::clear(EdgeFrame &frame)
{
  frame.members = 0;
  frame.member_eps.clear();
  frame.force_spread.clear();
}

/* ---------------------------------------------------------------------- */

void Committee::begin_model()
{
  model_++;
  forces_.assign(3 * static_cast<std::size_t>(frame_->nlocal + frame_->nghost), 0.0);
}

/* ---------------------------------------------------------------------- */

void Committee::add(const EdgeChunk &chunk, const ModelOutput &output)
{
  EdgeFrame &frame = *frame_;
  int64_t e = 0;
  for (int64_t slot = 0; slot < chunk.num_rows; slot++) {
    const int64_t row = chunk.first_row + slot;
    double *fi = &forces_[3 * static_cast<std::size_t>(frame.centre[row])];
    for (int64_t k = frame.offset[row]; k < frame.offset[row + 1]; k++, e++) {
      double *fj = &forces_[3 * static_cast<std::size_t>(frame.neighbour[k])];
      for (int d = 0; d < 3; d++) {
        const double g = energy_unit_ * output.edge_forces[3 * e + d];
        fi[d] += g;
        fj[d] -= g;
      }
      if (model_ > 0) frame.member_eps[k * frame.members + model_ - 1] = energy_unit_ * output.edge_energy[e];
    }
  }
}

/* ----------------------------------------------------------------------
   the mean and the spread of the force vector by Welford's recurrence:
   spread^2 = (1/M) sum_m |F_m - mean F|^2
------------------------------------------------------------------------- */

void Committee::end_model()
{
  for (int i = 0; i < frame_->nlocal; i++)
    for (int d = 0; d < 3; d++) {
      const double force = forces_[3 * i + d], delta = force - mean_[3 * i + d];
      mean_[3 * i + d] += delta / (model_ + 1);
      frame_->force_spread[i] += delta * (force - mean_[3 * i + d]);
    }
}

void Committee::end()
{
  for (double &spread : frame_->force_spread) spread = std::sqrt(spread / (model_ + 1));
}

/* ---------------------------------------------------------------------- */

double Committee::memory_usage() const
{
  return static_cast<double>(forces_.capacity() + mean_.capacity()) * sizeof(double);
}

}    // namespace E3D
