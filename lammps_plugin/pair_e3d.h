/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef LMP_PAIR_E3D_H
#define LMP_PAIR_E3D_H

#include "pair.h"

#include "bond_cutoff.h"
#include "edge_frame.h"
#include "edge_list.h"
#include "edge_model.h"

#include <memory>
#include <string>
#include <vector>

namespace LAMMPS_NS {

class PairE3D : public Pair {
 public:
  PairE3D(class LAMMPS *);
  ~PairE3D() override;

  void compute(int, int) override;
  void settings(int, char **) override;
  void coeff(int, char **) override;
  void init_style() override;
  double init_one(int, int) override;
  void finish() override;
  double memory_usage() override;

  // what computes and fixes may read

  // the edges of this step; error->one if the model has not run on the atoms as they are now
  const E3D::EdgeFrame &edge_frame(const std::string &requested_by) const;
  // squared bond cutoffs by LAMMPS type, row = centre, (ntypes+1)^2 entries; throws
  // std::runtime_error where a bond cutoff is longer than the model's
  std::vector<double> bond_cutoffs_squared(const E3D::BondCutoff &) const;

  // the one pair_style e3d of the run; error->all with the requesting style's name if there is none
  static PairE3D *find(class LAMMPS *, const std::string &requested_by);

 private:
  // settings

  std::string device = "auto";
  int chunk_centres = 0;    // 0: as many as stay within CHUNK_EDGES

  // model

  std::unique_ptr<E3D::EdgeModel> model;
  std::string model_file;
  std::vector<int> type_map;    // (ntypes+1) LAMMPS type to model type, -1 for NULL
  E3D::TypeTable types;
  int threads = 1;
  double energy_unit = 1.0;    // LAMMPS energy units per eV
  bool banner_shown = false;
  bool exclusions_reported = false;

  // this step

  E3D::EdgeFrame frame;
  E3D::EdgeChunk chunk;

  // wall seconds since the start of the run

  struct Seconds {
    double edges = 0.0, model = 0.0, scatter = 0.0;
    bigint steps = 0, evaluated_edges = 0;
  } seconds;

  void allocate();
  void load_model(const std::string &);
  void map_types(int, char **);
  void show_banner();
  void check_topology();
  E3D::NeighborView neighbor_view() const;
  void scatter(const E3D::ModelOutput &);
};

}    // namespace LAMMPS_NS

#endif
