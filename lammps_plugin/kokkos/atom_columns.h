/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_ATOM_COLUMNS_H
#define E3D_ATOM_COLUMNS_H

#include "kokkos_type.h"

namespace E3D {

/* A view (atoms, columns) on its way between ranks: what the pack and unpack functions of LAMMPS's device communication do with
   it. Forward: atoms of a list go out, a range of ghosts comes in. Reverse: a range of ghosts goes out, and is added to the
   atoms of a list. */

template <int columns, class View, class List, class Buffer>
void pack_listed(const View &from, int n, const List &list, const Buffer &buf)
{
  using Range = Kokkos::RangePolicy<typename View::execution_space>;
  Kokkos::parallel_for(
      "e3d:pack", Range(0, n), KOKKOS_LAMBDA(const int k) {
        for (int d = 0; d < columns; d++) buf(columns * k + d) = from(list(k), d);
      });
}

template <int columns, class View, class Buffer>
void unpack_range(const View &to, int n, int first, const Buffer &buf)
{
  using Range = Kokkos::RangePolicy<typename View::execution_space>;
  Kokkos::parallel_for(
      "e3d:unpack", Range(0, n), KOKKOS_LAMBDA(const int k) {
        for (int d = 0; d < columns; d++) to(first + k, d) = buf(columns * k + d);
      });
}

template <int columns, class View, class Buffer>
void pack_range(const View &from, int n, int first, const Buffer &buf)
{
  using Range = Kokkos::RangePolicy<typename View::execution_space>;
  Kokkos::parallel_for(
      "e3d:pack", Range(0, n), KOKKOS_LAMBDA(const int k) {
        for (int d = 0; d < columns; d++) buf(columns * k + d) = from(first + k, d);
      });
}

template <int columns, class View, class List, class Buffer>
void add_listed(const View &to, int n, const List &list, const Buffer &buf)
{
  using Range = Kokkos::RangePolicy<typename View::execution_space>;
  Kokkos::parallel_for(
      "e3d:unpack", Range(0, n), KOKKOS_LAMBDA(const int k) {    // an atom is in a list once
        for (int d = 0; d < columns; d++) to(list(k), d) += buf(columns * k + d);
      });
}

}    // namespace E3D

#endif
