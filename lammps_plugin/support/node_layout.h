/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_NODE_LAYOUT_H
#define E3D_NODE_LAYOUT_H

#include <mpi.h>

namespace E3D {

/* Where a rank stands on its node, so that ranks share its cores and GPUs without fighting. */

struct NodeLayout {
  int local_rank;    // rank among the ranks of this communicator on this node
  int node_ranks;    // how many they are
  int threads;       // CPU threads for this rank
};

/* Ask the communicator (LAMMPS's world, so that partitions stay apart). Threads are OMP_NUM_THREADS
   where it is set, else the cores this rank may use divided by the ranks that share them. */

NodeLayout node_layout(MPI_Comm world);

/* This rank's group among those that share a file: the ranks of its node, or, if groups is positive, those of one of
   so many groups of neighbouring ranks. Collective; the caller frees it. */

MPI_Comm rank_group(MPI_Comm world, int groups);

}    // namespace E3D

#endif
