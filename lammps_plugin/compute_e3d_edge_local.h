/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef LMP_COMPUTE_E3D_EDGE_LOCAL_H
#define LMP_COMPUTE_E3D_EDGE_LOCAL_H

#include "compute.h"

#include "bond_cutoff.h"

#include <string>
#include <vector>

namespace LAMMPS_NS {

class ComputeE3DEdgeLocal : public Compute {
 public:
  ComputeE3DEdgeLocal(class LAMMPS *, int, char **);
  ~ComputeE3DEdgeLocal() override;
  void init() override;
  void compute_local() override;
  double memory_usage() override;

 private:
  enum class Value { Tag1, Tag2, Type1, Type2, Dist, Dx, Dy, Dz, Eps };
  std::vector<Value> values;
  std::vector<std::string> cutoff_words = {"model"};
  std::vector<double> cutsq;    // (ntypes+1)^2, row = centre type
  class PairE3D *pair = nullptr;
  std::string name;             // for messages

  int max_rows = 0;
  double *vlocal = nullptr;
  double **alocal = nullptr;

  int for_each_edge(bool store);
  void reallocate(int);
};

}    // namespace LAMMPS_NS

#endif
