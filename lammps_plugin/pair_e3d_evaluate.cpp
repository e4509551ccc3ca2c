/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

// Part of pair_style e3d: the model on chunks of centres, and what comes back into LAMMPS's arrays.

#include "pair_e3d.h"

#include "atom.h"
#include "error.h"
#include "update.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <exception>
#include <string>

using namespace LAMMPS_NS;

/* ----------------------------------------------------------------------
   buffers for the chunks that may be under way at once; all models of a committee run on one kind of device
------------------------------------------------------------------------- */

void PairE3D::make_lanes()
{
  const E3D::ChunkPlan plan = model->chunk_plan();
  lanes.clear();
  for (int lane = 0; lane < plan.lanes; lane++) lanes.emplace_back(plan.memory);
  rounded_chunks = plan.rounded;
}

/* ---------------------------------------------------------------------- */

double PairE3D::chunk_bytes() const
{
  double bytes = 0.0;
  for (const auto &chunk : lanes)
    bytes += static_cast<double>(chunk.vectors.capacity()) * sizeof(double) +
        static_cast<double>(chunk.index.capacity() + chunk.types.capacity()) * sizeof(int64_t);
  return bytes;
}

/* ----------------------------------------------------------------------
   run a model on all chunks of the frame. Results are received in the order of the rows; with more than one
   lane, while the device works on the chunks that follow
------------------------------------------------------------------------- */

void PairE3D::evaluate(E3D::EdgeModel &evaluated, const Receiver &receive)
{
  const int num_lanes = static_cast<int>(lanes.size());
  const auto num_rows = static_cast<int64_t>(frame.rows());
  int next = 0, under_way = 0;    // lane to start; lanes before it that are not finished
  for (int64_t row = 0; row < num_rows; row += lanes[next].num_rows, next = (next + 1) % num_lanes) {
    const double t0 = platform::walltime();
    int64_t edges = evaluated.auto_edges();
    if (rounded_chunks) edges = E3D::even_edges(frame, row, edges);
    int64_t rows = E3D::rows_in_chunk(frame, row, chunk_centres, edges);
    if (largest_chunk > 0) rows = std::min(rows, largest_chunk);
    seconds.edges += platform::walltime() - t0;

    if (under_way == num_lanes) finish_chunk(evaluated, receive, next), under_way--;
    start_chunk(evaluated, receive, row, rows, next, under_way);
    under_way++;
  }
  finish_chunks(evaluated, receive, next, under_way);

  const std::string remark = evaluated.take_remark();
  if (!remark.empty()) error->warning(FLERR, "pair_style e3d: {}", remark);
}

/* ----------------------------------------------------------------------
   A chunk that fails is tried again at half its size, and so are all that follow: memory that does not
   suffice ends no run, as long as a single centre fits. (Why a compiled model failed is not told; an error
   of another kind fails at any size.)
------------------------------------------------------------------------- */

void PairE3D::start_chunk(E3D::EdgeModel &evaluated, const Receiver &receive, int64_t row, int64_t rows,
                          int lane, int &under_way)
{
  const E3D::NeighborView neighbors = neighbor_view();
  const auto &metadata = model->metadata();
  const E3D::ChunkRules rules = {static_cast<int>(metadata.type_names.size()), metadata.r_max, rounded_chunks};
  E3D::EdgeChunk &chunk = lanes[lane];

  bool shrunk = false;
  while (true) {
    const double t0 = platform::walltime();
    try {
      E3D::fill_chunk(neighbors, types, rules, frame, row, rows, chunk);
      const double t1 = platform::walltime();
      seconds.edges += t1 - t0;
      evaluated.start(chunk, lane);
      seconds.model += platform::walltime() - t1;
      break;
    } catch (const std::exception &e) {
      if (rows == 1) error->one(FLERR, "pair_style e3d on step {}: {}", update->ntimestep, e.what());
      finish_chunks(evaluated, receive, lane, under_way);
      largest_chunk = rows / 2;
      rows = largest_chunk;
      shrunk = true;
    }
  }
  if (shrunk)
    error->warning(FLERR, "pair_style e3d: the model failed on larger chunks, probably for want of memory; "
                   "going on with 'chunk {}'", largest_chunk);
}

