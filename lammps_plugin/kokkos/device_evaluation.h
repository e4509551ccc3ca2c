/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_DEVICE_EVALUATION_H
#define E3D_DEVICE_EVALUATION_H

#include "device_edges.h"
#include "device_heat.h"
#include "edge_selection.h"
#include "edges/edge_frame.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace e3d::engine {
struct FoldedModel;
}

namespace E3D {

/* Where the results of an evaluation are added up. */

template <class DeviceType> struct DeviceTargets {
  typename ArrayTypes<DeviceType>::t_kkacc_1d_3 f;    // (atoms, 3)
  typename ArrayTypes<DeviceType>::t_kkacc_1d
      eatom;    // (atoms), empty where not asked for, as those that follow
  typename ArrayTypes<DeviceType>::t_kkacc_1d_6 vatom;     // (atoms, 6)
  typename ArrayTypes<DeviceType>::t_kkacc_1d_9 cvatom;    // (atoms, 9)
  bool virial = false;                                     // of all atoms is asked for
};

struct EnergyAndVirial {
  double energy = 0.0;
  double virial[6] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
  int not_a_number = -1;    // a row with an energy, or a force of an edge, that is none
};

template <class DeviceType> using ForceView = Kokkos::View<double *[3], Kokkos::LayoutRight, DeviceType>;

/* A model on the device, and what it says of the edges of this step: energies and forces of edges stay there until somebody
   on the host asks for them. */

template <class DeviceType> class DeviceEvaluation {
 public:
  virtual ~DeviceEvaluation() = default;

  // energies of rows and edges and forces of edges, in units of energy_unit eV
  virtual void run(const DeviceAtoms<DeviceType> &atoms, DeviceEdges<DeviceType> &edges,
                   double energy_unit) = 0;

  /* Adds them to atoms: F_i = sum_j (g_ij - g_ji), and the virial -r_ij (x) g_ij of an edge belongs to its neighbour,
     position index first (ARCHITECTURE section 1). `ordered`: in an order that depends on nothing but the edges. */
  virtual EnergyAndVirial add(const DeviceAtoms<DeviceType> &atoms, const DeviceEdges<DeviceType> &edges,
                              const DeviceTargets<DeviceType> &targets, bool ordered) = 0;
  // only forces, as those of a model of a committee; returns not_a_number
  virtual int add_forces(const DeviceAtoms<DeviceType> &atoms, const DeviceEdges<DeviceType> &edges,
                         const ForceView<DeviceType> &f, bool ordered) = 0;

  // for styles of the device: energies of some edges; U_i of owned atoms (0 where they are not of this style); W_i of all, to be summed
  // from ghosts to owners; the rows of the heat current of this rank, without kinetic energies
  virtual void give_edge_energies(const EdgeSelection<DeviceType> &selection,
                                  const Kokkos::View<double *, DeviceType> &to) const = 0;
  virtual void give_energies(const DeviceEdges<DeviceType> &edges, int nlocal,
                             const Kokkos::View<double *, DeviceType> &to) const = 0;
  virtual void give_virials(const DeviceAtoms<DeviceType> &atoms, const DeviceEdges<DeviceType> &edges,
                            const Kokkos::View<double *[9], Kokkos::LayoutRight, DeviceType> &to) = 0;
  virtual std::vector<double> heat(const DeviceAtoms<DeviceType> &atoms, const DeviceEdges<DeviceType> &edges,
                                   const HeatRows<DeviceType> &table) const = 0;

  // for the frame of the host: energies of rows; energies (edges) and forces (edges, 3) of some edges
  virtual void copy_energies(const DeviceEdges<DeviceType> &edges, std::vector<double> &to) const = 0;
  virtual void copy_edge_energies(const EdgeSelection<DeviceType> &selection,
                                  std::vector<double> &to) const = 0;
  virtual void copy_edge_forces(const EdgeSelection<DeviceType> &selection,
                                std::vector<double> &to) const = 0;

  // edges that a team's fast memory takes at a time, of a centre with more; 0: no centre needed it
  virtual int tile() const = 0;
  virtual double memory_usage() const = 0;    // bytes on the device
};

// `types`: model types that occur. Throws std::runtime_error
template <class DeviceType>
std::unique_ptr<DeviceEvaluation<DeviceType>> make_device_evaluation(const e3d::engine::FoldedModel &model,
                                                                     bool single_precision,
                                                                     const std::vector<int> &types);

/* What came from the device to the host since the start of the run, in arrays of edges and atoms: a step in which no style
   of the host asks for edges has none. */

struct CopiesToHost {
  int64_t count = 0;
  double bytes = 0.0;
};
CopiesToHost &copies_to_host();

// the first `count` entries of an array of the device
template <typename T, class View> void copy_to_host(const View &from, std::size_t count, std::vector<T> &to)
{
  to.resize(count);
  Kokkos::deep_copy(Kokkos::View<T *, Kokkos::HostSpace, Kokkos::MemoryUnmanaged>(to.data(), count),
                    Kokkos::subview(from, Kokkos::make_pair(std::size_t(0), count)));
  copies_to_host().count++;
  copies_to_host().bytes += static_cast<double>(count) * sizeof(T);
}

}    // namespace E3D

#endif
