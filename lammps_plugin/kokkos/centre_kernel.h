/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_CENTRE_KERNEL_H
#define E3D_CENTRE_KERNEL_H

#include "centre_backward.h"
#include "harmonics_kokkos.h"
#include "zbl_kokkos.h"

#include <algorithm>
#include <climits>
#include <stdexcept>
#include <string>

namespace E3D {

/* Atoms and edges as the kernel reads them, and where its results go. */

template <typename Real, class DeviceType, class Positions> struct CentreBatch {
  Kokkos::View<const int *, DeviceType> row;           // (centres) rows of the frame that this launch is for
  Kokkos::View<const int *, DeviceType> centre;        // (rows) atom
  Kokkos::View<const int64_t *, DeviceType> offset;    // (rows + 1)
  Kokkos::View<const int *, DeviceType> neighbour;     // (edges) atom
  Positions x;                                         // (atoms, 3) angstrom
  Kokkos::View<const int *, DeviceType> type;          // (atoms) LAMMPS type
  Kokkos::View<const int *, DeviceType> model_type;    // (LAMMPS types + 1)
  double energy_unit = 1.0;                            // of the results, per eV
  Kokkos::View<double *, DeviceType> energy;           // (rows) U_i
  Kokkos::View<Real *, DeviceType> eps;                // (edges)
  Kokkos::View<Real *[3], Kokkos::LayoutRight, DeviceType> g;    // (edges) dU_i/dr_ij
};

/* Energy, every epsilon_ij and every g_ij of a centre, by one team. docs/engine.md has the formulas in the order of the
   calls in operator(). The rows of the edges are in the fast memory of a team (level 0); where there are too many, they are in the
   slow one (level 1), and the fast one takes them in tiles, in each pass over them anew. */

template <typename Real, class DeviceType, class Positions> class CentreKernel {
 public:
  using Work = CentreWork<Real, DeviceType>;
  using Member = typename Work::Member;
  using Policy = Kokkos::TeamPolicy<DeviceType>;
  static constexpr int TEAM_SIZE = 128;

  CentreKernel(const ModelView<Real, DeviceType> &model, const EdgeRow &edge_row, const CentreRow &centre_row,
               const CentreBatch<Real, DeviceType, Positions> &batch, int most_edges) :
      m(model), at(edge_row), once(centre_row), in(batch), most_edges_(most_edges)
  {
  }

  // a smaller tile is not worth its copies
  static constexpr int LEAST_TILE = Work::TILE;

  /* Edges that fit into `fast` bytes of a team beside what there is once for a centre; without that, where it alone leaves too
     little (`once_level` 1). 0: less than a tile in either case. */
  static int fitting_edges(const EdgeRow &row, const CentreRow &once, int64_t fast, int &once_level)
  {
    once_level = bytes_of(once) + LEAST_TILE * bytes_of(row) > fast;
    const int64_t fitting = (fast - (once_level ? 0 : bytes_of(once))) / bytes_of(row);
    return fitting < LEAST_TILE ? 0 : static_cast<int>(std::min<int64_t>(fitting, INT_MAX));
  }

  /* Runs it on `centres` centres with at most `most_edges` edges each, with `fast` bytes of fast memory for each team. Without
     `tiles` centres with more edges than fit there work in slow memory: on a CPU both are of one kind. */
  void launch(int centres, int64_t fast, bool tiles)
  {
    const int fitting = fitting_edges(at, once, fast, once_level_);
    const bool all_fit = most_edges_ <= fitting;
    tile_ = all_fit || !tiles || fitting == 0 ? most_edges_ : fitting;
    edge_level_ = all_fit || tile_ < most_edges_ ? 0 : 1;
    int64_t bytes[2] = {0, 0};
    bytes[once_level_] += bytes_of(once);
    bytes[edge_level_] += tile_ * bytes_of(at);
    if (tile_ < most_edges_) bytes[1] += most_edges_ * bytes_of(at);
    if (bytes[1] > Policy::scratch_size_max(1))
      throw std::runtime_error("an atom has " + std::to_string(most_edges_) + " edges, which take " +
                               std::to_string(bytes[1]) + " bytes; a team of the device has " +
                               std::to_string(Policy::scratch_size_max(1)) +
                               ": has the simulation collapsed?");
    // On a CPU a team is one thread; on a GPU several warps share a centre.
    Policy policy(centres, Work::ON_HOST ? 1 : TEAM_SIZE);
    for (int level = 0; level < 2; level++)
      policy.set_scratch_size(level, Kokkos::PerTeam(static_cast<int>(bytes[level])));
    Kokkos::parallel_for("e3d:model", policy, *this);
  }

  KOKKOS_FUNCTION void operator()(const Member &team) const
  {
    const int row = in.row(team.league_rank());
    const int64_t first = in.offset(row);
    Work w{m,
           at,
           once,
           team,
           static_cast<int>(in.offset(row + 1) - first),
           in.model_type(in.type(in.centre(row)))};
    if (w.all_edges == 0) {
      Kokkos::single(Kokkos::PerTeam(team), [&]() { in.energy(row) = in.energy_unit * m.shift(w.type); });
      return;
    }
    const auto rows = static_cast<std::size_t>(tile_), all = static_cast<std::size_t>(most_edges_);
    w.centre =
        static_cast<Real *>(team.team_scratch(once_level_).get_shmem_aligned(once.size * sizeof(Real), 8));
    w.interval = static_cast<const Real **>(
        team.team_scratch(edge_level_).get_shmem_aligned(rows * sizeof(Real *), 8));
    w.rows = static_cast<Real *>(
        team.team_scratch(edge_level_).get_shmem_aligned(rows * at.size * sizeof(Real), 8));
    if (tile_ < most_edges_) {
      w.all_intervals =
          static_cast<const Real **>(team.team_scratch(1).get_shmem_aligned(all * sizeof(Real *), 8));
      w.all_rows =
          static_cast<Real *>(team.team_scratch(1).get_shmem_aligned(all * at.size * sizeof(Real), 8));
    }

    const int last = m.layers - 1;
    w.each_tile(tile_, Work::FIRST, [&]() {
      geometry(w, row, first);
      first_environment(w);
    });
    for (int n = 0; n < m.layers; n++) {
      contract(w, n);
      w.each_tile(tile_, Work::BETWEEN, [&]() {
        project(w, n);
        hidden(w, n);
        if (n < last) {
          gather_hidden(w, n);
          return;
        }
        readout(w);
        hidden_back(w, n);
        project_back(w, n);
      });
      if (n < last) next_environment(w, n);
    }
    for (int n = last; n > 0; n--) {
      contract_back(w, n);
      environment_back(w, n);
      w.each_tile(tile_, Work::BETWEEN, [&]() {
        harmonics_back(w, n);
        hidden_back(w, n - 1);
        project_back(w, n - 1);
      });
    }
    contract_back(w, 0);
    w.each_tile(tile_, Work::LAST, [&]() {
      weights_back(w);
      hand_out(w, row, first);
    });
  }

 private:
  ModelView<Real, DeviceType> m;
  EdgeRow at;
  CentreRow once;
  CentreBatch<Real, DeviceType, Positions> in;
  int most_edges_, tile_ = 0, once_level_ = 0, edge_level_ = 0;

  static int64_t bytes_of(const CentreRow &row)
  {
    return static_cast<int64_t>(row.size * sizeof(Real)) + 192;
  }
  static int64_t bytes_of(const EdgeRow &row)
  {
    return static_cast<int64_t>(row.size * sizeof(Real) + sizeof(Real *));
  }

  struct Edge {
    double x, y, z, r;
    int pair;    // of model types
  };
  // e: of the tile; first: of the centre
  KOKKOS_INLINE_FUNCTION Edge edge(const Work &w, int row, int64_t first, int e) const
  {
    const int i = in.centre(row), j = in.neighbour(first + w.first_edge + e);
    const double x = static_cast<double>(in.x(j, 0)) - static_cast<double>(in.x(i, 0)),
                 y = static_cast<double>(in.x(j, 1)) - static_cast<double>(in.x(i, 1)),
                 z = static_cast<double>(in.x(j, 2)) - static_cast<double>(in.x(i, 2));
    return {x, y, z, Kokkos::sqrt(x * x + y * y + z * z), w.type * m.types + in.model_type(in.type(j))};
  }

  // unit vectors, places in the tables, harmonics, weights of x_0
  KOKKOS_INLINE_FUNCTION void geometry(Work &w, int row, int64_t first) const
  {
    w.each(w.edges, [&](const int e) {
      const Edge now = edge(w, row, first, e);
      Real *out = w.row(e);
      out[at.x] = static_cast<Real>(now.x / now.r);
      out[at.y] = static_cast<Real>(now.y / now.r);
      out[at.z] = static_cast<Real>(now.z / now.r);
      out[at.inverse_r] = static_cast<Real>(1.0 / now.r);
      if (m.exact.on) {
        out[at.t] = static_cast<Real>(now.r / m.cutoff(now.pair));
        out[at.dt_dr] = static_cast<Real>(1.0 / m.cutoff(now.pair));
        w.interval[e] = m.table.data() + m.table_at(now.pair);
      } else {
        place_in_table(w, e, now);
      }
      harmonics(m.l_max, out[at.x], out[at.y], out[at.z], out + at.Y);
      for (int j = 0; j < m.components; j++) out[at.dY + j] = 0;
    });
    if (m.exact.on) evaluate_exactly(w);
    w.each_block(w.edges, (m.l_max + 1) * m.channels, [&](const int e, const int k, auto width) {
      w.put_two_body(e, m.tensor_column + k, at.tensor + k, width);
    });
  }

  // u = r / (r + a); only the place in an interval is rounded to Real
  KOKKOS_INLINE_FUNCTION void place_in_table(const Work &w, int e, const Edge &now) const
  {
    const double per_u = m.table_per_u(now.pair), inverse = 1.0 / (now.r + m.table_length),
                 place = now.r * inverse * per_u;
    const int interval = Kokkos::min(static_cast<int>(place), m.intervals - 1);
    w.row(e)[at.t] = static_cast<Real>(place - interval - 0.5);
    w.row(e)[at.dt_dr] = static_cast<Real>(m.table_length * inverse * inverse * per_u);
    w.interval[e] = m.table.data() + m.table_at(now.pair) + static_cast<int64_t>(interval) * 6 * m.columns;
  }

  KOKKOS_INLINE_FUNCTION void hand_out(const Work &w, int row, int64_t first) const
  {
    const auto unit = static_cast<Real>(in.energy_unit);
    w.each(w.edges, [&](const int e) {
      Real *own = w.row(e), g[3];
      harmonics_gradient(m.l_max, own[at.x], own[at.y], own[at.z], own[at.inverse_r], own + at.dY, g);
      Real dr = 0;
      for (int k = 0; k < EdgeRow::PARTIAL_SUMS; k++) dr += own[at.way[0] + k];
      if (m.zbl) {
        const Edge now = edge(w, row, first, e);
        const PairEnergy pair = zbl(m.zbl_charge(now.pair / m.types), m.zbl_charge(now.pair % m.types),
                                    m.zbl_prefactor, m.zbl_cutoff_power, m.cutoff(now.pair), now.r);
        own[at.energy] += static_cast<Real>(pair.energy);
        dr += static_cast<Real>(pair.derivative);
      }
      const int64_t to = first + w.first_edge + e;
      in.eps(to) = unit * own[at.energy];
      in.g(to, 0) = unit * (g[0] + dr * own[at.x]);
      in.g(to, 1) = unit * (g[1] + dr * own[at.y]);
      in.g(to, 2) = unit * (g[2] + dr * own[at.z]);
    });
    Kokkos::single(Kokkos::PerTeam(w.team), [&]() {
      double sum = w.first_edge == 0 ? 0.0 : in.energy(row);
      for (int e = 0; e < w.edges; e++) sum += static_cast<double>(w.row(e)[at.energy]);
      const bool last = w.first_edge + w.edges == w.all_edges;
      in.energy(row) = last ? in.energy_unit * (sum + m.shift(w.type)) : sum;
    });
    w.team.team_barrier();
  }
};

}    // namespace E3D

#endif
