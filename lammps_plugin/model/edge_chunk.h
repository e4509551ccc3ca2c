/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_EDGE_CHUNK_H
#define E3D_EDGE_CHUNK_H

#include "model/staging_array.h"

#include <cstdint>

namespace E3D {

/* One chunk of consecutive centres in the form that the model takes (ARCHITECTURE section 3).

   Slots: centres 0..n-1, one or more padding centres, one slot per model type, and unused ones. A
   neighbour's slot matters only through its type, so all neighbours of a type share one and none is
   copied. */

struct EdgeChunk {
  explicit EdgeChunk(HostMemory memory = plain_memory()) : vectors(memory), index(memory), types(memory) {}

  int64_t first_row = 0, num_rows = 0;      // rows of the frame
  int64_t first_edge = 0, num_edges = 0;    // edges of the frame
  int64_t num_padded = 0;                   // num_edges plus padding edges, at least 2
  int64_t num_slots = 0;                    // all slots
  StagingArray<double> vectors;             // (num_padded, 3) r_ij, Angstrom
  StagingArray<int64_t> index;              // (2, num_padded) centre slots, neighbour slots
  StagingArray<int64_t> types;              // (num_slots) model types
};

}    // namespace E3D

#endif
