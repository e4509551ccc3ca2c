/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef LMP_COMPUTE_E3D_PAIR_LOCAL_H
#define LMP_COMPUTE_E3D_PAIR_LOCAL_H

#include "compute_local_rows.h"

#include <string>
#include <vector>

namespace LAMMPS_NS {

class ComputeE3DPairLocal : public E3D::ComputeLocalRows {
 public:
  ComputeE3DPairLocal(class LAMMPS *, int, char **);
  void init() override;
  void compute_local() override;
  double compute_scalar() override;

 private:
  enum class Value { Tag1, Tag2, Type1, Type2, Dist, Dx, Dy, Dz, E12, E21, D, A, StdD, StdA };
  std::vector<Value> values;
  std::vector<std::string> cutoff_words = {"covalent"};
  class PairE3D *pair = nullptr;
  int subscription = 0;    // to the pair style's bonds within our cutoff
  bool needs_committee = false;
};

}    // namespace LAMMPS_NS

#endif
