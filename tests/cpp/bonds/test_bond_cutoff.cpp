// The bond cutoff grammar: model, covalent, paper, a number, a table.
#include "bonds/bond_cutoff.h"
#include "check.h"
#include "edges/edge_list.h"

#include <cstdio>
#include <fstream>

using namespace E3D;

namespace {

bool near(double a, double b)
{
  return std::fabs(a - b) < 1e-12;
}

void test_named_and_numeric_cutoffs()
{
  CHECK(BondCutoff({"model"}).is_model());
  CHECK(near(BondCutoff({"paper"})("C", "H"), 2.2));
  CHECK(near(BondCutoff({"1.75"})("C", "H"), 1.75));
  // Cordero et al. 2008: C 0.76, H 0.31, O 0.66 Angstrom
  CHECK(near(BondCutoff({"covalent"})("C", "H"), 1.3 * (0.76 + 0.31)));
  CHECK(near(BondCutoff({"covalent"})("O", "C"), 1.3 * (0.76 + 0.66)));
  CHECK_MESSAGE(BondCutoff({"covalent"})("Xx", "H"), "no covalent radius");
}

void test_bad_words()
{
  for (const char *word : {"covalents", "-1", "0", "1.5A", "nan"})
    CHECK_MESSAGE(BondCutoff({word}), "none of: model, covalent");
  CHECK_MESSAGE(BondCutoff({"file", "/nonexistent"}), "cannot open bond cutoff file");
}

void test_table()
{
  const std::string path = "test_bond_cutoff.txt";
  std::ofstream(path) << "# pairs\nC H 1.3  # comment\n\nO C 1.6\n";
  const BondCutoff cutoff({"file", path});
  CHECK(near(cutoff("H", "C"), 1.3));
  CHECK(near(cutoff("C", "O"), 1.6));
  CHECK(cutoff("O", "H") < 0.0);
  for (const char *line : {"C H", "C H x", "C H 1.3 4", "C H -1"}) {
    std::ofstream(path) << line << "\n";
    CHECK_MESSAGE(BondCutoff({"file", path}), "is not 'El1 El2 R'");
  }
  std::ofstream(path) << "c h 1.5\n";
  CHECK_MESSAGE(BondCutoff({"file", path}), "line 1 of bond cutoff file test_bond_cutoff.txt: 'c' is no");
  std::ofstream(path) << "C H 1.5\nC H 1.5\nH C 1.6\n";
  CHECK_MESSAGE(BondCutoff({"file", path}), "line 3 of bond cutoff file test_bond_cutoff.txt: H C has");
  std::ofstream(path) << "# nothing\n";
  CHECK_MESSAGE(BondCutoff({"file", path}), "holds no line");
  std::remove(path.c_str());
}

void test_tables_by_type()
{
  const TypeTable model({-1, 0, 1, -1}, {2.0, 3.0, 2.0, 2.0});
  const std::vector<std::string> elements = {"", "C", "H", ""};

  const auto own = bond_cutoffs_squared(BondCutoff({"model"}), elements, model);
  CHECK(near(own[1 * 4 + 2], 9.0));    // C sees H to 3
  CHECK(near(own[2 * 4 + 1], 4.0));    // H sees C to 2
  CHECK(near(own[1 * 4 + 3], 0.0));    // NULL
  const auto number = bond_cutoffs_squared(BondCutoff({"1.5"}), elements, model);
  CHECK(near(number[1 * 4 + 2], 2.25));
  CHECK_MESSAGE(bond_cutoffs_squared(BondCutoff({"2.5"}), elements, model),
                "is longer than the model's cutoff of 2 Angstrom");
}

}    // namespace

int main()
{
  test_named_and_numeric_cutoffs();
  test_bad_words();
  test_table();
  test_tables_by_type();
  return check::failures() == 0 ? 0 : 1;
}
