/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_COMMITTEE_H
#define E3D_COMMITTEE_H

#include "edges/edge_frame.h"
#include "model/edge_model.h"

#include <vector>

namespace E3D {

struct EdgeChunk;

/* What all models of a committee say of one frame: the spread of the force on each atom, and the edge
   energies of the models beside the first.

   One model after the other, so that memory does not grow with their number except for one energy per edge
   and model: begin(); then for each model begin_model(), add() for each of its chunks, the sum of forces()
   from ghosts to their owners, and end_model(); then end(). */

class Committee {
 public:
  // frame: has its edges, nlocal and nghost; energy_unit: LAMMPS energy units per eV
  void begin(EdgeFrame &frame, int num_models, double energy_unit);
  void begin_model();
  void add(const EdgeChunk &chunk, const ModelOutput &output);
  void end_model();
  // the frame's members, member_eps and force_spread are whole
  void end();

  // (nlocal+nghost, 3) forces by the model of now, LAMMPS force units
  std::vector<double> &forces() { return forces_; }

  // a frame of a step on which only the first model runs
  static void clear(EdgeFrame &frame);

  double memory_usage() const;

 private:
  EdgeFrame *frame_ = nullptr;
  double energy_unit_ = 1.0;
  int model_ = -1;    // 0 is the one that gives the forces of the run
  std::vector<double> forces_;
  std::vector<double> mean_;    // (nlocal, 3) force over the models so far
};

}    // namespace E3D

#endif
