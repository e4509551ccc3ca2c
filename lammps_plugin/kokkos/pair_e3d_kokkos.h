/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef LMP_PAIR_E3D_KOKKOS_H
#define LMP_PAIR_E3D_KOKKOS_H

#include "pair_e3d.h"

#include "device_bonds.h"
#include "device_committee.h"
#include "device_evaluation.h"
#include "edge_selection.h"

#include "kokkos_base.h"
#include "kokkos_type.h"

#include <memory>
#include <vector>

namespace LAMMPS_NS {

/* pair_style e3d/kk: neighbour list, edges, model and forces on the device. Settings, coefficients, metadata and messages
   are those of PairE3D. Its frame of edges stays on the device; the first style of the host that asks for it on a step gets
   a copy of those edges that styles have subscribed to. */

template <class DeviceType> class PairE3DKokkos : public PairE3D, public KokkosBase {
 public:
  using device_type = DeviceType;
  using AT = ArrayTypes<DeviceType>;

  PairE3DKokkos(class LAMMPS *);
  ~PairE3DKokkos() override;

  void settings(int, char **) override;
  void coeff(int, char **) override;
  void init_style() override;
  void compute(int, int) override;
  void finish() override;
  double memory_usage() override;
  int pack_reverse_comm(int, int, double *) override;
  void unpack_reverse_comm(int, int *, double *) override;
  int pack_reverse_comm_kokkos(int, int, DAT::tdual_double_1d &) override;
  void unpack_reverse_comm_kokkos(int, DAT::tdual_int_1d, DAT::tdual_double_1d &) override;

  // what styles of the device read in place of edge_frame(); the same errors
  struct DeviceFrame {
    const E3D::DeviceAtoms<DeviceType> &atoms;
    const E3D::DeviceEdges<DeviceType> &edges;
    E3D::DeviceEvaluation<DeviceType> &evaluation;
    int64_t number;    // of the evaluation
  };
  DeviceFrame device_frame(const std::string &requested_by);

  // what they read in place of bonded_edges(); collective, once per step and subscription
  struct DeviceBondFrame {
    DeviceFrame frame;
    const E3D::DeviceBonds<DeviceType> &own;    // between atoms of this rank
    const E3D::BondedEdges &crossing;           // to ghosts
  };
  DeviceBondFrame device_bonds(int subscription, const std::string &requested_by);

 protected:
  std::unique_ptr<E3D::EdgeModel> open_model(const std::string &) override;
  void fetch_frame() override;
  void fetch_atoms() override;
  void forward_bonds() override;

 private:
  bool ordered = false;    // forces are added up in an order of their own
  std::vector<std::unique_ptr<E3D::DeviceEvaluation<DeviceType>>>
      evaluations;    // of the model and the members

  // this step

  E3D::DeviceAtoms<DeviceType> atoms;
  E3D::DeviceEdges<DeviceType> edges;
  E3D::EdgeSelection<DeviceType> selection;    // edges that the host gets
  Kokkos::View<double *, DeviceType>
      selected_cutsq;    // (LAMMPS types + 1)^2, empty before the first request
  struct BondsOnDevice {
    E3D::DeviceBonds<DeviceType> own;
    E3D::EdgeFrame crossing_edges;
    Bonds crossing;
  };
  std::vector<std::unique_ptr<BondsOnDevice>> bonds_on_device;    // by subscription
  int64_t fetched = -1;    // evaluation that the frame of the host holds
  E3D::DeviceCommittee<DeviceType> device_committee;
  DAT::ttransform_kkacc_1d k_eatom;
  DAT::ttransform_kkacc_1d_6 k_vatom;
  DAT::ttransform_kkacc_1d_9 k_cvatom;

  void begin_device_frame();
  void select_edges();
  void fetch_selection(const E3D::EdgeSelection<DeviceType> &, E3D::EdgeFrame &);
  void evaluate_members();
  E3D::DeviceTargets<DeviceType> targets();
  void publish(const E3D::EnergyAndVirial &);
  void require_numbers(int row);
};

}    // namespace LAMMPS_NS

#endif
