/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_BOND_CUTOFF_H
#define E3D_BOND_CUTOFF_H

#include <string>
#include <vector>

namespace E3D {

/* The bond cutoff C of every e3d command, one grammar everywhere:

     model       the model's own directed cutoffs
     covalent    1.3 (R_i + R_j), covalent radii of Cordero et al., Dalton Trans. 2008, 2832
     paper       2.2 Angstrom for all pairs
     NUMBER      Angstrom, for all pairs
     file F      lines "El1 El2 R"; pairs that are not in the file have no bonds

   The covalent radii are those of python/e3d_lmp/data/covalent_radii.txt. */

class BondCutoff {
 public:
  static constexpr double COVALENT_FACTOR = 1.3;
  static constexpr double PAPER = 2.2;

  // number of words that a specification starting with this word takes: 2 for "file"
  static int num_words(const std::string &word) { return word == "file" ? 2 : 1; }

  // specification: one or two words; throws std::runtime_error with a message for the user
  explicit BondCutoff(const std::vector<std::string> &specification);

  bool is_model() const { return kind_ == Kind::Model; }

  // cutoff of a pair of chemical elements in Angstrom; negative where it has none ("model", or a
  // pair that is not in the file); throws where an element has no radius
  double operator()(const std::string &element1, const std::string &element2) const;

 private:
  enum class Kind { Model, Covalent, Number, Table };
  struct Entry {
    std::string element1, element2;
    double cutoff;
  };
  Kind kind_ = Kind::Model;
  double number_ = 0.0;
  std::vector<Entry> table_;

  void read_table(const std::string &file);
};

class TypeTable;

/* Squared bond cutoffs by LAMMPS type, row = centre, (ntypes+1)^2 entries, 0 where a pair has no
   bonds. elements: (ntypes+1) chemical element of each type, empty for NULL. Throws
   std::runtime_error where a bond cutoff is longer than the model's directed cutoff. */

std::vector<double> bond_cutoffs_squared(const BondCutoff &cutoff, const std::vector<std::string> &elements,
                                         const TypeTable &model);

}    // namespace E3D

#endif
