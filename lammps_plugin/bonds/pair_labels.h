/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_PAIR_LABELS_H
#define E3D_PAIR_LABELS_H

#include <string>
#include <vector>

namespace E3D {

/* The pair labels of a run and which atom of a pair comes first (ARCHITECTURE section 1).

   A label is two chemical elements in alphabetical order, H last: C-H, C-N, N-H, O-H, O-Si. Labels
   are numbered in the order of their elements: C-C, C-N, C-O, C-H, N-N, ... */

class PairLabels {
 public:
  static constexpr int NONE = -1;
  static constexpr double ZERO = 1e-3;    // Angstrom

  PairLabels() = default;
  // elements: (ntypes+1) chemical element of each LAMMPS type, empty for NULL, entry 0 unused
  explicit PairLabels(const std::vector<std::string> &elements);

  int size() const { return static_cast<int>(names_.size()); }
  const std::string &name(int label) const { return names_[label]; }
  bool is_like(int label) const { return like_[label]; }
  // label of two LAMMPS types, NONE where one of them is NULL
  int of_types(int type1, int type2) const { return label_[type1 * width_ + type2]; }
  // label of a word such as C-H or H-C; throws std::runtime_error with a message for the user
  int of_word(const std::string &word) const;
  // chemical element of a LAMMPS type, empty for NULL
  const std::string &element(int type) const { return elements_[type]; }

  /* Whether atom 1 is the first atom of the pair: that of the label's first element; of like elements
     the lower id; of equal ids (an atom and its own image) the one from which r points to r_z > 0,
     or r_z = 0 and r_y > 0, or both 0 and r_x > 0. r: from atom 1 to atom 2, Angstrom; a ghost of a
     triclinic box carries rounding errors, so less than ZERO counts as 0. */
  template <typename Id> bool is_first(int type1, Id id1, int type2, Id id2, const double *r) const
  {
    if (rank_[type1] != rank_[type2]) return rank_[type1] < rank_[type2];
    if (id1 != id2) return id1 < id2;
    if (r[2] > ZERO || r[2] < -ZERO) return r[2] > 0.0;
    if (r[1] > ZERO || r[1] < -ZERO) return r[1] > 0.0;
    return r[0] > 0.0;
  }

 private:
  std::size_t width_ = 0;
  std::vector<std::string> elements_;    // (ntypes+1)
  std::vector<int> rank_;                // (ntypes+1) place of the element in the order of labels
  std::vector<int> label_;               // (ntypes+1)^2
  std::vector<std::string> names_;       // (labels)
  std::vector<char> like_;               // (labels)
};

}    // namespace E3D

#endif
