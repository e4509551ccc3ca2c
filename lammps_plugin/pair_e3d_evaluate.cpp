/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

// Part of pair_style e3d: one step, from the neighbour list to what comes back into LAMMPS's arrays.

#include "error_one.h"
#include "pair_e3d.h"

#include "atom.h"
#include "error.h"
#include "update.h"

#include <algorithm>
#include <cstdint>
#include <string>

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

void PairE3D::begin_frame()
{
  frame.step = -1;    // not readable until it is whole
  check_special_neighbours();
  const double t0 = platform::walltime();
  try {
    E3D::find_edges(neighbor_view(), types, frame);
  } catch (const E3D::BadEdge &e) {
    refuse_place(atom->tag[e.centre], atom->tag[e.neighbour]);
  }
  frame.nlocal = atom->nlocal;
  frame.nghost = atom->nghost;
  frame.evaluation++;
  frame.g.resize(keeps_edge_forces ? 3 * static_cast<std::size_t>(frame.edges()) : 0);
  work.edge_seconds += platform::walltime() - t0;
}

/* ---------------------------------------------------------------------- */

void PairE3D::refuse_place(tagint centre, tagint neighbour) const
{
  E3D::error_one(
      lmp, FLERR,
      "pair_style e3d on step {}: atoms {} and {} are at the same place, or the position of one of "
      "them is not "
      "a number: look for atoms on top of each other or a time step that is too long",
      update->ntimestep, centre, neighbour);
}

/* ---------------------------------------------------------------------- */

void PairE3D::end_frame()
{
  frame.step = update->ntimestep;
  work.steps++;
  work.evaluated_edges += frame.edges();
}

/* ---------------------------------------------------------------------- */

void PairE3D::evaluate_first()
{
  E3D::Committee::clear(frame);
  evaluate(*model,
           [this](const E3D::EdgeChunk &chunk, const E3D::ModelOutput &output) { scatter(chunk, output); });
}

/* ----------------------------------------------------------------------
   run a model on all edges of the frame
------------------------------------------------------------------------- */

void PairE3D::evaluate(E3D::EdgeModel &evaluated, const E3D::ChunkedEvaluation::Receiver &receive)
{
  try {
    evaluation.run(evaluated, neighbor_view(), types, frame, receive);
  } catch (const E3D::NotANumber &e) {
    E3D::error_one(
        lmp, FLERR,
        "pair_style e3d on step {}: {} (atom {}); look for atoms on top of each other or a time step "
        "that is too long",
        update->ntimestep, e.what(), atom->tag[frame.centre[e.row]]);
  } catch (const E3D::ModelFailure &e) {
    show_remarks();
    E3D::error_one(lmp, FLERR, "pair_style e3d on step {}: {}", update->ntimestep, e.what());
  }
  show_remarks();
}

/* ---------------------------------------------------------------------- */

void PairE3D::show_remarks()
{
  for (const std::string &remark : evaluation.take_remarks())
    error->warning(FLERR, "pair_style e3d: {}", remark);
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

  if (eflag_global) eng_vdwl += energy_sum;
  if (vflag_global)
    for (int d = 0; d < 6; d++) virial[d] += v_sum[d];
}
