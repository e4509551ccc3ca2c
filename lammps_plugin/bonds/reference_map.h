/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_REFERENCE_MAP_H
#define E3D_REFERENCE_MAP_H

#include "bonds/map_file.h"

#include <string>
#include <vector>

namespace E3D {

/* What a map of a run says about itself: a reference has the same, or its bins are other bins. */

struct MapSettings {
  double width;                // of the bins, energy units of the run
  std::string cutoff;          // as the header of a map file has it
  std::string model_source;    // hash of the checkpoint that the model was exported from; "unknown" is none
  bool in_kcal_per_mol;        // energy units of the run, else eV
};

/* The bins that a reference has visited, as a rule the map of a training set; e3d_lmp.analysis.novelty is the
   same in Python. */

class ReferenceMap {
 public:
  // throws std::runtime_error with what to type if the file is no map, or its bins, cutoff or model are others
  ReferenceMap(const std::string &path, const MapSettings &settings);

  // weight of a map in bins that the reference never visited, in halves of a pair
  int64_t unvisited_halves(const LabelMap &map) const;

  bool knows(const std::string &label) const { return file_.labels.count(label); }
  // whether file and run both say which model they are of
  bool names_model() const { return names_model_; }
  // how much is in it: "1234 bins of 56789 bonds"
  std::string size_text() const;
  double memory_usage() const;

 private:
  MapFile file_;
  bool names_model_;
};

}    // namespace E3D

#endif
