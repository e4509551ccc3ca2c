/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_EDGE_SELECTION_H
#define E3D_EDGE_SELECTION_H

#include "device_edges.h"

#include <cstdint>

namespace E3D {

/* The edges of a frame within shorter cutoffs that end on some of the atoms: what travels to the host, and bonds. */

template <class DeviceType> class EdgeSelection {
 public:
  Kokkos::View<int64_t *, DeviceType> offset;    // (rows + 1) into `edge`
  Kokkos::View<int64_t *, DeviceType> edge;      // (edges) of the frame
  Kokkos::View<int *, DeviceType> neighbour;     // (edges) atom
  int64_t edges = 0;

  // cutsq: (LAMMPS types + 1)^2, row: centre; neighbours are the atoms first_atom to last_atom - 1
  void find(const DeviceAtoms<DeviceType> &atoms, const DeviceEdges<DeviceType> &frame,
            const Kokkos::View<double *, DeviceType> &cutsq, int first_atom, int last_atom)
  {
    using Range = Kokkos::RangePolicy<DeviceType>;
    make_room(offset, "e3d:selected_offset", frame.rows + 1);
    const auto a = atoms;
    const auto limit = cutsq;
    const auto centre = frame.centre;
    const auto first = frame.offset;
    const auto all = frame.neighbour;
    const auto offset_ = offset;
    const int rows = frame.rows;
    Kokkos::parallel_for(
        "e3d:selected_count", Range(0, rows), KOKKOS_LAMBDA(const int k) {
          const int i = centre(k);
          int64_t count = 0;
          for (int64_t e = first(k); e < first(k + 1); e++) {
            const int j = all(e);
            if (j < first_atom || j >= last_atom) continue;
            if (a.distance_squared(i, j) < limit(a.type(i) * a.width + a.type(j))) count++;
          }
          offset_(k) = count;
        });
    Kokkos::parallel_scan(
        "e3d:selected_scan", Range(0, rows + 1),
        KOKKOS_LAMBDA(const int k, int64_t &sum, const bool last) {
          const int64_t count = k < rows ? offset_(k) : 0;
          if (last) offset_(k) = sum;
          sum += count;
        },
        edges);
    make_room(edge, "e3d:selected_edge", edges);
    make_room(neighbour, "e3d:selected_neighbour", edges);
    const auto edge_ = edge;
    const auto neighbour_ = neighbour;
    Kokkos::parallel_for(
        "e3d:selected_fill", Range(0, rows), KOKKOS_LAMBDA(const int k) {
          const int i = centre(k);
          int64_t place = offset_(k);
          for (int64_t e = first(k); e < first(k + 1); e++) {
            const int j = all(e);
            if (j < first_atom || j >= last_atom) continue;
            if (a.distance_squared(i, j) >= limit(a.type(i) * a.width + a.type(j))) continue;
            edge_(place) = e;
            neighbour_(place++) = j;
          }
        });
  }
};

}    // namespace E3D

#endif
