/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_MAP_FILE_H
#define E3D_MAP_FILE_H

#include "bonds/energy_map.h"

#include <map>
#include <string>
#include <vector>

namespace E3D {

/* What stands in an e3d-map/1 file, as far as a run uses it. Energies are in the file's own unit. */

struct MapFile {
  struct Label {
    int64_t count = 0;    // pairs
    double sum_D = 0.0;
    std::vector<SparseBins::Bin> bins;    // by code, ascending
  };

  double width = 0.0;    // of the bins; 0 where the file does not say it
  std::string cutoff;    // empty where the file does not say it
  bool in_kcal_per_mol = false;
  std::map<std::string, std::string> provenance;
  std::map<std::string, Label> labels;
};

constexpr double KCAL_PER_MOL = 1.0 / 23.060549;    // eV, the factor that LAMMPS uses

/* Throws std::runtime_error, in one line, if the file cannot be opened, is none of this format, is cut off,
   or has bins that do not add up to its counts. */

MapFile read_map_file(const std::string &path);

}    // namespace E3D

#endif
