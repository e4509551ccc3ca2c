/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_SPECIES_H
#define E3D_SPECIES_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace E3D {

/* Sets of atoms that are connected on this rank (union-find), each with the lowest label of its atoms. */

class Components {
 public:
  void reset(std::vector<int64_t> labels);    // every atom alone, with its own label
  void unite(int i, int j);
  int64_t label(int i) { return label_[root(i)]; }
  bool lower(int i, int64_t label);    // give the set of i this label if it is lower; whether it was

 private:
  std::vector<int> parent_;
  std::vector<int64_t> label_;    // of a root: lowest label of its set
  int root(int i);
};

/* Hill order: carbon, hydrogen, then alphabetical; without carbon all alphabetical. elements and counts
   run in parallel, in any order; elements of count 0 are left out. */

std::string hill_formula(const std::vector<std::string> &elements, const int64_t *counts);

/* How many molecules there are of each formula. */

class SpeciesCount {
 public:
  void clear() { counts_.clear(); }
  void add(const std::string &formula, int64_t molecules) { counts_[formula] += molecules; }
  void add_words(const std::string &words);    // "C2H6O:12 H2O:3", as words() gives them
  std::string words() const;                   // the commonest first, ties by name
  int64_t molecules() const;
  int64_t species() const { return static_cast<int64_t>(counts_.size()); }

 private:
  std::map<std::string, int64_t> counts_;
};

}    // namespace E3D

#endif
