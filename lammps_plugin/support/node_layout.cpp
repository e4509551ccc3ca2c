/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "support/node_layout.h"

#include <algorithm>
#include <cstdlib>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sched.h>
#endif

namespace E3D {

namespace {

  // the cores this rank may run on: how many, and a number that ranks bound alike have in common

  struct Cores {
    unsigned long long binding;
    int count;
  };

  Cores available_cores()
  {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
      Cores cores{1469598103934665603ULL, CPU_COUNT(&set)};    // FNV-1a over the cores of the mask
      for (int c = 0; c < CPU_SETSIZE; c++)
        if (CPU_ISSET(c, &set)) cores.binding = (cores.binding ^ c) * 1099511628211ULL;
      return cores;
    }
#endif
    return {0, static_cast<int>(std::thread::hardware_concurrency())};
  }

  // this rank's number among those of its node, and how many of them have the same cores

  struct Ranks {
    int local_rank, node_ranks, sharing;
  };

#ifdef E3D_MPI_STUBS    // LAMMPS without MPI: one rank, and an mpi.h that cannot split by node

  Ranks ranks_on_node(MPI_Comm, unsigned long long)
  {
    return {0, 1, 1};
  }

  MPI_Comm split_by_node(MPI_Comm world)
  {
    MPI_Comm node;
    MPI_Comm_dup(world, &node);
    return node;
  }

#else

  MPI_Comm split_by_node(MPI_Comm world)
  {
    MPI_Comm node;
    MPI_Comm_split_type(world, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    return node;
  }

  Ranks ranks_on_node(MPI_Comm world, unsigned long long binding)
  {
    MPI_Comm node = split_by_node(world);
    Ranks ranks{};
    MPI_Comm_rank(node, &ranks.local_rank);
    MPI_Comm_size(node, &ranks.node_ranks);

    std::vector<unsigned long long> bindings(ranks.node_ranks);
    MPI_Allgather(&binding, 1, MPI_UNSIGNED_LONG_LONG, bindings.data(), 1, MPI_UNSIGNED_LONG_LONG, node);
    MPI_Comm_free(&node);
    ranks.sharing = static_cast<int>(std::count(bindings.begin(), bindings.end(), binding));
    return ranks;
  }

#endif

}    // namespace

NodeLayout node_layout(MPI_Comm world)
{
  const Cores cores = available_cores();
  const Ranks ranks = ranks_on_node(world, cores.binding);

  const char *requested = std::getenv("OMP_NUM_THREADS");
  const int threads = requested ? std::atoi(requested) : 0;
  return {ranks.local_rank, ranks.node_ranks,
          threads > 0 ? threads : std::max(1, cores.count / ranks.sharing)};
}

/* ---------------------------------------------------------------------- */

MPI_Comm rank_group(MPI_Comm world, int groups)
{
  if (groups <= 0) return split_by_node(world);
  int rank, ranks;
  MPI_Comm_rank(world, &rank);
  MPI_Comm_size(world, &ranks);
  const auto mine = static_cast<int>(static_cast<long long>(rank) * groups / ranks);
  MPI_Comm group;
  MPI_Comm_split(world, mine, rank, &group);
  return group;
}

}    // namespace E3D
