/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_ATOM_COLUMNS_H
#define E3D_ATOM_COLUMNS_H

#include "kokkos_type.h"

#include "pointers.h"

#include <type_traits>

namespace E3D {

/* A view (atoms, columns) on its way between ranks. Forward: atoms of a list go out, a range of ghosts comes in. Reverse: a range of
   ghosts goes out, and is added to the atoms of a list.

   LAMMPS communicates on the device or on the host, which is for it and the user to say ('package kokkos comm/pair/reverse host';
   without a GPU-aware MPI it takes the host), and calls the pack functions of that side. On the host they work on a copy, which is
   made at the first of these calls and goes back to the device at the end of the communication. */

template <class DeviceType, int columns> class AtomColumns {
 public:
  using View = Kokkos::View<double *[columns], Kokkos::LayoutRight, DeviceType>;
  using Range = Kokkos::RangePolicy<DeviceType>;

  // communicate(), which calls what follows; `space` is that of the style, by which LAMMPS chooses
  template <class F> void travel(const View &view, LAMMPS_NS::ExecutionSpace &space, const F &communicate)
  {
    const LAMMPS_NS::ExecutionSpace own_space = space;
    // a style of the host in a build for a GPU has its arrays there
    space = std::is_same_v<DeviceType, LMPDeviceType> ? LAMMPS_NS::Device : LAMMPS_NS::Host;
    view_ = view;
    communicate();
    if (host_.extent(0) > 0) Kokkos::deep_copy(view_, host_);
    host_ = HostView();
    view_ = View();
    space = own_space;
  }

  template <class List, class Buffer> int pack_listed(int n, const List &list, const Buffer &buf) const
  {
    const View from = view_;
    Kokkos::parallel_for(
        "e3d:pack", Range(0, n), KOKKOS_LAMBDA(const int k) {
          for (int d = 0; d < columns; d++) buf(columns * k + d) = from(list(k), d);
        });
    return columns * n;
  }
  template <class Buffer> void unpack_range(int n, int first, const Buffer &buf) const
  {
    const View to = view_;
    Kokkos::parallel_for(
        "e3d:unpack", Range(0, n), KOKKOS_LAMBDA(const int k) {
          for (int d = 0; d < columns; d++) to(first + k, d) = buf(columns * k + d);
        });
  }
  template <class Buffer> int pack_range(int n, int first, const Buffer &buf) const
  {
    const View from = view_;
    Kokkos::parallel_for(
        "e3d:pack", Range(0, n), KOKKOS_LAMBDA(const int k) {
          for (int d = 0; d < columns; d++) buf(columns * k + d) = from(first + k, d);
        });
    return columns * n;
  }
  template <class List, class Buffer> void add_listed(int n, const List &list, const Buffer &buf) const
  {
    const View to = view_;
    Kokkos::parallel_for(
        "e3d:unpack", Range(0, n), KOKKOS_LAMBDA(const int k) {    // an atom is in a list once
          for (int d = 0; d < columns; d++) to(list(k), d) += buf(columns * k + d);
        });
  }

  int pack_listed_on_host(int n, const int *list, double *buf)
  {
    for (int k = 0; k < n; k++)
      for (int d = 0; d < columns; d++) *buf++ = on_host()(list[k], d);
    return columns * n;
  }
  void unpack_range_on_host(int n, int first, const double *buf)
  {
    for (int k = 0; k < n; k++)
      for (int d = 0; d < columns; d++) on_host()(first + k, d) = *buf++;
  }
  int pack_range_on_host(int n, int first, double *buf)
  {
    for (int k = 0; k < n; k++)
      for (int d = 0; d < columns; d++) *buf++ = on_host()(first + k, d);
    return columns * n;
  }
  void add_listed_on_host(int n, const int *list, const double *buf)
  {
    for (int k = 0; k < n; k++)
      for (int d = 0; d < columns; d++) on_host()(list[k], d) += *buf++;
  }

 private:
  using HostView = Kokkos::View<double *[columns], Kokkos::LayoutRight, Kokkos::HostSpace>;
  View view_;
  HostView host_;    // memory of its own on a CPU too, so that tests there notice a copy that is missing

  const HostView &on_host()
  {
    if (host_.extent(0) == 0) {
      host_ = HostView(Kokkos::view_alloc(Kokkos::WithoutInitializing, "e3d:on_host"), view_.extent(0));
      Kokkos::deep_copy(host_, view_);
    }
    return host_;
  }
};

}    // namespace E3D

#endif
