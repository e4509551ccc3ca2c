/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_EDGE_CHUNK_H
#define E3D_EDGE_CHUNK_H

#include "model/staging_array.h"

#include <cstdint>

namespace E3D {

/* How a model takes its chunks.

   By slots: the contract e3d/1 of model files that torch runs (ARCHITECTURE section 3). Slots: centres 0..n-1, one
   or more padding centres, one slot per model type, and unused ones. A neighbour's slot matters only through its
   type, so all neighbours of a type share one and none is copied.

   By centres: what the native engine takes. Edges of each centre by offsets, and the types beside them. */

enum class ChunkForm {
  Slots,           // no larger than they must be
  RoundedSlots,    // of few shapes (model/padded_shape.h)
  Centres,
};

/* One chunk of consecutive centres, in one of these forms. */

struct EdgeChunk {
  explicit EdgeChunk(HostMemory memory = plain_memory()) :
      vectors(memory), index(memory), types(memory), first(memory), centre_types(memory),
      neighbour_types(memory)
  {
  }

  int64_t first_row = 0, num_rows = 0;      // rows of the frame
  int64_t first_edge = 0, num_edges = 0;    // edges of the frame
  StagingArray<double> vectors;             // (num_edges, or num_padded, 3) r_ij, Angstrom

  // by slots
  int64_t num_padded = 0;         // num_edges plus padding edges, at least 2
  int64_t num_slots = 0;          // all slots
  StagingArray<int64_t> index;    // (2, num_padded) centre slots, neighbour slots
  StagingArray<int64_t> types;    // (num_slots) model types

  // by centres
  StagingArray<int64_t> first;              // (num_rows+1) edges of centre c are first[c] <= e < first[c+1]
  StagingArray<int32_t> centre_types;       // (num_rows) model types
  StagingArray<int32_t> neighbour_types;    // (num_edges) model types

  double memory_usage() const
  {
    return static_cast<double>(vectors.capacity()) * sizeof(double) +
        static_cast<double>(index.capacity() + types.capacity() + first.capacity()) * sizeof(int64_t) +
        static_cast<double>(centre_types.capacity() + neighbour_types.capacity()) * sizeof(int32_t);
  }
};

}    // namespace E3D

#endif
