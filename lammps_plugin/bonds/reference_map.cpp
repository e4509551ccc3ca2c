/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "bonds/reference_map.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace E3D {

static constexpr double SAME_WIDTH = 1e-9;    // relative: widths in kcal/mol have been multiplied
static constexpr const char *MODEL_KEY = "model_source";
static constexpr const char *NO_MODEL = "unknown";

ReferenceMap::ReferenceMap(const std::string &path, const MapSettings &settings) : file_(read_map_file(path))
{
  const double per_file_unit = settings.in_kcal_per_mol == file_.in_kcal_per_mol ? 1.0
      : file_.in_kcal_per_mol                                                    ? KCAL_PER_MOL
                                                                                 : 1.0 / KCAL_PER_MOL;
  const double width = file_.width * per_file_unit;
  const std::string unit = settings.in_kcal_per_mol ? " kcal/mol" : " eV";
  if (!(std::fabs(width - settings.width) <= SAME_WIDTH * settings.width))
    throw std::runtime_error("the bins of reference " + path + " are " + real_text(width) + unit +
                             " wide, not " + real_text(settings.width) + unit + ": give 'bin " +
                             real_text(width) + "', or make the reference again with this width");
  if (file_.cutoff != settings.cutoff)
    throw std::runtime_error("the bonds of reference " + path + " are those of 'cutoff " + file_.cutoff +
                             "', not of 'cutoff " + settings.cutoff + "': give 'cutoff " + file_.cutoff +
                             "', or make the reference again with this cutoff");
  const auto source = file_.provenance.find(MODEL_KEY);
  names_model_ =
      source != file_.provenance.end() && source->second != NO_MODEL && settings.model_source != NO_MODEL;
  if (names_model_ && source->second != settings.model_source)
    throw std::runtime_error("reference " + path + " is of another model, from the checkpoint " +
                             source->second.substr(0, 12) + ", not " + settings.model_source.substr(0, 12) +
                             ": make it again with the model of this run (e3d evaluate, then e3d analyze)");
}

int64_t ReferenceMap::unvisited_halves(const LabelMap &map) const
{
  static const MapFile::Label nothing;
  const auto found = file_.labels.find(map.name);
  const auto &visited = found == file_.labels.end() ? nothing.bins : found->second.bins;
  int64_t halves = 0;
  auto at = visited.begin();
  for (const auto &bin : map.bins.sorted()) {
    at = std::lower_bound(at, visited.end(), bin,
                          [](const SparseBins::Bin &a, const SparseBins::Bin &b) { return a.code < b.code; });
    if (at == visited.end() || at->code != bin.code) halves += bin.halves;
  }
  return halves;
}

std::string ReferenceMap::size_text() const
{
  std::size_t bins = 0;
  int64_t pairs = 0;
  for (const auto &label : file_.labels) {
    bins += label.second.bins.size();
    pairs += label.second.count;
  }
  return std::to_string(bins) + " bins of " + std::to_string(pairs) + " bonds";
}

double ReferenceMap::memory_usage() const
{
  double bytes = 0.0;
  for (const auto &label : file_.labels)
    bytes += static_cast<double>(label.second.bins.capacity()) * sizeof(SparseBins::Bin);
  return bytes;
}

}    // namespace E3D
