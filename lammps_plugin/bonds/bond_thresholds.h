/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_BOND_THRESHOLDS_H
#define E3D_BOND_THRESHOLDS_H

#include "bonds/pair_labels.h"

#include <string>
#include <vector>

namespace E3D {

enum class BondCriterion { Energy, Distance };

/* One "form" or "break" of an input: a number for all labels, a number for one label, or a map. */

struct ThresholdWord {
  std::string label;       // empty: all labels
  std::string map_file;    // of format e3d-map/1; then value counts nothing
  double value = 0.0;      // LAMMPS energy units, or Angstrom with the distance criterion
};

/* When bonds form and break, by pair label. NaN where a label has no thresholds: it has no cutoff,
   or nothing is known of it and it was not expected to occur. */

struct BondThresholds {
  BondCriterion criterion = BondCriterion::Energy;
  std::vector<double> form;         // (labels) energy: D below it; distance: r below it
  std::vector<double> break_off;    // (labels) energy: D above it; distance: r above it

  bool are_known(int label) const { return form[label] == form[label]; }
  bool forms(int label, double value) const { return value < form[label]; }
  bool breaks(int label, double value) const { return value > break_off[label]; }
};

/* What the thresholds depend on beside the words of the input. */

struct ThresholdContext {
  const PairLabels &labels;
  std::vector<double> cutoff;    // (labels) longest bond cutoff, Angstrom; 0 where there are no bonds
  std::vector<char> occurs;      // (labels) whether atoms of both elements are there
  double energy_unit;            // LAMMPS energy units per eV
};

/* The thresholds of every label. A word for one label goes before a map or a number for all; where only
   one of form and break is given, energies keep the ratio 2 : 1; where none is, energies are those of
   the package's table of average bond enthalpies E: form -E/2, break -E/4; distances: form 0.9 C,
   break at the bond cutoff C. A map gives mean(D)/2 and mean(D)/4. Throws std::runtime_error. */

BondThresholds bond_thresholds(BondCriterion criterion, const std::vector<ThresholdWord> &form,
                               const std::vector<ThresholdWord> &break_off, const ThresholdContext &context);

}    // namespace E3D

#endif
