/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "bonds/bond_thresholds.h"

#include "bond_energies.h"
#include "bonds/map_file.h"

#include <cmath>
#include <limits>
#include <map>
#include <sstream>
#include <stdexcept>

namespace E3D {

static constexpr double FORM_FRACTION = 0.5;    // of the mean or tabulated energy
static constexpr double BREAK_FRACTION = 0.25;
static constexpr double FORM_DISTANCE = 0.9;               // of the bond cutoff
static constexpr double KJ_PER_MOL = 1.0 / 96.48533212;    // eV
static constexpr double NaN = std::numeric_limits<double>::quiet_NaN();

namespace {

  std::string text(double value)
  {
    std::ostringstream out;
    out << value;
    return out.str();
  }

  // mean D of each label of an e3d-map/1 file that has pairs, in LAMMPS energy units
  std::map<std::string, double> mean_energies(const std::string &path, double energy_unit)
  {
    const MapFile file = read_map_file(path);
    const double unit = energy_unit * (file.in_kcal_per_mol ? KCAL_PER_MOL : 1.0);
    std::map<std::string, double> means;
    for (const auto &[name, label] : file.labels)
      if (label.count) means[name] = unit * label.sum_D / static_cast<double>(label.count);
    return means;
  }

  // (labels) the thresholds that the words name, NaN where they name none
  std::vector<double> given(const std::vector<ThresholdWord> &words, double fraction,
                            const ThresholdContext &context)
  {
    const PairLabels &labels = context.labels;
    std::vector<double> values(labels.size(), NaN);
    for (const auto &word : words) {
      if (!word.label.empty()) continue;
      if (word.map_file.empty()) {
        values.assign(labels.size(), word.value);
        continue;
      }
      const auto means = mean_energies(word.map_file, context.energy_unit);
      for (int k = 0; k < labels.size(); k++) {
        const auto mean = means.find(labels.name(k));
        if (mean != means.end() && mean->second < 0.0) values[k] = fraction * mean->second;
      }
    }
    for (const auto &word : words)
      if (!word.label.empty()) values[labels.of_word(word.label)] = word.value;
    return values;
  }

  double table_energy(const std::string &label)
  {
    for (const auto &entry : bond_energies)
      if (label == entry.label) return -entry.energy * KJ_PER_MOL;
    return NaN;
  }

  void complete_energies(BondThresholds &thresholds, const ThresholdContext &context)
  {
    std::string unknown, example;
    for (int k = 0; k < context.labels.size(); k++) {
      double &form = thresholds.form[k], &off = thresholds.break_off[k];
      if (context.cutoff[k] == 0.0) {
        form = off = NaN;
        continue;
      }
      const double table = table_energy(context.labels.name(k)) * context.energy_unit;
      if (std::isnan(form) && std::isnan(off)) {
        form = FORM_FRACTION * table;
        off = BREAK_FRACTION * table;
      }
      if (std::isnan(form)) form = off * (FORM_FRACTION / BREAK_FRACTION);
      if (std::isnan(off)) off = form * (BREAK_FRACTION / FORM_FRACTION);
      if (std::isnan(form) && context.occurs[k]) {
        unknown += " " + context.labels.name(k);
        if (example.empty()) example = context.labels.name(k);
      }
      if (form >= off || off >= 0.0)
        throw std::runtime_error("the thresholds of " + context.labels.name(k) +
                                 " have to be form < break < 0, but form is " + text(form) +
                                 " and break is " + text(off));
    }
    if (!unknown.empty())
      throw std::runtime_error("there is no default energy for bonds" + unknown +
                               ": give their thresholds, as in 'form " + example + " -1.0 break " + example +
                               " -0.5', or for all pairs 'form -1.0 break -0.5', or " +
                               "'form map FILE break map FILE'");
  }

  void complete_distances(BondThresholds &thresholds, const ThresholdContext &context)
  {
    for (int k = 0; k < context.labels.size(); k++) {
      double &form = thresholds.form[k], &off = thresholds.break_off[k];
      const double cutoff = context.cutoff[k];
      if (cutoff == 0.0) {
        form = off = NaN;
        continue;
      }
      if (std::isnan(form)) form = FORM_DISTANCE * cutoff;
      if (std::isnan(off)) off = cutoff;
      if (form <= 0.0 || form >= off || off > cutoff)
        throw std::runtime_error("the distances of " + context.labels.name(k) +
                                 " have to be 0 < form < break <= the bond cutoff, but form is " +
                                 text(form) + ", break is " + text(off) + " and the cutoff is " +
                                 text(cutoff) + " Angstrom: give others for this pair, as in 'break " +
                                 context.labels.name(k) + " " + text(cutoff) + "', or a longer 'cutoff'");
    }
  }

}    // namespace

BondThresholds bond_thresholds(BondCriterion criterion, const std::vector<ThresholdWord> &form,
                               const std::vector<ThresholdWord> &break_off, const ThresholdContext &context)
{
  BondThresholds thresholds;
  thresholds.criterion = criterion;
  thresholds.form = given(form, FORM_FRACTION, context);
  thresholds.break_off = given(break_off, BREAK_FRACTION, context);
  if (criterion == BondCriterion::Energy)
    complete_energies(thresholds, context);
  else
    complete_distances(thresholds, context);
  return thresholds;
}

}    // namespace E3D
