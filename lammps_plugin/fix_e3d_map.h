/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef LMP_FIX_E3D_MAP_H
#define LMP_FIX_E3D_MAP_H

#include "fix.h"

#include "bonds/bonded_edges.h"
#include "bonds/energy_map.h"
#include "bonds/reference_map.h"

#include <memory>
#include <string>
#include <vector>

namespace LAMMPS_NS {

class FixE3DMap : public Fix {
 public:
  FixE3DMap(class LAMMPS *, int, char **);

  int setmask() override;
  void init() override;
  void setup(int) override;
  void end_of_step() override;
  double compute_scalar() override;
  double compute_array(int, int) override;
  double memory_usage() override;
  void write_restart(FILE *) override;
  void restart(char *) override;
  // not called; LAMMPS's own has the width of its ids in its symbol, and a plugin that refers to it
  // could not be loaded by a LAMMPS of other sizes to say so (plugin.cpp)
  void set_molecule(int, tagint, int, double *, double *, double *) override {}

 protected:
  enum Column { COUNT, MEAN_D, STD_D, MEAN_ABS_A, STD_A, ENTROPY, UNVISITED, NUM_COLUMNS };

  // settings

  std::string name;    // "fix ID e3d/map"
  bigint nrepeat, nfreq;
  std::string file;    // a "*" in it stands for the step
  std::vector<std::string> cutoff_words;
  bool running = false;          // ave running: nothing is ever forgotten
  std::string settings;          // all that must be the same where a restart goes on
  std::string reference_file;    // empty: none

  class PairE3D *pair = nullptr;
  int subscription = -1;
  std::vector<int> row_of_label;          // row of the array, PairLabels::NONE where a label is left out
  std::vector<std::string> pair_names;    // (labels) of the run

  // sampling, the same on all ranks

  bigint next_sample;                                   // step of the next sample
  bigint newest_step;                                   // seen so far
  bigint taken = 0;                                     // samples since the last output
  bigint samples = 0, first_step = 0, last_step = 0;    // what the map holds

  // this rank's part of the map; after an output rank 0 has all of it

  std::unique_ptr<E3D::EnergyMap> map;
  std::vector<double> table;                       // (rows, NUM_COLUMNS) of the last output
  double unvisited_share = 0;                      // of all bonds of the last output
  std::unique_ptr<E3D::ReferenceMap> reference;    // on rank 0
  std::string reference_text;                      // how much is in it; on all ranks
  std::string reference_model;                     // source of the model that it was compared with

  // what runs on a device does otherwise

  virtual void add_pairs();          // of this rank and step
  virtual void bring_to_host() {}    // all that was added is in `map` afterwards

  void parse(int, char **);
  void choose_rows(const std::vector<std::string> &);
  void check_writable() const;
  void read_reference();
  bigint next_valid() const;
  void sample();
  void add(const E3D::BondedEdges &);
  [[noreturn]] void refuse(int row, double D, double A, int first, int second) const;
  void reduce();
  void fill_table();
  void write_map() const;
  std::string cutoff_text() const;
  std::string header() const;
};

}    // namespace LAMMPS_NS

#endif
