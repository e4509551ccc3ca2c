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
  double memory_usage() override;

 private:
  enum class Value { Energy, Coord };
  std::vector<Value> values;
  std::vector<std::string> cutoff_words = {"covalent"};
  std::vector<double> cutsq;    // (ntypes+1)^2, row = centre type
  class PairE3D *pair = nullptr;
  std::string name;             // for messages

  int nmax = 0;
  double *vatom = nullptr;
  double **aatom = nullptr;

  void reallocate();
};

}    // namespace LAMMPS_NS

#endif
