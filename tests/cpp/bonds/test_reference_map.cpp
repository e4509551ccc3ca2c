// Map files as a run reads them: bins that a reference has visited, and references that are not comparable.
#include "bonds/reference_map.h"
#include "check.h"

#include <cstdio>
#include <fstream>

using namespace E3D;

namespace {

const std::string path = "reference.e3d";
const MapSettings settings = {0.5, "covalent", "0123456789abcdef", false};
const std::string HEADER = "e3d-map/1\nbin 0.5\ncutoff covalent\nsamples 1\nsteps 0 0\n";

EnergyMap sample()
{
  EnergyMap map(0.5, {{"C-C", true}, {"C-H", false}, {"H-H", true}});
  for (const double A : {0.3, -0.3, 1.2}) map.add(0, -4.25, A);
  for (const double D : {-4.25, -4.25, -9.75}) map.add(1, D, 0.25);
  map.add(2, -4.25, 0.0);
  return map;
}

void write(const std::string &header, const std::string &labels, const std::string &end = "end\n")
{
  std::ofstream(path) << header << labels << end;
}

const std::string LABELS =
    "label C-C 2 -8.5 36 0 0.1 0.5 2\n-9 -1 1\n-9 0 1\nlabel C-H 1 -4.25 18 0.25 0.1 0.25 1\n-9 0 1\n";

void test_unvisited()
{
  write(HEADER + "provenance model_source 0123456789abcdef # of the checkpoint\n", LABELS);
  const ReferenceMap reference(path, settings);
  const EnergyMap map = sample();
  CHECK(reference.names_model());
  CHECK(reference.knows("C-H") && !reference.knows("H-H"));
  CHECK_EQUAL(reference.unvisited_halves(map.labels()[0]), 2);    // of 6: A = 1.2, at both signs
  CHECK_EQUAL(reference.unvisited_halves(map.labels()[1]), 2);    // of 6: D = -9.75
  CHECK_EQUAL(reference.unvisited_halves(map.labels()[2]), 2);    // all: the reference knows no H-H
  CHECK(reference.size_text() == "3 bins of 3 bonds");
}

void test_units()
{
  const auto read = [](MapSettings of) {
    return ReferenceMap(path, of).unvisited_halves(sample().labels()[1]);
  };
  write(HEADER, LABELS);
  CHECK_EQUAL(read({0.5 * 23.060549, "covalent", "unknown", true}), 2);    // a run in kcal/mol
  CHECK_MESSAGE(read({0.5, "covalent", "unknown", true}), "are 11.5302745 kcal/mol wide, not 0.5 kcal/mol");
  write("e3d-map/1\nbin 11.5302745\ncutoff covalent\nprovenance energy_unit kcal/mol\n", LABELS);
  CHECK_EQUAL(read(settings), 2);
  CHECK_EQUAL(read({11.5302745, "covalent", "unknown", true}), 2);
}

void test_not_comparable()
{
  const auto read = [](const MapSettings &of) { return ReferenceMap(path, of).names_model(); };
  write(HEADER, LABELS);
  CHECK(!read(settings));
  CHECK_MESSAGE(read({0.1, "covalent", "", false}), "are 0.5 eV wide, not 0.1 eV: give 'bin 0.5'");
  CHECK_MESSAGE(read({0.5, "model", "", false}),
                "'cutoff covalent', not of 'cutoff model': give 'cutoff cov");
  write(HEADER + "provenance model_source fedcba9876543210\n", LABELS);
  CHECK_MESSAGE(read(settings), "another model, from the checkpoint fedcba987654, not 0123456789ab");
  CHECK(!read({0.5, "covalent", "unknown", false}));
}

void test_damage()
{
  const auto read = [] { return read_map_file(path).width; };
  std::remove(path.c_str());
  CHECK_MESSAGE(read(), "cannot open the map reference.e3d");
  write("e3d-map/2\n", "");
  CHECK_MESSAGE(read(), "expected a map of the format e3d-map/1");
  write(HEADER, LABELS, "");
  CHECK_MESSAGE(read(), "is cut off");
  for (const std::string bad : {"bin -0.5", "bin wide", "bonds 3", "provenance energy_unit J", "label C-H 1",
                                "label C-O 1 -4 16 0 0 0 9", "label C-H 0 0 0 0 0 0 0"}) {
    write(HEADER, LABELS + bad + "\n");
    CHECK_MESSAGE(read(), "not a line of e3d-map/1 in reference.e3d: " + bad);
  }
  for (const std::string bin : {"-9 0 2", "-9 0 0", "-9 0 1.3", "-9 0", "-9 4294967296 1", "x 0 1"}) {
    write(HEADER, "label C-H 1 -4.25 18 0.25 0.1 0.25 1\n" + bin + "\n");
    CHECK_MESSAGE(read(), "not a line of e3d-map/1");
  }
  write(HEADER, "label C-C 2 -8.5 36 0 0.1 0.5 2\n-9 0 1\n-9 0 1\n");    // a bin twice
  CHECK_MESSAGE(read(), "not a line of e3d-map/1");
  std::remove(path.c_str());
}

}    // namespace

int main()
{
  test_unvisited();
  test_units();
  test_not_comparable();
  test_damage();
  return check::failures();
}
