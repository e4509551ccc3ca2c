/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "edges/edge_list.h"

#include "model/padded_shape.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

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

  // the neighbours of one centre at a time that are edges, by id of the neighbour and then by distance, so that
  // sums over them have the same bits on any number of ranks

  class Centre {
   public:
    Centre(const NeighborView &neighbors, const TypeTable &types) : neighbors_(neighbors), types_(types) {}

    // local indices of the neighbours of atom i; throws BadEdge
    const std::vector<int> &edges_of(int i)
    {
      collect(i);
      if (rises<false>()) return found_;
      if (!rises<true>()) {
        sort_list(i);
        collect(i);
      }
      if (!rises<false>()) sort_images(i);
      return found_;
    }

   private:
    const NeighborView &neighbors_;
    const TypeTable &types_;
    std::vector<int> found_;
    std::vector<std::pair<LAMMPS_NS::tagint, int>> keys_;

    int index(int entry) const { return entry & neighbors_.neighmask; }

    // No jump depends on a distance: half of them would be guessed wrong.

    void collect(int i)
    {
      const double *cutsq = types_.cutsq_row(neighbors_.type[i]);
      const double *xi = neighbors_.x[i];
      const int *jlist = neighbors_.firstneigh[i];
      const int count = neighbors_.numneigh[i];
      found_.resize(count);
      int n = 0;
      bool bad = false;
      for (int jj = 0; jj < count; jj++) {
        const int j = index(jlist[jj]);
        const double rsq = distance_squared(xi, neighbors_.x[j]);
        const bool outside = rsq >= cutsq[neighbors_.type[j]];    // not if it is NaN
        bad |= !outside & !(rsq > 0.0);
        found_[n] = j;
        n += !outside;
      }
      found_.resize(n);
      if (!bad) return;
      for (const int j : found_)
        if (!(distance_squared(xi, neighbors_.x[j]) > 0.0)) throw BadEdge(i, j);
    }

    template <bool or_the_same> bool rises() const
    {
      bool yes = true;
      for (std::size_t k = 1; k < found_.size(); k++) {
        const auto before = neighbors_.tag[found_[k - 1]], now = neighbors_.tag[found_[k]];
        yes &= or_the_same ? before <= now : before < now;
      }
      return yes;
    }

    // Of the order of a list LAMMPS says nothing, so it is made once for all steps until the next list.

    void sort_list(int i)
    {
      int *jlist = neighbors_.firstneigh[i];
      const int count = neighbors_.numneigh[i];
      keys_.resize(count);
      for (int jj = 0; jj < count; jj++) keys_[jj] = {neighbors_.tag[index(jlist[jj])], jlist[jj]};
      std::sort(keys_.begin(), keys_.end());
      for (int jj = 0; jj < count; jj++) jlist[jj] = keys_[jj].second;
    }

    // several images of an atom, in boxes thinner than the cutoff: their order changes as atoms move

    void sort_images(int i)
    {
      const double *xi = neighbors_.x[i];
      std::sort(found_.begin(), found_.end(), [&](int a, int b) {
        const double *xa = neighbors_.x[a], *xb = neighbors_.x[b];
        return std::make_tuple(neighbors_.tag[a], distance_squared(xi, xa), xa[0], xa[1], xa[2]) <
            std::make_tuple(neighbors_.tag[b], distance_squared(xi, xb), xb[0], xb[1], xb[2]);
      });
    }
  };

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
  Centre centre(neighbors, types);
  int64_t num_edges = 0;
  for (int ii = 0; ii < neighbors.inum; ii++) {
    const int i = neighbors.ilist[ii];
    if (types.model_type(neighbors.type[i]) < 0) continue;
    const std::vector<int> &found = centre.edges_of(i);
    const int64_t end = num_edges + static_cast<int64_t>(found.size());
    if (end <= room) std::copy(found.begin(), found.end(), frame.neighbour.begin() + num_edges);
    num_edges = end;
    frame.centre.push_back(i);
    frame.offset.push_back(num_edges);
  }

  resize_with_slack(frame.neighbour, num_edges);
  resize_with_slack(frame.eps, num_edges);
  resize_with_slack(frame.energy, frame.rows());

  if (num_edges > room)
    for (std::size_t row = 0; row < frame.rows(); row++) {
      const std::vector<int> &found = centre.edges_of(frame.centre[row]);
      std::copy(found.begin(), found.end(), frame.neighbour.begin() + frame.offset[row]);
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

namespace {

  // the edges of a chunk, and one slot for each centre and each type

  void fill_slots(const NeighborView &neighbors, const TypeTable &types, const ChunkRules &rules,
                  const EdgeFrame &frame, EdgeChunk &chunk)
  {
    const int64_t num_rows = chunk.num_rows;
    const ChunkShape shape = rules.form == ChunkForm::RoundedSlots
        ? rounded_shape(chunk.num_edges, num_rows, rules.num_model_types)
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
      const int64_t row = chunk.first_row + slot;
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

  // the edges of a chunk, offsets, and types beside them

  void fill_centres(const NeighborView &neighbors, const TypeTable &types, const EdgeFrame &frame,
                    EdgeChunk &chunk)
  {
    chunk.vectors.require(3 * chunk.num_edges);
    chunk.first.require(chunk.num_rows + 1);
    chunk.centre_types.require(chunk.num_rows);
    chunk.neighbour_types.require(chunk.num_edges);

    double *r = chunk.vectors.data();
    int32_t *neighbour_type = chunk.neighbour_types.data();
    chunk.first[0] = 0;
    for (int64_t c = 0; c < chunk.num_rows; c++) {
      const int64_t row = chunk.first_row + c;
      const int i = frame.centre[row];
      const double *xi = neighbors.x[i];
      chunk.centre_types[c] = types.model_type(neighbors.type[i]);
      chunk.first[c + 1] = frame.offset[row + 1] - chunk.first_edge;
      const int *neighbour = frame.neighbour.data() + chunk.first_edge;
      for (int64_t e = chunk.first[c]; e < chunk.first[c + 1]; e++) {
        const int j = neighbour[e];
        const double *xj = neighbors.x[j];
        for (int d = 0; d < 3; d++) r[3 * e + d] = xj[d] - xi[d];
        neighbour_type[e] = types.model_type(neighbors.type[j]);
      }
    }
  }

}    // namespace

void fill_chunk(const NeighborView &neighbors, const TypeTable &types, const ChunkRules &rules,
                const EdgeFrame &frame, int64_t first_row, int64_t num_rows, EdgeChunk &chunk)
{
  chunk.first_row = first_row;
  chunk.num_rows = num_rows;
  chunk.first_edge = frame.offset[first_row];
  chunk.num_edges = frame.offset[first_row + num_rows] - chunk.first_edge;
  if (rules.form == ChunkForm::Centres)
    fill_centres(neighbors, types, frame, chunk);
  else
    fill_slots(neighbors, types, rules, frame, chunk);
}

}    // namespace E3D
