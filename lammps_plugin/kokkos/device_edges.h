/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_DEVICE_EDGES_H
#define E3D_DEVICE_EDGES_H

#include "kokkos_type.h"
#include "neigh_list_kokkos.h"

#include <cstdint>
#include <string>
#include <vector>

namespace E3D {

/* Atoms of a rank on the device, owned ones first, then ghosts. */

template <class DeviceType> struct DeviceAtoms {
  typename ArrayTypes<DeviceType>::t_kkfloat_1d_3_lr x;    // (atoms, 3) angstrom
  Kokkos::View<const int *, DeviceType> type;              // (atoms) LAMMPS type
  Kokkos::View<const int *, DeviceType> model_type;        // (LAMMPS types + 1), -1: of another style
  Kokkos::View<const double *, DeviceType> cutsq;          // (LAMMPS types + 1)^2 of the model, row: centre
  int width = 0;                                           // LAMMPS types + 1
  int nlocal = 0, nall = 0;

  KOKKOS_INLINE_FUNCTION double distance_squared(int i, int j) const
  {
    double sum = 0.0;
    for (int d = 0; d < 3; d++) {
      const double r = static_cast<double>(x(j, d)) - static_cast<double>(x(i, d));
      sum += r * r;
    }
    return sum;
  }
};

// a view that grows, with some room for fluctuations, and never shrinks; what it held is lost
template <class View> void make_room(View &view, const std::string &label, std::size_t count)
{
  if (view.extent(0) < count)
    view = View(Kokkos::view_alloc(Kokkos::WithoutInitializing, label), count + count / 16 + 64);
}

// the numbers of a vector of the host, on the device
template <class DeviceType, typename T>
Kokkos::View<T *, DeviceType> on_device(const std::string &label, const std::vector<T> &numbers)
{
  Kokkos::View<T *, DeviceType> view(Kokkos::view_alloc(Kokkos::WithoutInitializing, label), numbers.size());
  Kokkos::deep_copy(
      view,
      Kokkos::View<const T *, Kokkos::HostSpace, Kokkos::MemoryUnmanaged>(numbers.data(), numbers.size()));
  return view;
}

/* The directed edges of a rank, sorted by centre: those of row k are offset(k) <= e < offset(k+1). */

template <class DeviceType> class DeviceEdges {
 public:
  Kokkos::View<int *, DeviceType> centre;        // (rows) atom
  Kokkos::View<int64_t *, DeviceType> offset;    // (rows + 1)
  Kokkos::View<int *, DeviceType> neighbour;     // (edges) atom
  int rows = 0;
  int64_t edges = 0;
  int most = 0;    // edges of a row

  /* Rows in the order in which they are evaluated: `few` that have at most so many edges as the argument says, then the
     rest up to `evaluated`; rows of atoms that are not of this style are in neither. */
  Kokkos::View<int *, DeviceType> order;
  int few = 0, evaluated = 0;

  // two atoms at the same place, or with a position that is not a number; -1: none
  struct BadPair {
    int centre = -1, neighbour = -1;
  };

  // the neighbours in a full list within the cutoffs
  BadPair find(const DeviceAtoms<DeviceType> &atoms, const LAMMPS_NS::NeighListKokkos<DeviceType> &list)
  {
    using Range = Kokkos::RangePolicy<DeviceType>;
    rows = list.inum;
    make_room(centre, "e3d:centre", rows);
    make_room(offset, "e3d:offset", rows + 1);
    const auto ilist = list.d_ilist;
    const auto numneigh = list.d_numneigh;
    const auto neighbors = list.d_neighbors;
    const auto centre_ = centre;
    const auto offset_ = offset;
    const int rows_ = rows;
    const auto a = atoms;
    int64_t bad = -1;
    Kokkos::parallel_reduce(
        "e3d:count", Range(0, rows),
        KOKKOS_LAMBDA(const int k, int &largest, int64_t &bad_pair) {
          const int i = ilist(k);
          const auto *cutsq = &a.cutsq(a.type(i) * a.width);
          int count = 0;
          for (int jj = 0; jj < numneigh(i); jj++) {
            const int j = neighbors(i, jj) & NEIGHMASK;
            const double squared = a.distance_squared(i, j);
            if (squared < cutsq[a.type(j)]) count++;
            if (!(squared > 0.0) && cutsq[a.type(j)] > 0.0) bad_pair = static_cast<int64_t>(i) << 32 | j;
          }
          centre_(k) = i;
          offset_(k) = count;
          if (count > largest) largest = count;
        },
        Kokkos::Max<int>(most), Kokkos::Max<int64_t>(bad));
    if (rows == 0) most = 0;
    if (rows > 0 && bad >= 0) return {static_cast<int>(bad >> 32), static_cast<int>(bad & INT32_MAX)};
    Kokkos::parallel_scan(
        "e3d:scan", Range(0, rows + 1),
        KOKKOS_LAMBDA(const int k, int64_t &sum, const bool last) {
          const int64_t count = k < rows_ ? offset_(k) : 0;
          if (last) offset_(k) = sum;
          sum += count;
        },
        edges);
    make_room(neighbour, "e3d:neighbour", edges);
    const auto neighbour_ = neighbour;
    Kokkos::parallel_for(
        "e3d:fill", Range(0, rows), KOKKOS_LAMBDA(const int k) {
          const int i = centre_(k);
          const auto *cutsq = &a.cutsq(a.type(i) * a.width);
          int64_t e = offset_(k);
          for (int jj = 0; jj < numneigh(i); jj++) {
            const int j = neighbors(i, jj) & NEIGHMASK;
            if (a.distance_squared(i, j) < cutsq[a.type(j)]) neighbour_(e++) = j;
          }
        });
    return {};
  }

  void put_in_order(const DeviceAtoms<DeviceType> &atoms, int fitting)
  {
    using Range = Kokkos::RangePolicy<DeviceType>;
    make_room(order, "e3d:order", rows);
    const auto centre_ = centre;
    const auto offset_ = offset;
    const auto order_ = order;
    const auto a = atoms;
    int first = 0;
    for (int pass = 0; pass < 2; pass++) {
      int count = 0;
      Kokkos::parallel_scan(
          "e3d:order", Range(0, rows),
          KOKKOS_LAMBDA(const int k, int &sum, const bool last) {
            const bool small = offset_(k + 1) - offset_(k) <= fitting;
            if (a.model_type(a.type(centre_(k))) < 0 || small != (pass == 0)) return;
            if (last) order_(first + sum) = k;
            sum++;
          },
          count);
      first += count;
      if (pass == 0) few = count;
    }
    evaluated = first;
  }
};

}    // namespace E3D

#endif
