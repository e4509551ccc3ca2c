/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_DEVICE_BONDS_H
#define E3D_DEVICE_BONDS_H

#include "bonds/bonded_edges.h"
#include "device_evaluation.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace E3D {

/* Which pair two LAMMPS types make, and which of two atoms comes first, as PairLabels says; (LAMMPS types + 1)^2 each. */

template <class DeviceType> struct DevicePairLabels {
  enum First { SECOND, FIRST, LOWER_ID };
  Kokkos::View<const int *, DeviceType> label;    // PairLabels::NONE where a type is of another style
  Kokkos::View<const int *, DeviceType> first;

  DevicePairLabels() = default;
  DevicePairLabels(const PairLabels &labels, int width)
  {
    std::vector<int> of_types(width * width, PairLabels::NONE), order(width * width, LOWER_ID);
    const double r[3] = {0.0, 0.0, 1.0};
    for (int i = 1; i < width; i++)
      for (int j = 1; j < width; j++) {
        of_types[i * width + j] = labels.of_types(i, j);
        const bool if_lower = labels.is_first(i, 1, j, 2, r), if_higher = labels.is_first(i, 2, j, 1, r);
        if (if_lower == if_higher) order[i * width + j] = if_lower ? FIRST : SECOND;
      }
    label = on_device<DeviceType>("e3d:pair_label", of_types);
    first = on_device<DeviceType>("e3d:pair_first", order);
  }
};

/* The bonds of a rank, paired as BondedEdges pairs them: those between two atoms that it owns on the device, in find(). Those to
   ghosts, whose reverse edges other ranks have, go to the host: `crossing` are their edges. */

template <class DeviceType> class DeviceBonds {
 public:
  EdgeSelection<DeviceType> own, crossing;

  // of each edge of `own`: the pair that it reports, or NONE
  Kokkos::View<int *, DeviceType> label;
  Kokkos::View<double *, DeviceType> D, A;    // LAMMPS energy units

  // cutsq: squared bond cutoffs by LAMMPS type, row = centre
  DeviceBonds(const std::vector<double> &cutsq, const TypeTable &model, const PairLabels &labels, int width) :
      labels_(labels, width), cutsq_(on_device<DeviceType>("e3d:bond_cutsq", cutsq)),
      collected_(on_device<DeviceType>("e3d:collected_cutsq", BondedEdges::collected(cutsq)))
  {
    std::vector<double> limits(cutsq.size(), 0.0);
    for (int i = 1; i < width; i++)
      for (int j = 1; j < width; j++) {
        const double limit = model.cutoff(j, i) - BondedEdges::MATCH;
        if (limit > 0.0) limits[i * width + j] = limit * limit;
      }
    has_reverse_ = on_device<DeviceType>("e3d:has_reverse", limits);
  }

  /* Pairs of the edges of an evaluation. Returns the id of an atom to which an edge goes whose reverse is absent although it is
     within its directed cutoff, or 0. */
  template <class Tags>
  int64_t find(const DeviceAtoms<DeviceType> &atoms, const DeviceEdges<DeviceType> &edges,
               const DeviceEvaluation<DeviceType> &evaluation, const Tags &tags)
  {
    using Range = Kokkos::RangePolicy<DeviceType>;
    own.find(atoms, edges, collected_, 0, atoms.nlocal);
    crossing.find(atoms, edges, collected_, atoms.nlocal, atoms.nall);
    for (auto *view : {&eps_, &D, &A}) make_room(*view, "e3d:bonds", own.edges);
    make_room(label, "e3d:bond_label", own.edges);
    make_room(row_, "e3d:row", atoms.nlocal);
    evaluation.give_edge_energies(own, eps_);

    const auto a = atoms;
    const auto l = labels_;
    const auto inside = cutsq_, limit = has_reverse_;
    const auto centre = edges.centre;
    const auto offset = own.offset;
    const auto neighbour = own.neighbour;
    const auto row = row_, label_of = label;
    const auto eps = eps_, D_of = D, A_of = A;
    const auto tag = tags;
    Kokkos::deep_copy(row, -1);
    Kokkos::parallel_for("e3d:row", Range(0, edges.rows), KOKKOS_LAMBDA(const int k) { row(centre(k)) = k; });
    int64_t unmatched = 0;
    Kokkos::parallel_reduce(
        "e3d:pairs", Range(0, edges.rows),
        KOKKOS_LAMBDA(const int k, int64_t &missing) {
          const int i = centre(k), itype = a.type(i);
          for (int64_t e = offset(k); e < offset(k + 1); e++) {
            const int j = neighbour(e), pair = itype * a.width + a.type(j), of_j = row(j);
            const double squared = a.distance_squared(i, j);
            int64_t reverse = of_j < 0 ? 0 : offset(of_j);
            const int64_t end = of_j < 0 ? 0 : offset(of_j + 1);
            while (reverse < end && neighbour(reverse) != i) reverse++;
            const bool matched = reverse < end, is_inside = squared < inside(pair);
            if (!matched && is_inside && squared < limit(pair)) missing = static_cast<int64_t>(tag(j));
            const int order = l.first(pair);
            const bool first = order == DevicePairLabels<DeviceType>::LOWER_ID
                ? tag(i) < tag(j)
                : order == DevicePairLabels<DeviceType>::FIRST;
            // the owner of the second atom reports a pair whose first one has no edge
            const bool reported = is_inside && (first || !matched);
            label_of(e) = reported ? l.label(pair) : PairLabels::NONE;
            const double forward = eps(e), back = matched ? eps(reverse) : 0.0;
            D_of(e) = first ? forward + back : back + forward;
            A_of(e) = first ? forward - back : back - forward;
          }
        },
        Kokkos::Max<int64_t>(unmatched));
    return std::max<int64_t>(unmatched, 0);
  }

 private:
  DevicePairLabels<DeviceType> labels_;
  Kokkos::View<const double *, DeviceType> cutsq_;
  Kokkos::View<double *, DeviceType> collected_;
  Kokkos::View<const double *, DeviceType> has_reverse_;    // squared distance up to which it must be there
  Kokkos::View<int *, DeviceType> row_;                     // (nlocal) row of an atom, -1: none
  Kokkos::View<double *, DeviceType> eps_;                  // (edges of `own`)
};

}    // namespace E3D

#endif
