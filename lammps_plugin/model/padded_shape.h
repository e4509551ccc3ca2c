/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_PADDED_SHAPE_H
#define E3D_PADDED_SHAPE_H

#include <cstdint>

namespace E3D {

/* How large the tensors of a chunk are. Slots: centres, then padding centres, which hold the padding edges,
   then one slot for each model type, then slots that nobody uses (ARCHITECTURE section 3). */

struct ChunkShape {
  int64_t edges;            // with the padding edges
  int64_t padding_slots;    // at least one
  int64_t slots;            // all of them
};

/* The smallest shape that a model takes. */

ChunkShape exact_shape(int64_t num_edges, int64_t num_rows, int64_t num_model_types);

/* One of few shapes, so that a GPU can replay the work it has recorded for that shape. At most 1/16 of the
   edges and 1/8 of the slots are there for nothing; a padding slot holds at most
   MAX_EDGES_OF_PADDING_SLOT edges, so that no padding centre is larger than a real one. */

constexpr int64_t MAX_EDGES_OF_PADDING_SLOT = 32;
ChunkShape rounded_shape(int64_t num_edges, int64_t num_rows, int64_t num_model_types);

/* n rounded to m 2^k with steps <= m < 2 steps: up, and down. Numbers below steps become steps, and stay. */

int64_t rounded_up(int64_t n, int64_t steps);
int64_t rounded_down(int64_t n, int64_t steps);

/* The largest number of edges, up to max_edges, that rounding leaves as it is. */

int64_t edges_of_full_chunk(int64_t max_edges);

}    // namespace E3D

#endif
