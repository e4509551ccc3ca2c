/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef LMP_PAIR_E3D_H
#define LMP_PAIR_E3D_H

#include "pair.h"

#include "bonds/bond_cutoff.h"
#include "bonds/bonded_edges.h"
#include "bonds/pair_labels.h"
#include "edges/chunked_evaluation.h"
#include "edges/committee.h"
#include "edges/edge_frame.h"
#include "edges/edge_list.h"
#include "model/edge_model.h"

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
  int pack_forward_comm(int, int *, double *, int, int *) override;
  void unpack_forward_comm(int, int, double *) override;
  int pack_reverse_comm(int, int, double *) override;
  void unpack_reverse_comm(int, int *, double *) override;

  // what computes and fixes may read

  // the edges of this step; error->one if the model has not run on the atoms as they are now. Those that
  // nobody has subscribed to in init() may be missing: they may be on a GPU
  const E3D::EdgeFrame &edge_frame(const std::string &requested_by);
  // the same check alone: the frame may be on a device, and nothing is copied
  void require_frame(const std::string &requested_by) const;
  // edges within squared cutoffs by LAMMPS type, row = centre, (ntypes+1)^2 entries
  void subscribe_edges(const std::vector<double> &cutsq);
  // all edges with g_ij: subscribe in init(), and ask for the frame with them on the step
  void subscribe_edge_forces() { keeps_edge_forces = true; }
  const E3D::EdgeFrame &edge_frame_with_forces(const std::string &requested_by);
  // squared bond cutoffs by LAMMPS type, row = centre, (ntypes+1)^2 entries; throws
  // std::runtime_error where a bond cutoff is longer than the model's
  std::vector<double> bond_cutoffs_squared(const E3D::BondCutoff &) const;
  // pair labels of the run's types, from the chemical elements of the model
  const E3D::PairLabels &pair_labels() const { return labels; }
  // file of the model that gives the forces, as in pair_coeff
  const std::string &model_path() const { return model_file; }
  // what that file was exported from
  const std::string &model_source() const { return model->metadata().source_sha256; }

  // edges within a bond cutoff, with their reverse edges, and the pairs: once per step for all who
  // use the same cutoff. Subscribe in init(), ask on the step; asking is collective.
  int subscribe_bonds(const std::vector<double> &cutsq);
  const E3D::BondedEdges &bonded_edges(int subscription, const std::string &requested_by);

  // committee: number of models, and the multiple of steps on which all of them run (0: no committee)
  int num_models() const { return 1 + static_cast<int>(members.size()); }
  int committee_every() const { return every; }
  // error->all unless all models run on this step
  void require_committee(const std::string &requested_by) const;

  // the one pair_style e3d of the run; error->all with the requesting style's name if there is none
  static PairE3D *find(class LAMMPS *, const std::string &requested_by);

 protected:
  // settings

  std::string device = "auto", precision = "auto";
  int every = 0;    // all models of a committee run on multiples of this step, 0: there is only one model

  // model

  std::unique_ptr<E3D::EdgeModel> model;                   // gives the forces
  std::vector<std::unique_ptr<E3D::EdgeModel>> members;    // the rest of a committee
  std::string model_file;
  E3D::PairLabels labels;
  std::vector<int> type_map;    // (ntypes+1) LAMMPS type to model type, -1 for NULL
  E3D::TypeTable types;
  int threads = 1;
  double energy_unit = 1.0;    // LAMMPS energy units per eV
  bool banner_shown = false;
  bool missing_reported = false, scaled_reported = false;

  // this step

  E3D::EdgeFrame frame;
  bool keeps_edge_forces = false;    // some style of this run reads frame.g
  std::vector<double> read_cutsq;    // (ntypes+1)^2 edges that styles read beside; 0: none
  E3D::ChunkedEvaluation evaluation;
  E3D::Committee committee;
  struct Bonds {
    std::vector<double> cutsq;    // (ntypes+1)^2
    int64_t evaluation = -1;      // of the frame that the edges belong to
    E3D::BondedEdges edges;
  };
  std::vector<std::unique_ptr<Bonds>> bonds;    // by subscription
  E3D::BondedEdges *exchanged = nullptr;        // what the forward communication carries
  int exchange_pass = 0;

  // since the start of the run, beside what the evaluation counts

  struct Work {
    double edge_seconds = 0.0, model_seconds = 0.0, bond_seconds = 0.0;
    bigint steps = 0, evaluated_edges = 0, bytes_sent = 0;
  } work;

  // what runs on a device does otherwise

  virtual std::unique_ptr<E3D::EdgeModel> open_model(const std::string &);    // throws
  virtual void fetch_frame() {}    // the arrays of a frame that is current are whole afterwards
  virtual void fetch_atoms() {}    // x, tag and type of LAMMPS likewise
  virtual void forward_bonds();

  void allocate();
  std::unique_ptr<E3D::EdgeModel> load_model(const std::string &);
  void load_members(int, char **);
  void map_types(int, char **);
  void prepare_models();
  void show_banner();
  void pair_up(Bonds &, const E3D::EdgeFrame &, const std::string &requested_by);
  [[noreturn]] void refuse_place(tagint centre, tagint neighbour) const;
  [[noreturn]] void refuse_unmatched(tagint neighbour, const std::string &requested_by) const;
  void check_topology();
  void check_special_neighbours();
  E3D::NeighborView neighbor_view() const;
  void begin_work();
  void begin_frame();
  bool is_committee_step() const;
  void evaluate_first();
  void evaluate_committee();
  void evaluate(E3D::EdgeModel &, const E3D::ChunkedEvaluation::Receiver &);
  void show_remarks();
  void scatter(const E3D::EdgeChunk &, const E3D::ModelOutput &);
  void end_frame();
  std::vector<std::string> elements_of_types() const;
};

}    // namespace LAMMPS_NS

#endif
