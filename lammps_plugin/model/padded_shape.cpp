/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "model/padded_shape.h"

#include <algorithm>

namespace E3D {

namespace {

  constexpr int64_t MIN_EDGES = 2;      // an exported graph may require them
  constexpr int64_t EDGE_STEPS = 16;    // sizes between one power of two and the next
  constexpr int64_t SLOT_STEPS = 8;

  // the power of two by which n is rounded
  int64_t step_of(int64_t n, int64_t steps)
  {
    int64_t step = 1;
    while (n / step >= 2 * steps) step *= 2;
    return step;
  }

}    // namespace

int64_t rounded_up(int64_t n, int64_t steps)
{
  if (n <= steps) return steps;
  const int64_t step = step_of(n, steps);
  return (n + step - 1) / step * step;
}

int64_t rounded_down(int64_t n, int64_t steps)
{
  if (n <= steps) return n;
  const int64_t step = step_of(n, steps);
  return n / step * step;
}

ChunkShape exact_shape(int64_t num_edges, int64_t num_rows, int64_t num_model_types)
{
  return {std::max(num_edges, MIN_EDGES), 1, num_rows + 1 + num_model_types};
}

ChunkShape rounded_shape(int64_t num_edges, int64_t num_rows, int64_t num_model_types)
{
  const int64_t edges = rounded_up(num_edges, EDGE_STEPS);
  const int64_t padding = edges - num_edges;
  const int64_t padding_slots =
      std::max<int64_t>(1, (padding + MAX_EDGES_OF_PADDING_SLOT - 1) / MAX_EDGES_OF_PADDING_SLOT);
  return {edges, padding_slots, rounded_up(num_rows + padding_slots + num_model_types, SLOT_STEPS)};
}

int64_t edges_of_full_chunk(int64_t max_edges)
{
  return rounded_down(max_edges, EDGE_STEPS);
}

}    // namespace E3D
