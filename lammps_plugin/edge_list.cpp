/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "edge_list.h"

#include <algorithm>
#include <cmath>

namespace E3D {

namespace {

  // an exported graph may require at least two edges
  constexpr int64_t MIN_EDGES = 2;

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

  // two passes: the first sizes the arrays exactly, so that none is grown by doubling

  int64_t num_edges = 0;
  for (int ii = 0; ii < neighbors.inum; ii++) {
    const int i = neighbors.ilist[ii];
    if (types.model_type(neighbors.type[i]) < 0) continue;
    const double *cutsq = types.cutsq_row(neighbors.type[i]);
    const int *jlist = neighbors.firstneigh[i];
    for (int jj = 0; jj < neighbors.numneigh[i]; jj++) {
      const int j = jlist[jj] & neighbors.neighmask;
      if (distance_squared(neighbors.x[i], neighbors.x[j]) < cutsq[neighbors.type[j]]) num_edges++;
    }
    frame.centre.push_back(i);
    frame.offset.push_back(num_edges);
  }

  resize_with_slack(frame.neighbour, num_edges);
  resize_with_slack(frame.eps, num_edges);
  resize_with_slack(frame.energy, frame.rows());

  int64_t e = 0;
  for (const int i : frame.centre) {
    const double *cutsq = types.cutsq_row(neighbors.type[i]);
    const int *jlist = neighbors.firstneigh[i];
    for (int jj = 0; jj < neighbors.numneigh[i]; jj++) {
      const int j = jlist[jj] & neighbors.neighmask;
      if (distance_squared(neighbors.x[i], neighbors.x[j]) < cutsq[neighbors.type[j]])
        frame.neighbour[e++] = j;
    }
  }
}

int64_t rows_in_chunk(const EdgeFrame &frame, int64_t first_row, int64_t max_rows,
                      int64_t max_edges)
{
  const auto left = static_cast<int64_t>(frame.rows()) - first_row;
  if (max_rows > 0) return std::min(max_rows, left);

  const auto begin = frame.offset.begin() + first_row + 1;
  const auto end = std::upper_bound(begin, frame.offset.end(), frame.offset[first_row] + max_edges);
  return std::min(std::max<int64_t>(end - begin, 1), left);
}

void fill_chunk(const NeighborView &neighbors, const TypeTable &types, int num_model_types,
                double r_max, const EdgeFrame &frame, int64_t first_row, int64_t num_rows,
                EdgeChunk &chunk)
{
  chunk.first_row = first_row;
  chunk.num_rows = num_rows;
  chunk.first_edge = frame.offset[first_row];
  chunk.num_edges = frame.offset[first_row + num_rows] - chunk.first_edge;
  chunk.num_padded = std::max(chunk.num_edges, MIN_EDGES);
  chunk.num_slots = num_rows + 1 + num_model_types;

  resize_with_slack(chunk.vectors, 3 * chunk.num_padded);
  resize_with_slack(chunk.index, 2 * chunk.num_padded);
  resize_with_slack(chunk.types, chunk.num_slots);

  int64_t *centre_slot = chunk.index.data();
  int64_t *neighbour_slot = chunk.index.data() + chunk.num_padded;
  double *r = chunk.vectors.data();
  const int64_t padding_slot = num_rows;
  const int64_t first_type_slot = num_rows + 1;

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

  for (; e < chunk.num_padded; e++) {
    r[3 * e] = 1.5 * r_max;
    r[3 * e + 1] = r[3 * e + 2] = 0.0;
    centre_slot[e] = padding_slot;
    neighbour_slot[e] = first_type_slot;
  }
  chunk.types[padding_slot] = 0;
  for (int t = 0; t < num_model_types; t++) chunk.types[first_type_slot + t] = t;
}

}    // namespace E3D
