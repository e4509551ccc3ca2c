// Sparse D-A histograms: bins, moments, merging, and the text of a map file.
#include "bonds/energy_map.h"
#include "check.h"

#include <cstdlib>
#include <limits>
#include <map>
#include <random>

using namespace E3D;

namespace {

using Bins = std::map<std::pair<int64_t, int64_t>, int64_t>;

EnergyMap empty_map(double width = 0.1)
{
  return EnergyMap(width, {{"C-C", true}, {"C-H", false}, {"H-H", true}});
}

Bins bins_of(const LabelMap &map)
{
  Bins bins;
  for (const auto &bin : map.bins.sorted()) bins[EnergyMap::split_code(bin.code)] = bin.halves;
  return bins;
}

void fill(EnergyMap &map, unsigned seed, int count)
{
  std::mt19937 random(seed);
  std::normal_distribution<double> D(-4.0, 0.6), A(0.4, 0.3);
  for (int k = 0; k < count; k++) CHECK(map.add(k % 2, D(random), A(random)));
}

void test_codes()
{
  constexpr int64_t edge = EnergyMap::BIN_LIMIT - 1;
  int64_t last = std::numeric_limits<int64_t>::min();
  for (const int64_t d : {-edge - 1, -edge, INT64_C(-1), INT64_C(0), INT64_C(7), edge})
    for (const int64_t a : {-edge - 1, INT64_C(-7), INT64_C(0), INT64_C(5), edge}) {
      const int64_t code = EnergyMap::bin_code(d, a);
      CHECK(code > last || last == std::numeric_limits<int64_t>::min());
      last = code;
      CHECK_EQUAL(EnergyMap::split_code(code).first, d);
      CHECK_EQUAL(EnergyMap::split_code(code).second, a);
    }
}

void test_bins_and_weights()
{
  EnergyMap map = empty_map(0.5);
  CHECK(map.add(1, -4.75, 0.25));
  CHECK(map.add(1, -4.75, 0.25));
  CHECK(map.add(1, -5.0, -0.5));    // on edges: [k w, (k + 1) w)
  CHECK((bins_of(map.labels()[1]) == Bins{{{-10, 0}, 4}, {{-10, -1}, 2}}));
  CHECK(map.add(0, -4.75, 0.25));
  CHECK(map.add(0, -4.75, 0.0));    // +A and -A are the same bin
  CHECK((bins_of(map.labels()[0]) == Bins{{{-10, 0}, 3}, {{-10, -1}, 1}}));
  CHECK(map.add(0, -4.75, -0.5));    // an edge at +A and the same edge at -A: bins -1 and 1
  CHECK((bins_of(map.labels()[0]) == Bins{{{-10, -1}, 2}, {{-10, 0}, 3}, {{-10, 1}, 1}}));
  CHECK_EQUAL(map.labels()[0].count, 3);
  CHECK_EQUAL(map.labels()[2].count, 0);
}

void test_many_bins()
{
  EnergyMap map = empty_map(1e-3);
  Bins expected;
  std::mt19937 random(3);
  std::uniform_int_distribution<int> bin(-300, 300);
  for (int k = 0; k < 100000; k++) {
    const int d = bin(random), a = bin(random);
    CHECK(map.add(1, (d + 0.5) * 1e-3, (a + 0.5) * 1e-3));
    expected[{d, a}] += 2;
  }
  CHECK(bins_of(map.labels()[1]) == expected);
  CHECK_EQUAL(map.labels()[1].bins.size(), static_cast<int64_t>(expected.size()));
  CHECK(map.labels()[1].bins.memory_usage() < 4 * 16.0 * static_cast<double>(expected.size()));
  map.clear();
  CHECK(map.memory_usage() < 2000.0);
}

void test_moments()
{
  EnergyMap map = empty_map();
  for (const double x : {-4.0, -5.0, -6.0, -5.0}) {
    CHECK(map.add(1, x, x + 5.0));
    CHECK(map.add(0, x, x + 5.0));
  }
  for (const auto &label : {map.labels()[0], map.labels()[1]}) {
    CHECK(std::fabs(label.mean_D() + 5.0) < 1e-15);
    CHECK(std::fabs(label.std_D() - std::sqrt(0.5)) < 1e-14);
    CHECK(std::fabs(label.std_A() - std::sqrt(0.5)) < 1e-14);
    CHECK(std::fabs(label.mean_absA() - 0.5) < 1e-15);
  }
  const LabelMap &none = map.labels()[2];
  for (const double zero : {none.mean_D(), none.std_D(), none.mean_absA(), none.std_A(), none.entropy()})
    CHECK_EQUAL(zero, 0.0);
}

void test_small_terms_are_not_lost()
{
  RunningSum sum;
  sum.add(1e16);
  for (int k = 0; k < 1000; k++) sum.add(1.0);
  sum.add(-1e16);
  CHECK_EQUAL(sum.value(), 1000.0);
}

void test_known_entropy()
{
  EnergyMap map = empty_map();
  for (int d = 0; d < 8; d++)
    for (int a = 0; a < 16; a++)
      for (int label = 0; label < 2; label++) CHECK(map.add(label, (d - 50.5) * 0.1, (a + 0.5) * 0.1));
  CHECK(std::fabs(map.labels()[1].entropy() - std::log(128.0)) < 1e-13);
  CHECK(std::fabs(map.labels()[0].entropy() - std::log(256.0)) < 1e-13);    // +A and -A
}

void test_energies_that_are_not()
{
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  EnergyMap map = empty_map();
  for (const double bad : {nan, inf, -inf, 1e15}) {
    CHECK(!map.add(1, bad, 0.0));
    CHECK(!map.add(1, -1.0, bad));
  }
  CHECK(map.text() == empty_map().text());
}

void test_parts_merge_to_the_whole()
{
  EnergyMap whole = empty_map(), parts = empty_map(), other = empty_map();
  fill(whole, 1, 3000);
  fill(whole, 2, 5000);
  fill(parts, 1, 3000);
  fill(other, 2, 5000);
  parts.merge(other.pack());
  parts.merge(empty_map().pack());
  for (int k = 0; k < 3; k++) {
    CHECK(bins_of(parts.labels()[k]) == bins_of(whole.labels()[k]));
    CHECK_EQUAL(parts.labels()[k].count, whole.labels()[k].count);
    CHECK(std::fabs(parts.labels()[k].sum_D.value() - whole.labels()[k].sum_D.value()) < 1e-12);
    CHECK(std::fabs(parts.labels()[k].sum_A.value() - whole.labels()[k].sum_A.value()) < 1e-12);
  }
  EnergyMap copy = empty_map();
  copy.merge(whole.pack());
  CHECK(copy.text() == whole.text());

  std::vector<int64_t> words = whole.pack();
  words.push_back(0);
  CHECK_MESSAGE(empty_map().merge(words), "other labels");
  words.resize(words.size() - 20);
  CHECK_MESSAGE(empty_map().merge(words), "cut off");
}

void test_text()
{
  EnergyMap map(0.5, {{"C-C", true}, {"C-H", false}});
  for (const double A : {0.25, 0.25}) CHECK(map.add(0, -4.75, A));
  CHECK(map.add(0, -4.25, 0.0));
  CHECK(map.text() ==
        "label C-C 3 -13.75 63.1875 0.0 0.125 0.5 3\n-10 -1 1\n-10 0 1\n-9 0 1\n"
        "label C-H 0 0.0 0.0 0.0 0.0 0.0 0\n");
  EnergyMap halves(0.5, {{"C-C", true}});
  CHECK(halves.add(0, 0.25, 0.25));
  CHECK(halves.text() == "label C-C 1 0.25 0.0625 0.0 0.0625 0.25 2\n0 -1 0.5\n0 0 0.5\n");
}

void test_numbers_read_back()
{
  CHECK(real_text(0.1) == "0.1");
  CHECK(real_text(-3.0) == "-3.0");
  CHECK(real_text(0.1 + 0.2) == "0.30000000000000004");
  CHECK(real_text(1e-7) == "1e-07");
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> uniform(-1e3, 1e3);
  for (int k = 0; k < 10000; k++) {
    const double x = uniform(random);
    CHECK_EQUAL(std::strtod(real_text(x).c_str(), nullptr), x);
  }
}

// what a restart file may hold after damage
void test_packed_maps_that_contradict_themselves()
{
  EnergyMap map(0.1, {{"C-H", false}});
  for (int k = 0; k < 4; k++) map.add(0, -4.0, 0.1 * k);
  const std::vector<int64_t> good = map.pack();
  constexpr std::size_t COUNT = 0, SUM = 1, FIRST_WEIGHT = 13;
  const auto refused = [&](std::size_t at, int64_t word) {
    std::vector<int64_t> words = good;
    words.at(at) = word;
    EnergyMap other(0.1, {{"C-H", false}});
    CHECK_MESSAGE(other.merge(words), "contradicts itself");
  };
  refused(COUNT, -1);
  refused(COUNT, 3);
  refused(COUNT, INT64_MAX);
  refused(SUM, 0x7ff8000000000000);    // NaN
  refused(FIRST_WEIGHT, -2);
  refused(FIRST_WEIGHT, INT64_MAX);
  map.merge(good);
  CHECK_EQUAL(map.labels()[0].count, 8);
}

}    // namespace

int main()
{
  test_codes();
  test_bins_and_weights();
  test_many_bins();
  test_moments();
  test_small_terms_are_not_lost();
  test_known_entropy();
  test_energies_that_are_not();
  test_parts_merge_to_the_whole();
  test_text();
  test_numbers_read_back();
  test_packed_maps_that_contradict_themselves();
  return check::failures() == 0 ? 0 : 1;
}
