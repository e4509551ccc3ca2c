// Connected sets of atoms, formulas, and how many molecules there are of each.
#include "bonds/species.h"
#include "check.h"

using namespace E3D;

namespace {

void test_components()
{
  Components components;
  components.reset({50, 40, 30, 20, 10});
  components.unite(0, 1);
  components.unite(3, 2);
  CHECK_EQUAL(components.label(0), 40);
  CHECK_EQUAL(components.label(2), 20);
  components.unite(1, 2);
  components.unite(2, 0);
  CHECK_EQUAL(components.label(0), 20);
  CHECK_EQUAL(components.label(4), 10);
  CHECK(!components.lower(0, 20));
  CHECK(components.lower(0, 15));
  for (int i = 0; i < 4; i++) CHECK_EQUAL(components.label(i), 15);
  components.reset({1});
  CHECK_EQUAL(components.label(0), 1);
}

void test_formulas()
{
  const std::vector<std::string> elements = {"O", "H", "Cl", "C"};
  const auto formula = [&](std::vector<int64_t> counts) { return hill_formula(elements, counts.data()); };
  CHECK(formula({1, 6, 0, 2}) == "C2H6O");
  CHECK(formula({0, 3, 1, 1}) == "CH3Cl");
  CHECK(formula({0, 1, 1, 0}) == "ClH");
  CHECK(formula({1, 2, 0, 0}) == "H2O");
  CHECK(formula({0, 0, 0, 1}) == "C");
  CHECK(formula({12, 0, 0, 0}) == "O12");
}

void test_counts()
{
  SpeciesCount count;
  count.add("H2O", 2);
  count.add("CH4", 5);
  count.add_words("H2O:3 C2H6O:5 H:1 ");
  count.add_words(" ");
  CHECK(count.words() == "C2H6O:5 CH4:5 H2O:5 H:1");
  CHECK_EQUAL(count.molecules(), 16);
  CHECK_EQUAL(count.species(), 4);
  count.clear();
  CHECK(count.words().empty());
}

}    // namespace

int main()
{
  test_components();
  test_formulas();
  test_counts();
  return check::failures() == 0 ? 0 : 1;
}
