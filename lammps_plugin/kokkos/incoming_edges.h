/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_INCOMING_EDGES_H
#define E3D_INCOMING_EDGES_H

#include "device_edges.h"

#include <cstdint>

namespace E3D {

/* The edges that end on each atom, in the order of the list of edges: sums over them need no atomic additions and have the
   same order in every run. */

template <class DeviceType> struct IncomingEdges {
  Kokkos::View<int64_t *, DeviceType> offset;    // (atoms + 1)
  Kokkos::View<int64_t *, DeviceType> edge;      // (edges)
  Kokkos::View<int *, DeviceType> row;           // (edges) that it is of

  void find(const DeviceEdges<DeviceType> &edges, int atoms)
  {
    using Range = Kokkos::RangePolicy<DeviceType>;
    make_room(offset, "e3d:incoming_offset", atoms + 1);
    make_room(edge, "e3d:incoming_edge", edges.edges);
    make_room(row, "e3d:incoming_row", edges.edges);
    Kokkos::View<int64_t *, DeviceType> next("e3d:next", atoms);
    const auto offset_ = offset;
    const auto edge_ = edge;
    const auto row_ = row;
    const auto first = edges.offset;
    const auto neighbour = edges.neighbour;
    Kokkos::parallel_for(
        "e3d:incoming_count", Range(0, edges.rows), KOKKOS_LAMBDA(const int k) {
          for (int64_t e = first(k); e < first(k + 1); e++) Kokkos::atomic_inc(&next(neighbour(e)));
        });
    Kokkos::parallel_scan(
        "e3d:incoming_scan", Range(0, atoms + 1), KOKKOS_LAMBDA(const int j, int64_t &sum, const bool last) {
          const int64_t count = j < atoms ? next(j) : 0;
          if (last) {
            offset_(j) = sum;
            if (j < atoms) next(j) = sum;
          }
          sum += count;
        });
    Kokkos::parallel_for(
        "e3d:incoming_fill", Range(0, edges.rows), KOKKOS_LAMBDA(const int k) {
          for (int64_t e = first(k); e < first(k + 1); e++) {
            const int64_t place = Kokkos::atomic_fetch_add(&next(neighbour(e)), int64_t(1));
            edge_(place) = e;
            row_(place) = k;
          }
        });
    // threads came in any order; lists are short
    Kokkos::parallel_for(
        "e3d:incoming_sort", Range(0, atoms), KOKKOS_LAMBDA(const int j) {
          for (int64_t n = offset_(j) + 1; n < offset_(j + 1); n++) {
            const int64_t e = edge_(n);
            const int k = row_(n);
            int64_t at = n;
            for (; at > offset_(j) && edge_(at - 1) > e; at--) {
              edge_(at) = edge_(at - 1);
              row_(at) = row_(at - 1);
            }
            edge_(at) = e;
            row_(at) = k;
          }
        });
  }
};

}    // namespace E3D

#endif
