/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef LMP_FIX_E3D_SHC_H
#define LMP_FIX_E3D_SHC_H

#include "fix.h"

#include <cstddef>
#include <string>
#include <vector>

namespace LAMMPS_NS {

class FixE3DShc : public Fix {
 public:
  FixE3DShc(class LAMMPS *, int, char **);
  ~FixE3DShc() override;
  int setmask() override;
  void init() override;
  void end_of_step() override;
  double compute_scalar() override;
  double compute_array(int, int) override;
  double memory_usage() override;

  void grow_arrays(int) override;
  void copy_arrays(int, int, int) override;
  void set_arrays(int) override;
  int pack_exchange(int, double *) override;
  int unpack_exchange(int, double *) override;
  void write_restart(FILE *) override;
  void restart(char *) override;
  void set_molecule(int, tagint, int, double *, double *, double *) override {}    // see fix_e3d_map.h

  int pack_reverse_comm(int, int, double *) override;
  void unpack_reverse_comm(int, int *, double *) override;

 private:
  // what an atom keeps of each of the last samples, a row of num_lags floats each
  enum Kept { VX, VY, VZ, WX, WY, WZ, ENERGY, NUM_KEPT };
  enum Part { POTENTIAL, CONVECTIVE, NUM_PARTS };

  // settings

  std::string name;    // "fix ID e3d/shc"
  int num_lags;        // lags are -(num_lags - 1) ... num_lags - 1, in samples
  bigint block_samples;
  double direction[3];    // unit vector
  std::string file;
  class PairE3D *pair = nullptr;
  int num_rows;    // 2 num_lags - 1

  // the last samples of this rank's atoms

  std::vector<float> ring;    // (nmax, NUM_KEPT, num_lags)
  int slot = 0;               // of the newest sample
  bigint filled = 0;          // samples in the ring, at most num_lags
  bigint last_sample = -1;    // step
  bigint atoms_then = 0;      // of the system at that step
  int newcomers = 0;          // whether atoms have come to this rank since, with an empty ring
  double interval = 0.0;      // time between samples, of those here and of finished blocks; 0: there are none
  double force_now[3] = {0.0, 0.0, 0.0};    // of fix e3d/hnemd in this run, 1/Angstrom
  double drive[3] = {0.0, 0.0, 0.0};        // the same, of those samples and blocks

  // this rank's part of the block: sums over atoms and samples

  std::vector<double> sums;       // (NUM_PARTS, num_rows)
  std::vector<double> by_slot;    // (2 * NUM_PARTS, num_lags) of one sample
  std::vector<double> virial;     // (nlocal+nghost, 3) sum_a n_a W_i,ab of this step
  double sum_kinetic = 0.0, sum_volume = 0.0;
  bigint taken = 0;    // samples in the block

  // finished blocks, the same on all ranks

  bigint num_blocks = 0, first_step = 0, last_step = 0;
  double mean_temperature = 0.0, mean_volume = 0.0;
  std::vector<double> blocks;    // (num_blocks, NUM_PARTS, num_rows)

  std::size_t row_of(int i) const { return static_cast<std::size_t>(i) * NUM_KEPT * num_lags; }
  int kept_doubles() const { return (NUM_KEPT * num_lags + 1) / 2; }
  std::string settings() const;
  void check_writable() const;
  void gather_virials();
  void begin_anew();
  std::string why_torn();
  void check_unchanged();
  void sample();
  void finish_block();
  void write_file() const;
  double mean_of(int part, int row) const;
};

}    // namespace LAMMPS_NS

#endif
