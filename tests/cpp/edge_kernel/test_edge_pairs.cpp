// Directed edges to pairs: against a search through all of them, at the limits of ids, types and room.
#include "check.h"
#include "edge_kernel.h"
#include "edge_kernel/exact_memory.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

namespace {

constexpr double NaN = std::numeric_limits<double>::quiet_NaN();

struct Edge {
  std::int64_t i, j;
  std::int32_t type_i, type_j;
  std::array<double, 3> r;
  double eps;
  double eps_back = 0.0;
};

// Two types, C before H in labels: C-C is 0, C-H 1, H-H 2.

struct Rules {
  std::vector<std::int32_t> rank = {0, 1}, label = {0, 1, 1, 2};
  std::vector<double> bond, model;
  double tolerance = 1e-3;
  bool with_back = false;
};

struct Pair {
  std::int32_t label;
  std::int64_t i, j;
  std::int32_t type_i, type_j;
  std::array<double, 3> r;
  double e12, e21, D, A;

  auto all() const { return std::tie(label, i, j, type_i, type_j, r, e12, e21, D, A); }
};

struct Result {
  e3d_pair_report report;
  std::vector<Pair> pairs;
};

// every array is as long as it has to be, not a number more

Result pair(const std::vector<Edge> &edges, const Rules &rules, std::size_t capacity)
{
  const std::size_t n = edges.size();
  ExactArray<std::int64_t> i(n), j(n);
  ExactArray<std::int32_t> type_i(n), type_j(n);
  ExactArray<double> vec(3 * n), eps(n), back(n);
  for (std::size_t row = 0; row < n; row++) {
    std::tie(i[row], j[row], type_i[row], type_j[row]) =
        std::tie(edges[row].i, edges[row].j, edges[row].type_i, edges[row].type_j);
    std::copy_n(edges[row].r.begin(), 3, vec.data() + 3 * row);
    eps[row] = edges[row].eps;
    back[row] = edges[row].eps_back;
  }
  const ExactArray<std::int32_t> rank(rules.rank), label(rules.label);
  const ExactArray<double> bond(rules.bond), model(rules.model);

  ExactArray<std::int32_t> out_label(capacity), out_type_i(capacity), out_type_j(capacity);
  ExactArray<std::int64_t> out_i(capacity), out_j(capacity);
  ExactArray<double> out_vec(3 * capacity), e12(capacity), e21(capacity), D(capacity), A(capacity);

  const e3d_edges in = {static_cast<std::int64_t>(n),
                        i.data(),
                        j.data(),
                        type_i.data(),
                        type_j.data(),
                        vec.data(),
                        eps.data(),
                        rules.with_back ? back.data() : nullptr};
  const e3d_pair_rules how = {static_cast<std::int32_t>(rules.rank.size()),
                              rank.data(),
                              label.data(),
                              rules.bond.empty() ? nullptr : bond.data(),
                              rules.model.empty() ? nullptr : model.data(),
                              rules.tolerance};
  const e3d_pairs out = {static_cast<std::int64_t>(capacity),
                         out_label.data(),
                         out_i.data(),
                         out_j.data(),
                         out_type_i.data(),
                         out_type_j.data(),
                         out_vec.data(),
                         e12.data(),
                         e21.data(),
                         D.data(),
                         A.data()};
  Result result{};
  e3d_pair_edges(&in, &how, &out, &result.report);
  const auto written = std::min<std::int64_t>(result.report.pairs, static_cast<std::int64_t>(capacity));
  for (std::int64_t k = 0; k < written; k++)
    result.pairs.push_back({out_label[k],
                            out_i[k],
                            out_j[k],
                            out_type_i[k],
                            out_type_j[k],
                            {out_vec[3 * k], out_vec[3 * k + 1], out_vec[3 * k + 2]},
                            e12[k],
                            e21[k],
                            D[k],
                            A[k]});
  return result;
}

// both edges of a pair

void add(std::vector<Edge> &edges, std::int64_t i, std::int64_t j, std::int32_t type_i, std::int32_t type_j,
         std::array<double, 3> r, double e12, double e21)
{
  edges.push_back({i, j, type_i, type_j, r, e12, e21});
  edges.push_back({j, i, type_j, type_i, {-r[0], -r[1], -r[2]}, e21, e12});
}

/* ---------------------------------------------------------------------- */

void test_the_first_atom_of_a_pair()
{
  std::vector<Edge> edges;
  add(edges, 7, 3, 2, 1, {1.0, 0.0, 0.0}, -1.0, -2.0);      // H 7, C 3: C first
  add(edges, 9, 8, 1, 1, {0.0, 1.5, 0.0}, -3.0, -4.0);      // like elements: the lower id
  add(edges, 5, 5, 1, 1, {0.0, 0.0, -2.0}, -5.0, -6.0);     // an atom and its image: r_z > 0
  add(edges, 6, 6, 1, 1, {-2.0, 1.0, 1e-4}, -7.0, -8.0);    // r_z counts as 0: r_y > 0
  const Result result = pair(edges, Rules(), 4);
  CHECK_EQUAL(result.report.error, e3d_pair_ok);
  CHECK_EQUAL(result.report.pairs, 4);
  const std::vector<Pair> expected = {{1, 3, 7, 1, 2, {-1.0, 0.0, 0.0}, -2.0, -1.0, -3.0, -1.0},
                                      {0, 5, 5, 1, 1, {0.0, 0.0, 2.0}, -6.0, -5.0, -11.0, -1.0},
                                      {0, 6, 6, 1, 1, {-2.0, 1.0, 1e-4}, -7.0, -8.0, -15.0, 1.0},
                                      {0, 8, 9, 1, 1, {0.0, -1.5, 0.0}, -4.0, -3.0, -7.0, -1.0}};
  for (int k = 0; k < 4; k++) CHECK(result.pairs.at(k).all() == expected[k].all());
}

void test_room_for_fewer_pairs()
{
  std::vector<Edge> edges;
  for (int k = 0; k < 10; k++) add(edges, k, k + 1, 1, 2, {1.0, 0.1 * k, 0.0}, -1.0 - k, -2.0);
  const Result whole = pair(edges, Rules(), 10);
  for (std::size_t room = 0; room < 10; room++) {
    const Result result = pair(edges, Rules(), room);
    CHECK_EQUAL(result.report.pairs, 10);
    CHECK_EQUAL(result.pairs.size(), room);
    for (std::size_t k = 0; k < room; k++) CHECK(result.pairs[k].all() == whole.pairs[k].all());
  }
}

void test_ids_at_their_limits()
{
  constexpr std::int64_t low = std::numeric_limits<std::int64_t>::min(),
                         high = std::numeric_limits<std::int64_t>::max();
  // near each other at either end, 2^32 apart more or less, and as far as can be
  for (const auto &[a, b, c] :
       std::vector<std::array<std::int64_t, 3>>{{low, low + 1, low + 2},
                                                {high - 2, high - 1, high},
                                                {low, 0, high},
                                                {-1, 0, 1},
                                                {0, 4294967295, 4294967294},
                                                {0, 4294967296, 1},
                                                {5, 5 + 4294967296, 5 + 2 * 4294967296}}) {
    std::vector<Edge> edges;
    add(edges, b, a, 1, 1, {1.0, 0.0, 0.0}, -1.0, -2.0);
    add(edges, b, c, 1, 1, {0.0, 1.0, 0.0}, -3.0, -4.0);
    add(edges, c, a, 1, 1, {0.0, 0.0, 1.0}, -5.0, -6.0);
    const Result result = pair(edges, Rules(), 3);
    CHECK_EQUAL(result.report.error, e3d_pair_ok);
    CHECK_EQUAL(result.pairs.size(), 3u);
    std::vector<std::pair<std::int64_t, std::int64_t>> expected = {std::minmax(a, b), std::minmax(b, c),
                                                                   std::minmax(a, c)};
    std::sort(expected.begin(), expected.end());
    for (int k = 0; k < 3; k++)
      CHECK(result.pairs[k].i == expected[k].first && result.pairs[k].j == expected[k].second);
  }
}

void test_types_that_there_are_not()
{
  for (const std::int32_t wrong :
       {0, -1, 3, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()})
    for (const bool at_centre : {false, true}) {
      std::vector<Edge> edges;
      add(edges, 1, 2, 1, 2, {1.0, 0.0, 0.0}, -1.0, -2.0);
      (at_centre ? edges[1].type_i : edges[1].type_j) = wrong;
      const Result result = pair(edges, Rules(), 2);
      CHECK_EQUAL(result.report.error, e3d_pair_bad_type);
      CHECK_EQUAL(result.report.pairs, 0);
      CHECK_EQUAL(result.report.low_type, std::min(wrong, 1));
      CHECK_EQUAL(result.report.high_type, std::max(wrong, 2));
    }
}

void test_edges_without_a_partner()
{
  std::vector<Edge> edges;
  add(edges, 1, 2, 1, 1, {1.0, 0.0, 0.0}, -1.0, -2.0);
  edges.push_back({3, 4, 1, 2, {2.0, 0.0, 0.0}, -3.0});
  const Result result = pair(edges, Rules(), 3);
  CHECK_EQUAL(result.report.pairs, 1);
  CHECK_EQUAL(result.report.unpaired, 1);
  CHECK(result.report.bad_i == 3 && result.report.bad_j == 4 && result.report.bad_distance == 2.0);

  // which the model's directed cutoffs may explain: H sees C up to 1.5 only
  Rules rules;
  rules.model = {3.0, 3.0, 1.5, 3.0};
  const Result beyond = pair(edges, rules, 3);
  CHECK_EQUAL(beyond.report.unpaired, 0);
  CHECK_EQUAL(beyond.report.beyond, 1);
  CHECK_EQUAL(beyond.report.pairs, 2);
  CHECK(beyond.pairs[1].e12 == -3.0 && beyond.pairs[1].e21 == 0.0);
}

void test_edges_that_come_twice()
{
  std::vector<Edge> edges;
  add(edges, 1, 2, 1, 1, {1.0, 0.0, 0.0}, -1.0, -2.0);
  edges.push_back(edges[0]);
  add(edges, 5, 6, 1, 1, {1.0, 0.0, 0.0}, -1.0, -2.0);
  edges.push_back(edges[3]);
  edges.push_back(edges[4]);
  const Result result = pair(edges, Rules(), 6);
  CHECK_EQUAL(result.report.error, e3d_pair_twice);
  CHECK_EQUAL(result.report.bad_count, 2);
  CHECK(result.report.bad_i == 1 && result.report.bad_j == 2);

  // the same edge twice and no partner is no pair either
  CHECK_EQUAL(pair({edges[0], edges[0]}, Rules(), 2).report.error, e3d_pair_twice);
}

void test_energies_of_partners_that_come_along()
{
  Rules rules;
  rules.with_back = true;
  std::vector<Edge> edges = {{3, 7, 1, 2, {1.0, 0.0, 0.0}, -2.0, -1.0},
                             {8, 9, 1, 1, {1.0, 0.0, 0.0}, -3.0, -4.0}};
  const Result result = pair(edges, rules, 2);
  CHECK_EQUAL(result.report.error, e3d_pair_ok);
  CHECK(result.pairs.at(0).e12 == -2.0 && result.pairs.at(0).e21 == -1.0);
  CHECK(result.pairs.at(1).D == -7.0 && result.pairs.at(1).A == 1.0);

  edges.push_back({4, 2, 2, 1, {1.0, 0.0, 0.0}, -1.0, -1.0});    // H first
  const Result swapped = pair(edges, rules, 3);
  CHECK_EQUAL(swapped.report.error, e3d_pair_swapped);
  CHECK_EQUAL(swapped.report.bad_count, 1);
  CHECK(swapped.report.bad_i == 2 && swapped.report.bad_j == 4);
}

void test_nothing_at_all()
{
  const Result result = pair({}, Rules(), 0);
  CHECK(result.report.error == e3d_pair_ok && result.report.pairs == 0);
  const e3d_edges none{};
  const e3d_pairs nowhere{};
  const std::int32_t rank = 0, label = 0;
  const e3d_pair_rules rules = {1, &rank, &label, nullptr, nullptr, 1e-3};
  e3d_pair_report report;
  e3d_pair_edges(&none, &rules, &nowhere, &report);
  CHECK(report.error == e3d_pair_ok && report.pairs == 0);
}

void test_numbers_that_are_none()
{
  // what becomes of them is nobody's promise, but nothing is touched beyond the arrays
  std::mt19937 random(3);
  const std::vector<double> strange = {NaN, INFINITY, -INFINITY, 1e308, -1e308, 5e-324, 0.0, 1.0, -1.0};
  const auto pick = [&] { return strange[random() % strange.size()]; };
  for (int trial = 0; trial < 300; trial++) {
    std::vector<Edge> edges;
    for (int k = 0; k < 30; k++) {
      const auto i = static_cast<std::int64_t>(random() % 3), j = static_cast<std::int64_t>(random() % 3);
      edges.push_back(
          {i, j, 1, 1 + static_cast<std::int32_t>(random() % 2), {pick(), pick(), pick()}, pick(), pick()});
    }
    Rules rules;
    rules.with_back = trial % 3 == 0;
    if (trial % 2) rules.bond = {pick(), 2.0, 2.0, 3.0};
    if (trial % 5 == 0) rules.model = {2.0, NaN, 2.0, 3.0};
    const Result result = pair(edges, rules, trial % 7);
    CHECK(result.report.pairs >= 0 && result.report.pairs <= 30);
  }
}

/* ----------------------------------------------------------------------
   random edges of a small periodic box, many images of few atoms, in any order
------------------------------------------------------------------------- */

void test_against_a_search_through_all_edges()
{
  std::mt19937 random(4);
  std::uniform_real_distribution<double> coordinate(-2.5, 2.5);
  for (int trial = 0; trial < 60; trial++) {
    std::vector<Edge> edges;
    std::map<std::int64_t, std::int32_t> type_of;
    const auto atom = [&] {
      const std::int64_t id = static_cast<std::int64_t>(random() % 6) * (trial % 2 ? 1 : 3000000000);
      type_of.emplace(id, 1 + static_cast<std::int32_t>(random() % 2));
      return id;
    };
    for (int k = 0; k < 80; k++) {
      const std::int64_t i = atom(), j = atom();
      add(edges, i, j, type_of[i], type_of[j], {coordinate(random), coordinate(random), coordinate(random)},
          coordinate(random), coordinate(random));
      if (random() % 20 == 0) edges.pop_back();    // without a partner
    }
    std::shuffle(edges.begin(), edges.end(), random);
    Rules rules;
    rules.bond = {2.0, 2.5, 2.5, 3.0};

    const Result result = pair(edges, rules, edges.size());
    CHECK_EQUAL(result.report.error, e3d_pair_ok);
    std::vector<double> expected, found;
    std::int64_t alone = 0;
    for (std::size_t a = 0; a < edges.size(); a++) {
      const Edge &own = edges[a];
      const double length = std::hypot(own.r[0], own.r[1], own.r[2]);
      if (!(length < rules.bond[2 * (own.type_i - 1) + own.type_j - 1])) continue;
      const auto partner = std::find_if(edges.begin(), edges.end(), [&own](const Edge &other) {
        return other.i == own.j && other.j == own.i &&
            std::hypot(own.r[0] + other.r[0], own.r[1] + other.r[1], own.r[2] + other.r[2]) < 1e-3;
      });
      if (partner == edges.end())
        alone++;
      else if (partner > edges.begin() + static_cast<std::ptrdiff_t>(a))
        expected.push_back(own.eps + partner->eps);
    }
    for (const Pair &one : result.pairs) {
      found.push_back(one.D);
      CHECK_EQUAL(one.D, one.e12 + one.e21);
      CHECK_EQUAL(one.A, one.e12 - one.e21);
      CHECK(type_of[one.i] == one.type_i && type_of[one.j] == one.type_j && one.type_i <= one.type_j);
      CHECK(one.type_i != one.type_j || one.i <= one.j);
      CHECK_EQUAL(one.label, one.type_i + one.type_j - 2);
    }
    CHECK(std::is_sorted(result.pairs.begin(), result.pairs.end(), [](const Pair &a, const Pair &b) {
      return std::tie(a.i, a.j) < std::tie(b.i, b.j);
    }));
    std::sort(expected.begin(), expected.end());
    std::sort(found.begin(), found.end());
    CHECK(found == expected);
    CHECK_EQUAL(result.report.unpaired, alone);
  }
}

}    // namespace

int main()
{
  test_the_first_atom_of_a_pair();
  test_room_for_fewer_pairs();
  test_ids_at_their_limits();
  test_types_that_there_are_not();
  test_edges_without_a_partner();
  test_edges_that_come_twice();
  test_energies_of_partners_that_come_along();
  test_nothing_at_all();
  test_numbers_that_are_none();
  test_against_a_search_through_all_edges();
  return check::failures() == 0 ? 0 : 1;
}
