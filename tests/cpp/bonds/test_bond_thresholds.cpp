// Thresholds of bonds: the table of the package, maps, numbers for all pairs and for one.
#include "bonds/bond_thresholds.h"
#include "check.h"

#include <cstdio>
#include <fstream>

using namespace E3D;

namespace {

constexpr double EV = 1.0 / 96.48533212;    // per kJ/mol

const PairLabels LABELS({"", "C", "H", "Xe"});    // C-C C-Xe C-H Xe-Xe Xe-H H-H

ThresholdContext context(double energy_unit = 1.0)
{
  return {LABELS, std::vector<double>(6, 2.0), {1, 0, 1, 0, 0, 1}, energy_unit};
}

BondThresholds by_energy(const std::vector<ThresholdWord> &form, const std::vector<ThresholdWord> &break_off,
                         const ThresholdContext &given = context())
{
  return bond_thresholds(BondCriterion::Energy, form, break_off, given);
}

bool near(double a, double b)
{
  return std::fabs(a - b) < 1e-12 * std::fabs(b);
}

void test_defaults()
{
  const BondThresholds thresholds = by_energy({}, {}, context(23.0));
  CHECK(near(thresholds.form[2], -413.0 / 2 * EV * 23.0));
  CHECK(near(thresholds.break_off[2], -413.0 / 4 * EV * 23.0));
  CHECK(!thresholds.are_known(1));    // no Xe in the table, and none in the run
  CHECK(!thresholds.forms(1, -100.0) && !thresholds.breaks(1, 100.0));

  ThresholdContext with_xenon = context();
  with_xenon.occurs = {1, 1, 1, 1, 1, 1};
  CHECK_MESSAGE(by_energy({}, {}, with_xenon), "no default energy for bonds C-Xe Xe-Xe Xe-H");
  with_xenon.cutoff = {2.0, 0.0, 2.0, 0.0, 0.0, 2.0};    // and none with this cutoff
  CHECK(!by_energy({}, {}, with_xenon).are_known(1));
}

void test_numbers()
{
  const BondThresholds thresholds = by_energy({{"H-C", "", -3.0}, {"", "", -1.0}}, {{"C-C", "", -0.9}});
  CHECK(thresholds.form[2] == -3.0 && thresholds.break_off[2] == -1.5);
  CHECK(thresholds.form[0] == -1.0 && thresholds.break_off[0] == -0.9);
  CHECK(thresholds.form[1] == -1.0 && thresholds.break_off[1] == -0.5);
  CHECK(by_energy({}, {{"", "", -0.5}}).form[5] == -1.0);
  CHECK_MESSAGE(by_energy({{"", "", -1.0}}, {{"", "", -1.0}}), "of C-C have to be form < break < 0");
  CHECK_MESSAGE(by_energy({{"C-H", "", 1.0}}, {}), "of C-H have to be form < break < 0");
  CHECK_MESSAGE(by_energy({{"C-N", "", -1.0}}, {}), "unknown pair 'C-N'");
}

void test_maps()
{
  const std::string path = "test_bond_thresholds.map";
  const std::string labels =
      "label H-H 0 0 0 0 0 0 0\nlabel C-H 4 -16 64 0 0 0 1\n-40 0 4\nlabel C-C 1 2 4 0 0 0 1\n20 0 1\n";
  std::ofstream(path) << "e3d-map/1\nbin 0.1 # eV\n" << labels << "end\n";
  BondThresholds thresholds = by_energy({{"", path, 0.0}}, {{"", path, 0.0}}, context(10.0));
  CHECK(near(thresholds.form[2], -20.0) && near(thresholds.break_off[2], -10.0));
  CHECK(near(thresholds.form[5], -436.0 / 2 * EV * 10.0));    // no pairs: the table
  CHECK(near(thresholds.form[0], -348.0 / 2 * EV * 10.0));    // mean above 0: the table
  std::ofstream(path) << "e3d-map/1\nprovenance energy_unit kcal/mol\n" << labels << "end\n";
  thresholds = by_energy({{"", path, 0.0}}, {}, context(23.060549));
  CHECK(near(thresholds.form[2], -2.0) && near(thresholds.break_off[2], -1.0));

  std::ofstream(path) << "e3d-map/1\n" << labels;
  CHECK_MESSAGE(by_energy({{"", path, 0.0}}, {}), "is cut off");
  std::ofstream(path) << "e3d-map/1\nlabel C-H\nend\n";
  CHECK_MESSAGE(by_energy({{"", path, 0.0}}, {}), "not a line of e3d-map/1");
  std::ofstream(path) << "e3d-map/2\nend\n";
  CHECK_MESSAGE(by_energy({{"", path, 0.0}}, {}), "expected a map of the format e3d-map/1");
  std::remove(path.c_str());
  CHECK_MESSAGE(by_energy({{"", path, 0.0}}, {}), "cannot open the map");
}

void test_distances()
{
  const auto distances = [](const std::vector<ThresholdWord> &form, const std::vector<ThresholdWord> &off) {
    return bond_thresholds(BondCriterion::Distance, form, off, context());
  };
  CHECK(near(distances({}, {}).form[1], 1.8));
  CHECK(distances({}, {}).break_off[1] == 2.0);
  CHECK(distances({{"", "", 1.5}}, {}).form[0] == 1.5);
  CHECK_MESSAGE(distances({{"", "", 1.5}}, {{"", "", 1.5}}), "0 < form < break <= the bond cutoff");
  CHECK_MESSAGE(distances({}, {{"", "", 2.1}}), "break is 2.1 and the cutoff is 2 Angstrom");
  CHECK_MESSAGE(distances({{"", "", -1.0}}, {}), "0 < form");
}

}    // namespace

int main()
{
  test_defaults();
  test_numbers();
  test_maps();
  test_distances();
  return check::failures() == 0 ? 0 : 1;
}
