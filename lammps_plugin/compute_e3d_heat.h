/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef LMP_COMPUTE_E3D_HEAT_H
#define LMP_COMPUTE_E3D_HEAT_H

#include "compute.h"

#include <string>
#include <vector>

namespace LAMMPS_NS {

class ComputeE3DHeat : public Compute {
 public:
  ComputeE3DHeat(class LAMMPS *, int, char **);
  ~ComputeE3DHeat() override;
  void init() override;
  void compute_vector() override;
  void compute_array() override;
  double memory_usage() override;
  int pack_forward_comm(int, int *, double *, int, int *) override;
  void unpack_forward_comm(int, int, double *) override;

 protected:
  static constexpr int NUM_COLUMNS = 6;    // J_x J_y J_z and its convective part, as compute heat/flux

  std::string name;                         // for messages
  std::vector<std::string> cutoff_words;    // empty: every edge goes to its label
  class PairE3D *pair = nullptr;
  std::vector<std::string> row_names;    // pair labels, 'beyond' where there is a cutoff, 'none'
  std::vector<double> cutsq;             // (ntypes+1)^2, of "cutoff C"

  std::vector<double> velocity;    // (nlocal+nghost, 3) of atoms in the group, 0 for others
  std::vector<double> mine;        // (rows, NUM_COLUMNS) of this rank, of this step and evaluation:
  bigint added_step = -1;
  int64_t added_evaluation = -1;

  virtual bool reads_frame() const { return true; }    // of the host
  virtual void add_up();

 private:
  std::vector<std::string> rows_of_run() const;
  void gather_velocities();
};

}    // namespace LAMMPS_NS

#endif