/* ----------------------------------------------------------------------
   finish the chunks under way, which are the ones before lane "next", oldest first
------------------------------------------------------------------------- */

void PairE3D::finish_chunks(E3D::EdgeModel &evaluated, const Receiver &receive, int next, int &under_way)
{
  const int num_lanes = static_cast<int>(lanes.size());
  for (; under_way > 0; under_way--)
    finish_chunk(evaluated, receive, (next - under_way + num_lanes) % num_lanes);
}

/* ---------------------------------------------------------------------- */

void PairE3D::finish_chunk(E3D::EdgeModel &evaluated, const Receiver &receive, int lane)
{
  const double t0 = platform::walltime();
  E3D::ModelOutput output{};
  try {
    output = evaluated.finish(lane);
  } catch (const std::exception &e) {
    error->one(FLERR, "pair_style e3d on step {}: {}", update->ntimestep, e.what());
  }
  const double t1 = platform::walltime();
  seconds.copy += output.copy_seconds;
  seconds.model += t1 - t0 - output.copy_seconds;

  receive(lanes[lane], output);
  seconds.scatter += platform::walltime() - t1;
}

/* ----------------------------------------------------------------------
   add a chunk's energies, forces and virials to those of LAMMPS, and its epsilon (and g) to the frame

   F_i = sum_j (g_ij - g_ji), and the virial -r_ij (x) g_ij of an edge belongs to its neighbour atom,
   position index first: with it compute heat/flux is exact (ARCHITECTURE section 1)
------------------------------------------------------------------------- */

void PairE3D::scatter(const E3D::EdgeChunk &chunk, const E3D::ModelOutput &output)
{
  double **f = atom->f;
  double energy_sum = 0.0;
  double v_sum[6] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0};

  int64_t e = 0;
  for (int64_t slot = 0; slot < chunk.num_rows; slot++) {
    const int64_t row = chunk.first_row + slot;
    const int i = frame.centre[row];
    const double u = energy_unit * output.atomic_energy[slot];
    frame.energy[row] = u;
    energy_sum += u;
    if (eflag_atom) eatom[i] += u;

    double fi[3] = {0.0, 0.0, 0.0};
    for (int64_t k = frame.offset[row]; k < frame.offset[row + 1]; k++, e++) {
      const int j = frame.neighbour[k];
      const double *r = &chunk.vectors[3 * e];
      const double g[3] = {energy_unit * output.edge_forces[3 * e],
                           energy_unit * output.edge_forces[3 * e + 1],
                           energy_unit * output.edge_forces[3 * e + 2]};
      frame.eps[k] = energy_unit * output.edge_energy[e];
      for (int d = 0; d < 3; d++) {
        fi[d] += g[d];
        f[j][d] -= g[d];
      }
      if (keeps_edge_forces) std::copy_n(g, 3, &frame.g[3 * static_cast<std::size_t>(k)]);
      if (!vflag_either) continue;

      const double v[6] = {-r[0] * g[0],
                           -r[1] * g[1],
                           -r[2] * g[2],
                           -0.5 * (r[0] * g[1] + r[1] * g[0]),
                           -0.5 * (r[0] * g[2] + r[2] * g[0]),
                           -0.5 * (r[1] * g[2] + r[2] * g[1])};
      if (vflag_global)
        for (int d = 0; d < 6; d++) v_sum[d] += v[d];
      if (vflag_atom)
        for (int d = 0; d < 6; d++) vatom[j][d] += v[d];
      if (cvflag_atom) {
        const double w[9] = {v[0],         v[1],         v[2],         -r[0] * g[1], -r[0] * g[2],
                             -r[1] * g[2], -r[1] * g[0], -r[2] * g[0], -r[2] * g[1]};
        for (int d = 0; d < 9; d++) cvatom[j][d] += w[d];
      }
    }
    for (int d = 0; d < 3; d++) f[i][d] += fi[d];
  }

  if (!std::isfinite(energy_sum))
    error->one(FLERR, "pair_style e3d on step {}: the model returned an energy that is not a number; "
               "look for atoms on top of each other or a time step that is too long", update->ntimestep);
  if (eflag_global) eng_vdwl += energy_sum;
  if (vflag_global)
    for (int d = 0; d < 6; d++) virial[d] += v_sum[d];
}
