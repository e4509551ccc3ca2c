/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef LMP_FIX_E3D_HNEMD_H
#define LMP_FIX_E3D_HNEMD_H

#include "fix.h"

#include <string>
#include <vector>

namespace LAMMPS_NS {

class FixE3DHnemd : public Fix {
 public:
  FixE3DHnemd(class LAMMPS *, int, char **);

  int setmask() override;
  void init() override;
  void setup(int) override;
  void post_force(int) override;
  void end_of_step() override;
  double compute_vector(int) override;
  double memory_usage() override;
  void write_restart(FILE *) override;
  void restart(char *) override;
  int pack_reverse_comm(int, int, double *) override;
  void unpack_reverse_comm(int, int *, double *) override;
  const double *driving_force() const { return drive; }    // (3) 1/Angstrom
  // not called; LAMMPS's own has the width of its ids in its symbol (see fix_e3d_map.h)
  void set_molecule(int, tagint, int, double *, double *, double *) override {}

 protected:
  enum Entry { KAPPA, CURRENT = 3, TEMPERATURE = 6, SAMPLES, NUM_ENTRIES };

  std::string name;       // "fix ID e3d/hnemd"
  double drive[3];        // F_e, 1/Angstrom
  double magnitude;       // |F_e|
  double watt_per_m_k;    // one energy/(time length temperature) of the run in W/m/K
  class PairE3D *pair = nullptr;
  bool thermostat_reported = false, momentum_reported = false;

  // what /kk does on the device, with edges, virials and forces that are there

  virtual bool reads_frame() const { return true; }    // of the host
  virtual void gather_virials();
  virtual void add_driving_forces(double (&added)[4]);    // their sum over atoms of this rank, and the mass
  virtual void take_off(const double (&per_mass)[3]);
  virtual void add_current(double (&sums)[5]);    // J, kinetic energy and number of atoms of this rank

 private:
  // of the last evaluation, owned and ghost atoms

  std::vector<double> energy;    // (nlocal) U_i
  std::vector<double> virial;    // (nlocal+nghost, 9) W_i, row = position index

  // running sums, the same on all ranks

  double sum_flux[3] = {0.0, 0.0, 0.0};    // of J / volume
  double sum_temperature = 0.0;
  bigint samples = 0;
  double current[3] = {0.0, 0.0, 0.0};    // J of the last sample

  void check_thermostats();
  void check_momentum();
};

}    // namespace LAMMPS_NS

#endif
