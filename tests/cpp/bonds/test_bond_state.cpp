// Bonds of an atom: hysteresis, images, pairs that leave the list, and the doubles they travel as.
#include "bonds/bond_state.h"
#include "check.h"

using namespace E3D;

namespace {

constexpr int64_t ID = int64_t{3} << 40;    // of the atom that keeps the bonds

BondThresholds energies()
{
  BondThresholds thresholds;
  thresholds.form = {-2.0};
  thresholds.break_off = {-1.0};
  return thresholds;
}

BondCandidate pair_of(int64_t partner, double D, double r = 1.0, bool is_first = true)
{
  return {partner, 1, 2, is_first, 0, D, 0.25, r};
}

using Events = std::vector<BondEvent>;

Events sample(BondState &state, std::vector<BondCandidate> pairs, bool begin = false,
              const BondThresholds &thresholds = energies())
{
  Events events;
  state.update(0, ID, pairs, thresholds, begin, events);
  return events;
}

void test_first_sample_takes_what_is_not_broken()
{
  BondState state;
  state.resize(1);
  CHECK(sample(state, {pair_of(7, -1.5), pair_of(5, -0.5), pair_of(9, -3.0)}, true).empty());
  CHECK_EQUAL(state.num_bonds(0), 2);
  CHECK_EQUAL(state.partner(0, 0), 7);
  CHECK_EQUAL(state.partner(0, 1), 9);
}

void test_hysteresis()
{
  BondState state;
  state.resize(1);
  CHECK(sample(state, {pair_of(7, -1.5)}).empty());    // between the thresholds: no bond yet
  CHECK(sample(state, {pair_of(7, -2.0)}).empty());    // not below
  const Events formed = sample(state, {pair_of(7, -2.1)});
  CHECK_EQUAL(formed.size(), 1u);
  CHECK(formed[0].formed == 1 && formed[0].D == -2.1 && formed[0].A == 0.25 && formed[0].r == 1.0);
  CHECK(formed[0].id1 == ID && formed[0].id2 == 7 && formed[0].type1 == 1 && formed[0].type2 == 2);
  CHECK(sample(state, {pair_of(7, -1.5)}).empty());    // still a bond
  CHECK(sample(state, {pair_of(7, -1.0)}).empty());
  const Events broken = sample(state, {pair_of(7, -0.9)});
  CHECK_EQUAL(broken.size(), 1u);
  CHECK(broken[0].formed == 0 && broken[0].D == -0.9);
  CHECK_EQUAL(state.num_bonds(0), 0);
}

void test_pairs_that_leave_the_list()
{
  BondState state;
  state.resize(1);
  sample(state, {pair_of(3, -3.0), pair_of(7, -3.0, 1.0, false), pair_of(9, -3.0)}, true);
  const Events events = sample(state, {pair_of(3, -3.0), pair_of(8, -3.0)});
  CHECK_EQUAL(events.size(), 3u);
  CHECK(events[0].id1 == 7 && events[0].id2 == ID && events[0].type1 == 2 && events[0].type2 == 1);
  CHECK(std::isnan(events[0].D) && std::isnan(events[0].A) && std::isnan(events[0].r));
  CHECK(events[1].formed == 1 && events[1].id2 == 8);
  CHECK(events[2].formed == 0 && events[2].id2 == 9);
  CHECK_EQUAL(sample(state, {}).size(), 2u);
  CHECK(sample(state, {}).empty());
}

void test_the_strongest_image_counts()
{
  BondState state;
  state.resize(1);
  const Events events = sample(state, {pair_of(7, -0.5, 0.8), pair_of(7, -2.5, 1.2), pair_of(7, 0.5, 1.6)});
  CHECK_EQUAL(events.size(), 1u);
  CHECK(events[0].r == 1.2);
  CHECK_EQUAL(state.num_bonds(0), 1);
  CHECK(sample(state, {pair_of(7, 0.5, 1.6), pair_of(7, -1.5, 1.2)}).empty());
}

void test_distances()
{
  BondThresholds thresholds;
  thresholds.criterion = BondCriterion::Distance;
  thresholds.form = {1.2};
  thresholds.break_off = {1.5};
  BondState state;
  state.resize(1);
  CHECK(sample(state, {pair_of(7, -9.0, 1.3)}, false, thresholds).empty());
  CHECK_EQUAL(sample(state, {pair_of(7, 9.0, 1.1), pair_of(7, -9.0, 1.4)}, false, thresholds).size(), 1u);
  CHECK(sample(state, {pair_of(7, 9.0, 1.4)}, false, thresholds).empty());
  CHECK_EQUAL(sample(state, {pair_of(7, -9.0, 1.6)}, false, thresholds).size(), 1u);
}

void test_travelling()
{
  BondState state, other;
  state.resize(3);
  other.resize(2);
  std::vector<BondCandidate> pairs = {
      {(int64_t{1} << 62) + 1, 2147483647, 2147483646, false, 0, -3.0, 0.0, 1.0},
      {2147483648, 1, 3, true, 0, -3.0, 0.0, 1.0}};
  Events events;
  state.update(1, ID, pairs, energies(), true, events);
  state.copy(1, 2);
  std::vector<double> buffer(state.doubles(2));
  CHECK_EQUAL(state.pack(2, buffer.data()), 6);
  other.update(0, ID, pairs, energies(), true, events);    // what was there before goes
  CHECK_EQUAL(BondState::packed_doubles(buffer.data()), 6);
  other.unpack(0, buffer.data(), 6);
  CHECK_EQUAL(other.id(0), ID);
  CHECK_EQUAL(other.num_bonds(0), 2);
  CHECK_EQUAL(other.partner(0, 0), 2147483648);
  pairs.clear();
  other.update(0, ID, pairs, energies(), false, events);
  CHECK_EQUAL(events.size(), 2u);
  CHECK(events[0].id1 == ID && events[0].type1 == 1 && events[0].type2 == 3);
  CHECK(events[1].id1 == (int64_t{1} << 62) + 1 && events[1].id2 == ID);
  CHECK(events[1].type1 == 2147483646 && events[1].type2 == 2147483647);

  state.clear(2);
  CHECK_EQUAL(state.pack(2, buffer.data()), 2);
  other.unpack(1, buffer.data(), 2);
  CHECK(other.num_bonds(1) == 0 && other.id(1) == 0);
}

// what a restart file may hold after damage
void test_lists_of_another_length()
{
  BondState state;
  state.resize(1);
  const double nan = std::nan("");
  for (const double count : {-1.0, 0.0, 2.0, 1e9, 1e300, nan}) {
    const double buffer[] = {1.0, count, 0.0, 0.0};
    CHECK_MESSAGE(state.unpack(0, buffer, 4), "a list of bonds that is damaged");
  }
  const double cut_off[] = {1.0, 0.5, 0.0};
  CHECK_MESSAGE(state.unpack(0, cut_off, 1), "a list of bonds that is damaged");
  CHECK_MESSAGE(state.unpack(0, cut_off, 3), "a list of bonds that is damaged");
}

}    // namespace

int main()
{
  test_first_sample_takes_what_is_not_broken();
  test_hysteresis();
  test_pairs_that_leave_the_list();
  test_the_strongest_image_counts();
  test_distances();
  test_travelling();
  test_lists_of_another_length();
  return check::failures() == 0 ? 0 : 1;
}
