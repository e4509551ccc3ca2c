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

// edges of a chunk with "chunk auto", for each thread: the features of 32 channels and l_max 2 then fit into
// a core's cache. Measured flat from 200 to 2,000; a constant, so that runs can be repeated to the last bit
static constexpr int64_t CHUNK_EDGES_CPU = 1000;
// on a GPU as many as a few GB hold (not measured)
static constexpr int64_t CHUNK_EDGES_GPU = 200000;

/* ----------------------------------------------------------------------
   run a model on all chunks of the frame. A chunk that fails is tried again at half its size, and so
   are all that follow: memory that does not suffice ends no run, as long as a single centre fits.
   (Why a compiled model failed is not told; an error of another kind fails at any size.)
------------------------------------------------------------------------- */

void PairE3D::evaluate(E3D::EdgeModel &evaluated, const Receiver &receive)
{
  const E3D::NeighborView neighbors = neighbor_view();
  const auto &metadata = model->metadata();
  const int num_model_types = static_cast<int>(metadata.type_names.size());
  const int64_t auto_edges = model->device() == "cpu" ? CHUNK_EDGES_CPU * threads : CHUNK_EDGES_GPU;

  const auto num_rows = static_cast<int64_t>(frame.rows());
  for (int64_t row = 0; row < num_rows; row += chunk.num_rows) {
    double t0 = platform::walltime();
    int64_t rows = E3D::rows_in_chunk(frame, row, chunk_centres, auto_edges);
    if (largest_chunk > 0) rows = std::min(rows, largest_chunk);
    E3D::fill_chunk(neighbors, types, num_model_types, metadata.r_max, frame, row, rows, chunk);
    double t1 = platform::walltime();
    seconds.edges += t1 - t0;

    E3D::ModelOutput output{};
    bool shrunk = false;
    while (true) {
      try {
        output = evaluated.evaluate(chunk);
        break;
      } catch (const std::exception &e) {
        if (chunk.num_rows == 1)
          error->one(FLERR, "pair_style e3d on step {}: {}", update->ntimestep, e.what());
        largest_chunk = chunk.num_rows / 2;
        E3D::fill_chunk(neighbors, types, num_model_types, metadata.r_max, frame, row, largest_chunk, chunk);
        shrunk = true;
      }
    }
    if (shrunk)
      error->warning(FLERR, "pair_style e3d: the model failed on larger chunks, probably for want of memory; "
                     "going on with 'chunk {}'", largest_chunk);
    t0 = platform::walltime();
    seconds.copy += output.copy_seconds;
    seconds.model += t0 - t1 - output.copy_seconds;

    receive(output);
    seconds.scatter += platform::walltime() - t0;
  }
}

/* ----------------------------------------------------------------------
   add a chunk's energies, forces and virials to those of LAMMPS, and its epsilon (and g) to the frame

   F_i = sum_j (g_ij - g_ji), and the virial -r_ij (x) g_ij of an edge belongs to its neighbour atom,
   position index first: with it compute heat/flux is exact (ARCHITECTURE section 1)
------------------------------------------------------------------------- */

void PairE3D::scatter(const E3D::ModelOutput &output)
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
