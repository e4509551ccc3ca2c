// Pair labels and the first atom of a pair.
#include "bonds/pair_labels.h"
#include "check.h"

using namespace E3D;

namespace {

// LAMMPS types 1 to 6; type 5 is NULL and type 6 a second kind of carbon
const PairLabels LABELS({"", "H", "O", "C", "Si", "", "C"});

void test_names_and_numbers()
{
  const char *expected[] = {"C-C", "C-O", "C-Si", "C-H", "O-O", "O-Si", "O-H", "Si-Si", "Si-H", "H-H"};
  CHECK_EQUAL(LABELS.size(), 10);
  for (int k = 0; k < LABELS.size(); k++) CHECK(LABELS.name(k) == expected[k]);
  CHECK_EQUAL(LABELS.of_types(1, 3), 3);
  CHECK_EQUAL(LABELS.of_types(3, 1), 3);
  CHECK_EQUAL(LABELS.of_types(6, 3), 0);
  CHECK_EQUAL(LABELS.of_types(5, 3), PairLabels::NONE);
  CHECK(LABELS.is_like(0) && LABELS.is_like(9) && !LABELS.is_like(3));
  CHECK(LABELS.element(6) == "C" && LABELS.element(5).empty());
}

void test_words()
{
  CHECK_EQUAL(LABELS.of_word("C-H"), 3);
  CHECK_EQUAL(LABELS.of_word("H-C"), 3);
  CHECK_EQUAL(LABELS.of_word("Si-O"), 5);
  for (const char *word : {"C-N", "CH", "-", "C-", "C-H-O"})
    CHECK_MESSAGE(LABELS.of_word(word), "choose from: C-C C-O");
}

void test_first_atom()
{
  const double up[3] = {-1.0, -1.0, 1.0}, down[3] = {1.0, 1.0, -1.0};
  CHECK(LABELS.is_first(3, 9, 1, 2, down) && !LABELS.is_first(1, 2, 3, 9, down));    // C before H
  CHECK(LABELS.is_first(2, 9, 4, 2, down) && !LABELS.is_first(4, 2, 2, 9, down));    // O before Si
  CHECK(LABELS.is_first(3, 2, 6, 9, down) && !LABELS.is_first(6, 9, 3, 2, down));    // the lower id
  CHECK(LABELS.is_first(3, 5000000000LL, 3, 5000000001LL, down));

  // an atom and its image: the direction
  const double y[3] = {-1.0, 1.0, 1e-12}, minus_y[3] = {1.0, -1.0, 1e-12}, x[3] = {1.0, -1e-12, 1e-12},
               minus_x[3] = {-1.0, 1e-12, 1e-12};
  CHECK(LABELS.is_first(3, 7, 3, 7, up) && !LABELS.is_first(3, 7, 3, 7, down));
  CHECK(LABELS.is_first(3, 7, 3, 7, y) && !LABELS.is_first(3, 7, 3, 7, minus_y));
  CHECK(LABELS.is_first(3, 7, 3, 7, x) && !LABELS.is_first(3, 7, 3, 7, minus_x));
}

}    // namespace

int main()
{
  test_names_and_numbers();
  test_words();
  test_first_atom();
  return check::failures() == 0 ? 0 : 1;
}
