/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef LMP_COMPUTE_E3D_EDGE_LOCAL_H
#define LMP_COMPUTE_E3D_EDGE_LOCAL_H

#include "compute_local_rows.h"

#include "bonds/bond_cutoff.h"

#include <string>
#include <vector>

namespace LAMMPS_NS {

class ComputeE3DEdgeLocal : public E3D::ComputeLocalRows {
 public:
  ComputeE3DEdgeLocal(class LAMMPS *, int, char **);
  void init() override;
  void compute_local() override;

 private:
  enum class Value { Tag1, Tag2, Type1, Type2, Dist, Dx, Dy, Dz, Eps };
  std::vector<Value> values;
  std::vector<std::string> cutoff_words = {"model"};
  std::vector<double> cutsq;    // (ntypes+1)^2, row = centre type
  class PairE3D *pair = nullptr;

  bigint for_each_edge(bool store);
};

}    // namespace LAMMPS_NS

#endif
