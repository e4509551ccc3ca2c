/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef LMP_COMPUTE_E3D_ATOM_H
#define LMP_COMPUTE_E3D_ATOM_H

#include "compute.h"

#include <string>
#include <vector>

namespace LAMMPS_NS {

class ComputeE3DAtom : public Compute {
 public:
  ComputeE3DAtom(class LAMMPS *, int, char **);
  ~ComputeE3DAtom() override;
  void init() override;
  void compute_peratom() override;
  double compute_scalar() override;
  double memory_usage() override;
  int pack_reverse_comm(int, int, double *) override;
  void unpack_reverse_comm(int, int *, double *) override;

 private:
  enum class Value { Energy, Bond, Asym, Coord, StdF };
  std::vector<Value> values;
  std::vector<std::string> cutoff_words = {"covalent"};
  class PairE3D *pair = nullptr;
  int subscription = 0;      // to the pair style's bonds within our cutoff
  bool one_sided = false;    // cutoffs differ for the two directions: some bonds have one edge only
  std::string name;          // for messages

  int nmax = 0;
  double *vatom = nullptr;
  double **aatom = nullptr;

  // sums over the bonds of owned and, while bonds are one-sided, ghost atoms
  struct Sums {
    double own = 0.0, reverse = 0.0;    // epsilon of the edges from the atom, and to it
    double bonds = 0.0;                 // their number
  };
  std::vector<Sums> sums;

  bool wants(Value) const;
  void add_up_bonds();
  void reallocate();
};

}    // namespace LAMMPS_NS

#endif
