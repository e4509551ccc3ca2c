/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "bonds/map_file.h"

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace E3D {

static constexpr int64_t MOST_PAIRS = INT64_C(1)
    << 53;    // of a label: weights are exact in double precision

namespace {

  using Words = std::vector<std::string>;

  struct BadLine {};

  void demand(bool condition)
  {
    if (!condition) throw BadLine();
  }

  int64_t whole_number(const std::string &word, int64_t low, int64_t high)
  {
    char *end;
    errno = 0;
    const long long value = std::strtoll(word.c_str(), &end, 10);
    demand(!word.empty() && *end == '\0' && errno == 0 && value >= low && value <= high);
    return value;
  }

  double real_number(const std::string &word)
  {
    char *end;
    const double value = std::strtod(word.c_str(), &end);
    demand(!word.empty() && *end == '\0' && std::isfinite(value));
    return value;
  }

  std::string joined(const Words &words, std::size_t first)
  {
    std::string text;
    for (std::size_t k = first; k < words.size(); k++) text += (k > first ? " " : "") + words[k];
    return text;
  }

  // a line of a bin: its place, and its weight, a multiple of 1/2
  SparseBins::Bin bin_of(const Words &words, int64_t most_halves)
  {
    demand(words.size() == 3);
    constexpr int64_t limit = EnergyMap::BIN_LIMIT;
    const int64_t d = whole_number(words[0], -limit, limit - 1),
                  a = whole_number(words[1], -limit, limit - 1);
    const double halves = 2.0 * real_number(words[2]);
    demand(halves >= 1.0 && halves <= static_cast<double>(most_halves) && halves == std::floor(halves));
    return {EnergyMap::bin_code(d, a), static_cast<int64_t>(halves)};
  }

  // one line of the header
  void read_header(MapFile &file, const Words &words)
  {
    demand(words.size() > 1);
    if (words[0] == "bin") {
      file.width = real_number(words[1]);
      demand(file.width > 0.0);
    } else if (words[0] == "cutoff") {
      file.cutoff = joined(words, 1);
    } else if (words[0] == "provenance") {
      file.provenance[words[1]] = joined(words, 2);
      if (words[1] == "energy_unit") {
        demand(words.size() == 3 && (words[2] == "eV" || words[2] == "kcal/mol"));
        file.in_kcal_per_mol = words[2] == "kcal/mol";
      }
    } else {
      demand(words[0] == "samples" || words[0] == "steps");
    }
  }

}    // namespace

MapFile read_map_file(const std::string &path)
{
  std::ifstream stream(path);
  if (!stream)
    throw std::runtime_error("cannot open the map " + path +
                             ": give a file of fix e3d/map or of 'e3d analyze'");
  std::vector<std::string> lines;
  std::vector<Words> rows;
  for (std::string line; std::getline(stream, line);) {
    std::istringstream fields(line.substr(0, line.find('#')));
    Words words;
    for (std::string word; fields >> word;) words.push_back(word);
    if (words.empty()) continue;
    rows.push_back(words);
    lines.push_back(line);
    if (rows[0] != Words{"e3d-map/1"}) break;
  }
  if (rows.empty() || rows[0] != Words{"e3d-map/1"})
    throw std::runtime_error("expected a map of the format e3d-map/1 in " + path);
  if (rows.back() != Words{"end"})
    throw std::runtime_error("the map " + path + " is cut off (its last line is not 'end'); make it again");

  MapFile file;
  const std::size_t last = rows.size() - 1;
  std::size_t at = 1;
  try {
    for (; at < last; at++) {
      const Words &words = rows[at];
      if (words[0] != "label") {
        read_header(file, words);
        continue;
      }
      demand(words.size() == 9 && !file.labels.count(words[1]));
      MapFile::Label &label = file.labels[words[1]];
      label.count = whole_number(words[2], 0, MOST_PAIRS);
      label.sum_D = real_number(words[3]);
      int64_t left = 2 * label.count;    // halves of pairs
      for (int64_t k = whole_number(words[8], 0, static_cast<int64_t>(last - at) - 1); k > 0; k--) {
        label.bins.push_back(bin_of(rows[++at], left));
        left -= label.bins.back().halves;
        demand(label.bins.size() < 2 || label.bins[label.bins.size() - 2].code < label.bins.back().code);
      }
      demand(left == 0);
    }
  } catch (const BadLine &) {
    throw std::runtime_error("not a line of e3d-map/1 in " + path + ": " + lines[at]);
  }
  return file;
}

}    // namespace E3D
