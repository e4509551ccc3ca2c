// What a run reads, damaged in random ways: bond cutoffs, maps of thresholds, files that grow, the states in restart files, rows of
// dumps. Each gives what it says it gives or std::runtime_error with one line, in little time and memory. With sanitizers, in CI for some
// seconds, longer by hand:
//   build/ctest/tests/fuzz_parsers [seconds] [seed]
#include "edge_kernel.h"

#include "bonds/bond_cutoff.h"
#include "bonds/bond_state.h"
#include "bonds/bond_thresholds.h"
#include "bonds/energy_map.h"
#include "bonds/reference_map.h"
#include "support/growing_file.h"
#include "support/restart_state.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <sanitizer/common_interface_defs.h>
#include <stdlib.h>

// no input asks for more: the largest of them has a thousand bytes
extern "C" const char *__asan_default_options();
extern "C" const char *__asan_default_options()
{
  return "max_allocation_size_mb=64:allocator_may_return_null=0";
}

namespace {

using namespace E3D;
using Random = std::mt19937_64;

constexpr double SECONDS = 0.5;    // of a processor that one input may take, with sanitizers
const std::string LAST_NAME = "fuzz_parsers.last";    // of the input that ended the program, to look at
std::string file_name;                                // in memory where there is such a folder
std::string last_input;
const PairLabels LABELS({"", "C", "H", "O"});

void keep_last_input()
{
  std::ofstream(LAST_NAME, std::ios::binary) << last_input;
}

void require(bool condition, const char *what)
{
  if (condition) return;
  std::printf("not true: %s (the input is in %s)\n", what, LAST_NAME.c_str());
  keep_last_input();
  std::exit(1);
}

void write(const std::string &bytes)
{
  std::ofstream(file_name, std::ios::binary) << bytes;
}

// ---------------------------------------------------------------- what is read, and what must be true of it

void read_cutoffs(const std::string &bytes)
{
  write(bytes);
  const BondCutoff cutoff({"file", file_name});
  for (const char *element : {"C", "H", "O"}) {
    const double r = cutoff(element, "H");
    require(std::isfinite(r) && (r > 0.0 || r == -1.0), "a cutoff is a length, or there is none");
    require(r == cutoff("H", element), "a cutoff knows no order");
  }
}

void read_thresholds(const std::string &bytes)
{
  write(bytes);
  const std::vector<double> cutoffs(LABELS.size(), 2.0);
  const std::vector<char> occurs(LABELS.size(), 1);
  const BondThresholds found = bond_thresholds(BondCriterion::Energy, {{"", file_name, 0.0}},
                                               {{"", "", -0.1}}, {LABELS, cutoffs, occurs, 1.0});
  for (int label = 0; label < LABELS.size(); label++)
    require(!found.are_known(label) ||
                (found.form[label] < found.break_off[label] && found.break_off[label] < 0.0),
            "form < break < 0");
}

void read_reference(const std::string &bytes)
{
  write(bytes);
  EnergyMap map(0.1, {{"C-H", false}, {"H-H", true}});
  map.add(0, -4.25, 0.15);
  map.add(1, -4.45, 0.05);
  const ReferenceMap reference(file_name, {0.1, "covalent", "unknown", false});
  for (const LabelMap &label : map.labels()) {
    const int64_t halves = reference.unvisited_halves(label);
    require(halves >= 0 && halves <= 2, "no more than the map's own pair");
  }
}

const std::string HEADER = "e3d-species/1\ncolumns step molecules species formulas...\n";

void go_on_with(const std::string &bytes)
{
  write(bytes);
  GrowingFile file;
  const std::string last = file.resume(file_name, HEADER, 100);
  file.append("101 1 1 H2:1\n");
  file.close();
  std::stringstream text;
  text << std::ifstream(file_name, std::ios::binary).rdbuf();
  const std::string now = text.str(), end = (last.empty() ? "" : last + "\n") + "101 1 1 H2:1\n";
  require(now.compare(0, HEADER.size(), HEADER) == 0, "the header stays");
  require(now.size() >= HEADER.size() + end.size() &&
              now.compare(now.size() - end.size(), end.size(), end) == 0,
          "the new row follows the last one that was kept");
}

// the length before the state is LAMMPS's own word for how much there is, and is right
void restart_map(const std::string &bytes)
{
  std::string buffer(sizeof(int64_t), '\0');
  const auto size = static_cast<int64_t>(bytes.size());
  std::memcpy(buffer.data(), &size, sizeof(size));
  buffer += bytes;
  const std::vector<char> exact(buffer.begin(), buffer.end());    // not a byte more

  EnergyMap map(0.1, {{"C-H", false}, {"H-H", true}});
  RestartReader state(exact.data());
  state.text();
  state.number();
  state.list<double>();
  map.merge(state.list<int64_t>());
  map.text();
}

void restart_bonds(const std::string &bytes)
{
  std::vector<double> buffer((bytes.size() + sizeof(double) - 1) / sizeof(double));
  if (!bytes.empty()) std::memcpy(buffer.data(), bytes.data(), bytes.size());
  BondState bonds;
  bonds.resize(1);
  bonds.unpack(0, buffer.data(), static_cast<int>(buffer.size()));
  require(bonds.doubles(0) == static_cast<int>(buffer.size()), "all is used");
}

void read_rows(const std::string &bytes)
{
  constexpr int ROWS = 8;
  const std::vector<char> exact(bytes.begin(), bytes.end());
  std::vector<int64_t> ids(ROWS);
  std::vector<int32_t> types(ROWS);
  std::vector<double> reals(ROWS);
  std::vector<char> symbols(8 * ROWS);
  const int32_t kinds[] = {e3d_column_id, e3d_column_type, e3d_column_symbol, e3d_column_real,
                           e3d_column_word};
  void *const targets[] = {ids.data(), types.data(), symbols.data(), reals.data(), nullptr};
  const int64_t strides[] = {8, 4, 8, 8, 0};
  const e3d_columns columns = {5, kinds, targets, strides};
  e3d_row_report report;
  e3d_read_rows(exact.data(), static_cast<int64_t>(exact.size()), 0, ROWS, &columns, &report);
  require(report.rows >= 0 && report.rows <= ROWS && report.used >= 0 &&
              report.used <= static_cast<int64_t>(exact.size()),
          "rows and bytes that there are");
  for (int64_t row = 0; row < report.rows; row++)
    require(ids[row] >= 1 && types[row] >= 1 && std::isfinite(reals[row]), "ids, types and numbers");
}

// ---------------------------------------------------------------- good files

template <typename T> void put(std::string &bytes, const T &value)
{
  bytes.append(reinterpret_cast<const char *>(&value), sizeof(value));
}

std::string map_state()
{
  EnergyMap map(0.1, {{"C-H", false}, {"H-H", true}});
  for (int k = 0; k < 9; k++) map.add(k % 2, -4.0 + 0.3 * k, 0.2 * k);
  const std::vector<int64_t> words = map.pack();
  std::string bytes;
  put(bytes, int64_t{4});
  bytes += "1/st";
  put(bytes, int64_t{77});
  put(bytes, int64_t{2});
  put(bytes, 1.5);
  put(bytes, 2.5);
  put(bytes, static_cast<int64_t>(words.size()));
  for (const int64_t word : words) put(bytes, word);
  return bytes;
}

std::string bond_state()
{
  BondState bonds;
  bonds.resize(1);
  std::vector<BondCandidate> pairs;
  for (int64_t partner : {9, 7, 3}) pairs.push_back({partner, 1, 2, true, 0, -4.0, 0.1, 1.1});
  std::vector<BondEvent> events;
  const BondThresholds thresholds = {BondCriterion::Energy, {-2.0}, {-1.0}};
  bonds.update(0, 5, pairs, thresholds, true, events);
  std::vector<double> buffer(bonds.doubles(0));
  bonds.pack(0, buffer.data());
  return {reinterpret_cast<const char *>(buffer.data()), buffer.size() * sizeof(double)};
}

struct Format {
  const char *name;
  std::function<void(const std::string &)> read;
  std::string good;
};

std::vector<Format> formats()
{
  const std::string map =
      "e3d-map/1\nbin 0.1\ncutoff covalent\nsamples 3\nprovenance energy_unit eV\n"
      "label C-H 2 -8.5 36 0.2 0.02 0.2 1\n-43 1 2\nlabel H-H 1 -4.5 20 0 0 0 1\n-45 0 1\n"
      "end\n";
  return {
      {"bond cutoffs", read_cutoffs, "# lengths\nC H 1.4\nC C 1.9\n\nO H 1.25 # short\n"},
      {"map of thresholds", read_thresholds, map},
      {"reference map", read_reference, map},
      {"growing file", go_on_with, HEADER + "0 3 2 H2:2 H2O:1\n50 3 1 H2O:3\n150 3 1 H2O:3\n"},
      {"state of fix e3d/map", restart_map, map_state()},
      {"bonds of an atom", restart_bonds, bond_state()},
      {"rows of a dump", read_rows,
       "1 1 C -1.25e-3 word\n22 2 H 12345678.12345678 x\n9007199254740992 3 O 0 y\n"},
  };
}

// ---------------------------------------------------------------- damage

std::string damaged(std::string bytes, Random &random)
{
  static const std::vector<std::string> words = {"0",
                                                 "-1",
                                                 "--5",
                                                 "1e9",
                                                 "1e999",
                                                 "-1e308",
                                                 "nan",
                                                 "inf",
                                                 "2147483648",
                                                 "9223372036854775808",
                                                 std::string(400, '7'),
                                                 "\n",
                                                 " ",
                                                 "#",
                                                 "\x1b[2J",
                                                 std::string(1, '\0'),
                                                 "\xff\xfe",
                                                 "end",
                                                 "label",
                                                 "e3d-map/2"};
  static const std::vector<int64_t> numbers = {
      0, -1, 1, INT64_MAX, INT64_MIN, int64_t{1} << 32, int64_t{1} << 60, 0x7ff8000000000000};
  for (uint64_t n = 1 + random() % 4; n; n--) {
    const std::size_t at = bytes.empty() ? 0 : random() % bytes.size();
    switch (random() % 7) {
      case 0: bytes.resize(at); break;
      case 1: bytes.insert(at, words[random() % words.size()]); break;
      case 2: bytes.erase(at, random() % 20); break;
      case 3:
        if (!bytes.empty()) bytes[at] = static_cast<char>(random());
        break;
      case 4:
        if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ 1 << random() % 8);
        break;
      case 5:    // a number of a binary state
        if (bytes.size() >= 8)
          std::memcpy(&bytes[random() % (bytes.size() / 8) * 8], &numbers[random() % numbers.size()], 8);
        break;
      default: bytes.insert(at, bytes.substr(random() % (bytes.size() + 1), random() % 60));
    }
  }
  return bytes;
}

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start)
{
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// whether it was read
bool try_one(const Format &format, const std::string &bytes)
{
  const std::clock_t start = std::clock();
  bool was_read = true;
  try {
    format.read(bytes);
  } catch (const std::runtime_error &e) {
    was_read = false;
    require(e.what()[0] != '\0' && !std::strchr(e.what(), '\n'), "an error is one line");
  }
  require(static_cast<double>(std::clock() - start) < SECONDS * CLOCKS_PER_SEC, "an input takes little time");
  return was_read;
}

}    // namespace

int main(int argc, char **argv)
{
  const double seconds = argc > 1 ? std::atof(argv[1]) : 5.0;
  const uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  Random random(seed);
  std::string folder =
      (std::filesystem::exists("/dev/shm") ? "/dev/shm" : ".") + std::string("/fuzz_parsers.XXXXXX");
  require(mkdtemp(folder.data()), "a folder of its own");
  file_name = folder + "/file";
  __sanitizer_set_death_callback(keep_last_input);
  std::vector<long> tried(formats().size()), read(formats().size());
  const auto all = formats();
  for (const auto &format : all) require(try_one(format, format.good), format.name);
  const auto start = Clock::now();
  for (std::size_t k = 0; seconds_since(start) < seconds; k = (k + 1) % all.size()) {
    const std::string bytes = damaged(all[k].good, random);
    last_input = bytes;
    read[k] += try_one(all[k], bytes);
    tried[k]++;
  }
  for (std::size_t k = 0; k < all.size(); k++)
    std::printf("%-22s %7ld damaged, %6ld of them read\n", all[k].name, tried[k], read[k]);
  std::filesystem::remove_all(folder);
  return 0;
}
