// Directed edges to pairs: an edge and its partner have swapped ids and opposite vectors.

#include "edge_kernel.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <new>
#include <tuple>
#include <utility>
#include <vector>

namespace {

// An edge that may lie within the bond cutoff, seen from its pair's first atom.
struct Oriented {
  std::uint64_t ids;     // equal for equal pairs of atoms, ascending by (first, second)
  std::int64_t place;    // row of the edge, doubled; odd where the edge starts at the first atom

  std::int64_t row() const { return place >> 1; }
  bool is_forward() const { return place & 1; }
};

using Vector = std::array<double, 3>;

// Images of the same atoms follow each other by their projection on this direction.
constexpr Vector image_axis = {0.5377, 0.6142, 0.5776};
constexpr double axis_length = 1.0003;    // a little more than its length

int bits_of(std::uint64_t number)
{
  int bits = 0;
  for (; number; number >>= 1) ++bits;
  return bits;
}

// Stable sort by `bits` bits from `shift` on, digit by digit.
void sort_by_bits(std::vector<Oriented> &edges, std::vector<Oriented> &other, int shift, int bits)
{
  constexpr int widest = 11;
  const int passes = (bits + widest - 1) / widest;
  if (passes == 0) return;
  const int width = (bits + passes - 1) / passes;
  const std::uint64_t mask = (std::uint64_t(1) << width) - 1;
  std::vector<std::size_t> start(mask + 1);
  for (int pass = 0; pass < passes; ++pass, shift += width) {
    std::fill(start.begin(), start.end(), 0);
    for (const Oriented &edge : edges) ++start[edge.ids >> shift & mask];
    std::size_t sum = 0;
    for (std::size_t &count : start) sum += std::exchange(count, sum);
    for (const Oriented &edge : edges) other[start[edge.ids >> shift & mask]++] = edge;
    edges.swap(other);
  }
}

class Pairer {
 public:
  Pairer(const e3d_edges &edges, const e3d_pair_rules &rules, const e3d_pairs &out, e3d_pair_report &report) :
      edges_(edges), rules_(rules), out_(out), report_(report)
  {
  }

  void run()
  {
    if (!types_are_known()) return;
    orient();
    if (edges_.eps_back && report_.error != e3d_pair_ok) return;
    sort();
    for (std::size_t first = 0; first < near_.size();) {
      std::size_t end = first + 1;
      while (end < near_.size() && near_[end].ids == near_[first].ids) ++end;
      if (end - first == 1) {
        emit(near_[first], nullptr);
      } else {
        take_images(first, end);
      }
      first = end;
    }
  }

 private:
  bool types_are_known()
  {
    std::int32_t low = 1, high = 1;
    for (std::int64_t row = 0; row < edges_.count; ++row) {
      low = std::min({low, edges_.type_i[row], edges_.type_j[row]});
      high = std::max({high, edges_.type_i[row], edges_.type_j[row]});
    }
    report_.low_type = low;
    report_.high_type = high;
    if (low >= 1 && high <= rules_.n_types) return true;
    report_.error = e3d_pair_bad_type;
    return false;
  }

  // The edges that may lie within the bond cutoff: a margin, because partners differ by rounding.
  void orient()
  {
    const std::int32_t n = rules_.n_types;
    std::vector<double> reach(n * n, std::numeric_limits<double>::infinity());
    if (rules_.bond) {
      for (std::int32_t k = 0; k < n * n; ++k) {
        const double limit = rules_.bond[k] + rules_.tolerance;
        reach[k] = limit * limit;
      }
    }
    lowest_ = std::numeric_limits<std::int64_t>::max();
    highest_ = std::numeric_limits<std::int64_t>::min();
    near_.reserve(rules_.bond ? edges_.count / 4 : edges_.count);
    for (std::int64_t row = 0; row < edges_.count; ++row) {
      const std::int32_t type_i = edges_.type_i[row] - 1, type_j = edges_.type_j[row] - 1;
      const double *const r = edges_.vec + 3 * row;
      if (rules_.bond && !(r[0] * r[0] + r[1] * r[1] + r[2] * r[2] <= reach[type_i * n + type_j])) continue;
      const std::int64_t i = edges_.i[row], j = edges_.j[row];
      const bool forward = is_forward(rules_.rank[type_i], rules_.rank[type_j], i, j, r);
      if (edges_.eps_back && !forward && rules_.rank[type_i] != rules_.rank[type_j]) {
        if (report_.bad_count++ == 0) {
          report_.error = e3d_pair_swapped;
          report_.bad_i = j;
          report_.bad_j = i;
        }
      }
      lowest_ = std::min({lowest_, i, j});
      highest_ = std::max({highest_, i, j});
      near_.push_back({0, 2 * row + forward});
    }
  }

