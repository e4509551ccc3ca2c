/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "edges/edge_list.h"

#include "model/padded_shape.h"

#include <algorithm>
#include <cmath>

namespace E3D {

namespace {

  double distance_squared(const double *a, const double *b)
  {
    const double dx = b[0] - a[0];
    const double dy = b[1] - a[1];
    const double dz = b[2] - a[2];
    return dx * dx + dy * dy + dz * dz;
  }

  // grow geometrically and a little beyond the need, so that fluctuations cost no allocation
  template <typename T> void resize_with_slack(std::vector<T> &v, std::size_t n)
  {
    if (n > v.capacity()) v.reserve(n + n / 16 + 64);
    v.resize(n);
  }

  // the neighbours of atom i that are edges: their number is added to num_edges, which is returned, and they are
  // written behind the first num_edges where these stay within room
  int64_t add_neighbours(const NeighborView &neighbors, const TypeTable &types, int i, int64_t num_edges,
                         int64_t room, int *neighbour)
  {
    const double *cutsq = types.cutsq_row(neighbors.type[i]);
    const int *jlist = neighbors.firstneigh[i];
    const int count = neighbors.numneigh[i];
    for (int jj = 0; jj < count; jj++) {
      const int j = jlist[jj] & neighbors.neighmask;
      if (distance_squared(neighbors.x[i], neighbors.x[j]) >= cutsq[neighbors.type[j]]) continue;
      if (num_edges < room) neighbour[num_edges] = j;
      num_edges++;
    }
    return num_edges;
  }

}    // namespace

TypeTable::TypeTable(const std::vector<int> &map, const std::vector<double> &cutoffs) : map_(map)
{
  const std::size_t width = map.size();
  const auto nmodel = static_cast<std::size_t>(std::lround(std::sqrt(cutoffs.size())));
  cutsq_.assign(width * width, 0.0);
  for (std::size_t i = 1; i < width; i++) {
    for (std::size_t j = 1; j < width; j++) {
      if (map[i] < 0 || map[j] < 0) continue;
      const double c = cutoffs[map[i] * nmodel + map[j]];
      cutsq_[i * width + j] = c * c;
    }
  }
}

double TypeTable::cutoff(int centre_type, int neighbour_type) const
{
  return std::sqrt(cutsq_row(centre_type)[neighbour_type]);
}

void find_edges(const NeighborView &neighbors, const TypeTable &types, EdgeFrame &frame)
{
  frame.centre.clear();
  frame.offset.assign(1, 0);
  if (frame.centre.capacity() < static_cast<std::size_t>(neighbors.inum)) {
    const std::size_t rows = neighbors.inum + neighbors.inum / 16 + 64;
    frame.centre.reserve(rows);
    frame.offset.reserve(rows + 1);
  }

  // The edges are counted, and written while there is room for them: enough after the first step, so that lists
  // are gone through once. Where there is not, a second pass follows, and no array is grown by doubling.

  frame.neighbour.resize(frame.neighbour.capacity());
  const auto room = static_cast<int64_t>(frame.neighbour.size());
  int64_t num_edges = 0;
  for (int ii = 0; ii < neighbors.inum; ii++) {
    const int i = neighbors.ilist[ii];
    if (types.model_type(neighbors.type[i]) < 0) continue;
    num_edges = add_neighbours(neighbors, types, i, num_edges, room, frame.neighbour.data());
    frame.centre.push_back(i);
    frame.offset.push_back(num_edges);
  }

  resize_with_slack(frame.neighbour, num_edges);
  resize_with_slack(frame.eps, num_edges);
  resize_with_slack(frame.energy, frame.rows());

  if (num_edges > room) {
    int64_t e = 0;
    for (const int i : frame.centre)
      e = add_neighbours(neighbors, types, i, e, num_edges, frame.neighbour.data());
  }
}

int64_t rows_in_chunk(const EdgeFrame &frame, int64_t first_row, int64_t max_rows, int64_t max_edges)
{
  const auto left = static_cast<int64_t>(frame.rows()) - first_row;
  if (max_rows > 0) return std::min(max_rows, left);

  const auto begin = frame.offset.begin() + first_row + 1;
  const auto end = std::upper_bound(begin, frame.offset.end(), frame.offset[first_row] + max_edges);
  return std::min(std::max<int64_t>(end - begin, 1), left);
}

int64_t even_edges(const EdgeFrame &frame, int64_t first_row, int64_t max_edges)
{
  // a chunk ends with a whole centre and so stays a little below its share: the last ones must not overflow
  constexpr double FILLED = 0.98;
  const int64_t left = frame.edges() - frame.offset[first_row];
  const auto chunks = std::max<int64_t>(
      static_cast<int64_t>(std::ceil(static_cast<double>(left) / (FILLED * static_cast<double>(max_edges)))),
      1);
  return chunks == 1 ? max_edges : std::min(max_edges, (left + chunks - 1) / chunks);
}

void fill_chunk(const NeighborView &neighbors, const TypeTable &types, const ChunkRules &rules,
                const EdgeFrame &frame, int64_t first_row, int64_t num_rows, EdgeChunk &chunk)
{
  chunk.first_row = first_row;
  chunk.num_rows = num_rows;
  chunk.first_edge = frame.offset[first_row];
  chunk.num_edges = frame.offset[first_row + num_rows] - chunk.first_edge;
  const ChunkShape shape = rules.rounded ? rounded_shape(chunk.num_edges, num_rows, rules.num_model_types)
                                         : exact_shape(chunk.num_edges, num_rows, rules.num_model_types);
  chunk.num_padded = shape.edges;
  chunk.num_slots = shape.slots;

  chunk.vectors.require(3 * chunk.num_padded);
  chunk.index.require(2 * chunk.num_padded);
  chunk.types.require(chunk.num_slots);

  int64_t *centre_slot = chunk.index.data();
  int64_t *neighbour_slot = chunk.index.data() + chunk.num_padded;
  double *r = chunk.vectors.data();
  const int64_t first_padding_slot = num_rows;
  const int64_t first_type_slot = num_rows + shape.padding_slots;

  int64_t e = 0;
  for (int64_t slot = 0; slot < num_rows; slot++) {
    const int64_t row = first_row + slot;
    const int i = frame.centre[row];
    chunk.types[slot] = types.model_type(neighbors.type[i]);
    for (int64_t k = frame.offset[row]; k < frame.offset[row + 1]; k++, e++) {
      const int j = frame.neighbour[k];
      for (int d = 0; d < 3; d++) r[3 * e + d] = neighbors.x[j][d] - neighbors.x[i][d];
      centre_slot[e] = slot;
      neighbour_slot[e] = first_type_slot + types.model_type(neighbors.type[j]);
    }
  }

  // beyond the cutoff everything is exactly 0; a zero length would give NaN forces

  for (int64_t k = 0; e < chunk.num_padded; k++, e++) {
    r[3 * e] = 1.5 * rules.r_max;
    r[3 * e + 1] = r[3 * e + 2] = 0.0;
    centre_slot[e] = first_padding_slot + k / MAX_EDGES_OF_PADDING_SLOT;
    neighbour_slot[e] = first_type_slot;
  }
  std::fill(chunk.types.data() + first_padding_slot, chunk.types.data() + chunk.num_slots, 0);
  for (int t = 0; t < rules.num_model_types; t++) chunk.types[first_type_slot + t] = t;
}

}    // namespace E3D
