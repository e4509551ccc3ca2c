/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_EDGE_FRAME_H
#define E3D_EDGE_FRAME_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace E3D {

/* The directed edges of one rank on one step, as pair style e3d left them.

   The pair style is the only writer. Computes and fixes read it, and check with is_current() that
   it belongs to the atoms they see. Edges are sorted by centre: those of row k are
   offset[k] <= e < offset[k+1]. Edge vectors are not kept: r_ij = x[neighbour] - x[centre]. */

struct EdgeFrame {
  int64_t step = -1;         // timestep on which the model ran, -1 before the first
  int nlocal = 0;            // owned atoms of that step
  int nghost = 0;            // ghost atoms of that step
  int64_t evaluation = 0;    // counts the runs of the model, several of which may be of one step

  std::vector<int> centre;        // (rows)    local index of the centre atom
  std::vector<int64_t> offset;    // (rows+1)  first edge of each row
  std::vector<int> neighbour;     // (edges)   local index of the neighbour atom, may be a ghost
  std::vector<double> eps;        // (edges)   epsilon_ij, LAMMPS energy units
  std::vector<double> energy;     // (rows)    U_i = sum_j epsilon_ij + mu_i, LAMMPS energy units
  std::vector<double> g;          // (edges, 3) g_ij = dU_i/dr_ij, LAMMPS force units; empty unless a
                                  // style has subscribed to it (PairE3D::subscribe_edge_forces)

  // of a committee step, empty on others
  int members = 0;                     // models beside the first
  std::vector<double> member_eps;      // (edges, members) epsilon_ij of these, LAMMPS energy units
  std::vector<double> force_spread;    // (nlocal) standard deviation of the force over all models

  std::size_t rows() const { return centre.size(); }
  int64_t edges() const { return offset.empty() ? 0 : offset.back(); }

  bool is_current(int64_t ntimestep, int nlocal_now, int nghost_now) const
  {
    return step == ntimestep && nlocal == nlocal_now && nghost == nghost_now;
  }

  double memory_usage() const
  {
    return static_cast<double>(centre.capacity() + neighbour.capacity()) * sizeof(int) +
        static_cast<double>(offset.capacity()) * sizeof(int64_t) +
        static_cast<double>(eps.capacity() + energy.capacity() + g.capacity() + member_eps.capacity() +
                            force_spread.capacity()) *
        sizeof(double);
  }
};

}    // namespace E3D

#endif