  bool is_forward(std::int32_t rank_i, std::int32_t rank_j, std::int64_t i, std::int64_t j,
                  const double *r) const
  {
    if (rank_i != rank_j) return rank_i < rank_j;
    if (i != j) return i < j;
    int sign = 0;    // an atom and its own image
    for (int axis = 0; axis < 3; ++axis)
      if (!(std::fabs(r[axis]) <= rules_.tolerance)) sign += r[axis] > 0.0 ? 1 << axis : -(1 << axis);
    return sign > 0;
  }

  void sort()
  {
    if (near_.empty()) return;
    const std::uint64_t range = static_cast<std::uint64_t>(highest_) - static_cast<std::uint64_t>(lowest_);
    std::uint64_t largest = range;
    if (range >> 32 == 0) {
      for (Oriented &edge : near_) edge.ids = key(edge, [this](std::int64_t id) { return id - lowest_; });
    } else {
      std::vector<std::int64_t> known;
      known.reserve(2 * near_.size());
      for (const Oriented &edge : near_) {
        known.push_back(edges_.i[edge.row()]);
        known.push_back(edges_.j[edge.row()]);
      }
      std::sort(known.begin(), known.end());
      known.erase(std::unique(known.begin(), known.end()), known.end());
      largest = known.size() - 1;
      const auto number = [&known](std::int64_t id) {
        return std::lower_bound(known.begin(), known.end(), id) - known.begin();
      };
      for (Oriented &edge : near_) edge.ids = key(edge, number);
    }
    std::vector<Oriented> other(near_.size());
    const int bits = bits_of(largest);
    sort_by_bits(near_, other, 0, bits);
    sort_by_bits(near_, other, 32, bits);
  }

  template <class Number> std::uint64_t key(const Oriented &edge, const Number &number) const
  {
    std::uint64_t first = number(edges_.i[edge.row()]), second = number(edges_.j[edge.row()]);
    if (!edge.is_forward()) std::swap(first, second);
    return first << 32 | second;
  }

  Vector vector(const Oriented &edge) const
  {
    const double *const r = edges_.vec + 3 * edge.row();
    const double sign = edge.is_forward() ? 1.0 : -1.0;
    return {sign * r[0], sign * r[1], sign * r[2]};
  }

  bool is_same_image(const Oriented &a, const Oriented &b) const
  {
    const Vector u = vector(a), v = vector(b);
    const double x = u[0] - v[0], y = u[1] - v[1], z = u[2] - v[2];
    return x * x + y * y + z * z <= rules_.tolerance * rules_.tolerance;
  }

