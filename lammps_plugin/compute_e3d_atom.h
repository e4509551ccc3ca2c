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

 private:
  enum class Value { Energy, Bond, Asym, Coord, StdF };
  std::vector<Value> values;
  std::vector<std::string> cutoff_words = {"covalent"};
  class PairE3D *pair = nullptr;
  int subscription = 0;         // to the pair style's bonds within our cutoff
  std::string name;             // for messages

  int nmax = 0;
  double *vatom = nullptr;
  double **aatom = nullptr;

  bool wants(Value) const;
  void reallocate();
};

}    // namespace LAMMPS_NS

#endif
