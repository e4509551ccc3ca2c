/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_BOND_STATE_H
#define E3D_BOND_STATE_H

#include "bonds/bond_thresholds.h"

#include <cstdint>
#include <vector>

namespace E3D {

/* A bond that has formed or broken on a sampled step. Plain data: ranks send it as bytes. */

struct BondEvent {
  int64_t id1, id2;    // atom 1 is the first atom of the pair label
  double D, A, r;      // LAMMPS energy units, Angstrom; NaN where the pair has left the list
  int32_t type1, type2;
  int32_t formed;    // 1 formed, 0 broken
  int32_t unused;
};

/* A pair within the bond cutoff, seen from the atom that keeps its bond. */

struct BondCandidate {
  int64_t partner;    // atom id
  int own_type, partner_type;
  bool is_first;    // whether the keeper is the first atom of the pair label
  int label;
  double D, A, r;
};

/* The bonds of a run, each kept by one of its atoms: a list of partners per atom, which moves along where
   the atom goes. A bond is known by its two ids; of several images of one pair the strongest (distance
   criterion: the shortest) counts. Beside the list an atom keeps its own id: the lists are of no use when atoms
   are numbered anew. */

class BondState {
 public:
  static constexpr int MAX_BONDS = 1000;    // that one atom may keep

  void resize(int atoms) { atoms_.resize(atoms); }
  void copy(int from, int to) { atoms_[to] = atoms_[from]; }
  void clear(int atom) { atoms_[atom] = Atom(); }

  // of the last update, 0 for an atom that has had none
  int64_t id(int atom) const { return atoms_[atom].id; }
  int num_bonds(int atom) const { return static_cast<int>(atoms_[atom].links.size()); }
  int64_t partner(int atom, int k) const { return atoms_[atom].links[k].partner; }

  // as doubles: the id, the number of bonds, then LINK_DOUBLES of each
  int doubles(int atom) const { return doubles_of(num_bonds(atom)); }
  static constexpr int doubles_of(int bonds) { return ATOM_DOUBLES + LINK_DOUBLES * bonds; }
  int pack(int atom, double *buffer) const;          // returns the doubles written
  static int packed_doubles(const double *buffer)    // of what pack() wrote
  {
    return doubles_of(static_cast<int>(buffer[1]));
  }
  // takes in what pack() wrote; throws std::runtime_error where that has another size than this
  void unpack(int atom, const double *buffer, int size);

  /* What becomes of an atom's bonds, given all its pairs within the bond cutoff (which are sorted).
     Where begin is set there is no past: pairs that are not beyond the breaking threshold are bonds,
     without events. */
  void update(int atom, int64_t id, std::vector<BondCandidate> &candidates, const BondThresholds &thresholds,
              bool begin, std::vector<BondEvent> &events);

  double memory_usage() const;

 private:
  static constexpr int ATOM_DOUBLES = 2, LINK_DOUBLES = 2;
  struct Link {
    int64_t partner;
    int own_type, partner_type;    // when the bond formed, for the event of its end
    bool is_first;
  };
  struct Atom {
    int64_t id = 0;
    std::vector<Link> links;    // in ascending order of the partners
  };
  std::vector<Atom> atoms_;
};

}    // namespace E3D

#endif