  // Several edges between the same two atoms: partners, and other images of them.
  void take_images(std::size_t first, std::size_t end)
  {
    if (end - first == 2 && is_same_image(near_[first], near_[first + 1])) {
      take_image({near_[first], near_[first + 1]});
      return;
    }
    std::vector<std::pair<double, Oriented>> sorted;
    for (std::size_t k = first; k < end; ++k) {
      const Vector r = vector(near_[k]);
      sorted.emplace_back(r[0] * image_axis[0] + r[1] * image_axis[1] + r[2] * image_axis[2], near_[k]);
    }
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto &a, const auto &b) { return a.first < b.first; });
    const double reach = axis_length * rules_.tolerance;
    std::vector<bool> is_taken(sorted.size());
    std::vector<Oriented> image;
    for (std::size_t k = 0; k < sorted.size(); ++k) {
      if (is_taken[k]) continue;
      image.assign(1, sorted[k].second);
      for (std::size_t m = k + 1; m < sorted.size() && sorted[m].first - sorted[k].first <= reach; ++m) {
        if (is_taken[m] || !is_same_image(sorted[k].second, sorted[m].second)) continue;
        is_taken[m] = true;
        image.push_back(sorted[m].second);
      }
      take_image(image);
    }
  }

  void take_image(const std::vector<Oriented> &image)
  {
    const bool is_pair =
        image.size() == 2 && image[0].is_forward() != image[1].is_forward() && !edges_.eps_back;
    if (image.size() == 1) {
      emit(image[0], nullptr);
    } else if (is_pair) {
      const int forward = image[0].is_forward() ? 0 : 1;
      emit(image[forward], &image[1 - forward]);
    } else if (report_.error != e3d_pair_twice) {
      report_.error = e3d_pair_twice;
      report_.bad_count = 1;
      std::tie(report_.bad_i, report_.bad_j) = ids(image[0]);
    } else {
      ++report_.bad_count;
    }
  }

  std::pair<std::int64_t, std::int64_t> ids(const Oriented &edge) const
  {
    const std::int64_t i = edges_.i[edge.row()], j = edges_.j[edge.row()];
    return edge.is_forward() ? std::make_pair(i, j) : std::make_pair(j, i);
  }

  // One pair, if it lies within the bond cutoff. Its own edge decides the distance.
  void emit(const Oriented &own, const Oriented *partner)
  {
    const std::int64_t row = own.row();
    const std::int32_t n = rules_.n_types;
    const std::int32_t type_i = edges_.type_i[row] - 1, type_j = edges_.type_j[row] - 1;
    const Vector r = vector(own);
    const double distance = std::sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]);
    const bool forward = own.is_forward();
    const std::int32_t type_first = forward ? type_i : type_j, type_second = forward ? type_j : type_i;
    if (rules_.bond && !(distance < rules_.bond[type_first * n + type_second])) return;

    double other = 0.0;
    if (edges_.eps_back) {
      other = edges_.eps_back[row];
    } else if (partner) {
      other = edges_.eps[partner->row()];
    } else if (rules_.model && distance > rules_.model[type_j * n + type_i] - rules_.tolerance) {
      ++report_.beyond;
    } else {
      if (report_.unpaired++ == 0 && report_.error == e3d_pair_ok) {
        report_.bad_i = edges_.i[row];
        report_.bad_j = edges_.j[row];
        report_.bad_distance = distance;
      }
      return;
    }
    const std::int64_t at = report_.pairs++;
    if (at >= out_.capacity) return;
    const double mine = edges_.eps[row];
    const double e12 = forward ? mine : other, e21 = forward ? other : mine;
    out_.label[at] = rules_.label[type_first * n + type_second];
    std::tie(out_.i[at], out_.j[at]) = ids(own);
    out_.type_i[at] = type_first + 1;
    out_.type_j[at] = type_second + 1;
    std::copy(r.begin(), r.end(), out_.vec + 3 * at);
    out_.e12[at] = e12;
    out_.e21[at] = e21;
    out_.D[at] = e12 + e21;
    out_.A[at] = e12 - e21;
  }

  const e3d_edges &edges_;
  const e3d_pair_rules &rules_;
  const e3d_pairs &out_;
  e3d_pair_report &report_;
  std::vector<Oriented> near_;
  std::int64_t lowest_ = 0, highest_ = 0;
};

}    // namespace

void e3d_pair_edges(const e3d_edges *edges, const e3d_pair_rules *rules, const e3d_pairs *pairs,
                    e3d_pair_report *report)
{
  *report = {};
  try {
    Pairer(*edges, *rules, *pairs, *report).run();
  } catch (const std::bad_alloc &) {
    report->error = e3d_pair_memory;
  }
}
