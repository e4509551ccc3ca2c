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
   calls in operator(). Scratch that does not fit into the fast memory of a team (level 0) goes to the other one. */

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

  // edges of a centre for which the scratch of its team fits into `fast` bytes
  static int fitting_edges(const EdgeRow &row, const CentreRow &once, int64_t fast)
  {
    return static_cast<int>(std::max<int64_t>(0, (fast - bytes_of(once)) / bytes_of(row)));
  }

  /* Runs it on `centres` centres with at most `most_edges` edges each. What fits into `fast` bytes of a team goes into its
     fast memory, first what there is once for a centre, then the rows of its edges. */
  void launch(int centres, int64_t fast)
  {
    const int64_t edge_bytes = most_edges_ * bytes_of(at);
    int64_t bytes[2] = {0, 0};
    once_level_ = bytes_of(once) > fast;
    edge_level_ = once_level_ || bytes_of(once) + edge_bytes > fast;
    bytes[once_level_] += bytes_of(once);
    bytes[edge_level_] += edge_bytes;
    if (bytes[1] > INT_MAX)
      throw std::runtime_error("a centre has " + std::to_string(most_edges_) +
                               " edges, too many for the scratch of a device");
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
           in.model_type(in.type(in.centre(row))),
           nullptr,
           nullptr,
           nullptr};
    if (w.edges == 0) {
      Kokkos::single(Kokkos::PerTeam(team), [&]() { in.energy(row) = in.energy_unit * m.shift(w.type); });
      return;
    }
    const auto rows = static_cast<std::size_t>(most_edges_);
    w.centre =
        static_cast<Real *>(team.team_scratch(once_level_).get_shmem_aligned(once.size * sizeof(Real), 8));
    w.interval = static_cast<const Real **>(
        team.team_scratch(edge_level_).get_shmem_aligned(rows * sizeof(Real *), 8));
    w.rows = static_cast<Real *>(
        team.team_scratch(edge_level_).get_shmem_aligned(rows * at.size * sizeof(Real), 8));

    geometry(w, row, first);
    first_environment(w);
    for (int n = 0; n < m.layers; n++) {
      contract(w, n);
      project(w, n);
      hidden(w, n);
      if (n + 1 < m.layers) next_environment(w, n);
    }
    readout(w);
    for (int n = m.layers - 1; n >= 0; n--) {
      hidden_back(w, n);
      project_back(w, n);
      contract_back(w, n);
      if (n > 0) environment_back(w, n);
    }
    weights_back(w);
    hand_out(w, row, first);
  }

 private:
  ModelView<Real, DeviceType> m;
  EdgeRow at;
  CentreRow once;
  CentreBatch<Real, DeviceType, Positions> in;
  int most_edges_, once_level_ = 0, edge_level_ = 0;

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
  KOKKOS_INLINE_FUNCTION Edge edge(const Work &w, int row, int64_t e) const
  {
    const int i = in.centre(row), j = in.neighbour(e);
    const double x = static_cast<double>(in.x(j, 0)) - static_cast<double>(in.x(i, 0)),
                 y = static_cast<double>(in.x(j, 1)) - static_cast<double>(in.x(i, 1)),
                 z = static_cast<double>(in.x(j, 2)) - static_cast<double>(in.x(i, 2));
    return {x, y, z, Kokkos::sqrt(x * x + y * y + z * z), w.type * m.types + in.model_type(in.type(j))};
  }

  // unit vectors, places in the tables, harmonics, weights of x_0
  KOKKOS_INLINE_FUNCTION void geometry(Work &w, int row, int64_t first) const
  {
    w.each(w.edges, [&](const int e) {
      const Edge now = edge(w, row, first + e);
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
      for (int b = 0; b < decltype(width)::value; b++)
        w.row(e)[at.tensor + k + b] = w.two_body(e, m.tensor_column + k + b);
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
        const Edge now = edge(w, row, first + e);
        const PairEnergy pair = zbl(m.zbl_charge(now.pair / m.types), m.zbl_charge(now.pair % m.types),
                                    m.zbl_prefactor, m.zbl_cutoff_power, m.cutoff(now.pair), now.r);
        own[at.energy] += static_cast<Real>(pair.energy);
        dr += static_cast<Real>(pair.derivative);
      }
      in.eps(first + e) = unit * own[at.energy];
      in.g(first + e, 0) = unit * (g[0] + dr * own[at.x]);
      in.g(first + e, 1) = unit * (g[1] + dr * own[at.y]);
      in.g(first + e, 2) = unit * (g[2] + dr * own[at.z]);
    });
    Kokkos::single(Kokkos::PerTeam(w.team), [&]() {
      double sum = 0.0;
      for (int e = 0; e < w.edges; e++) sum += static_cast<double>(w.row(e)[at.energy]);
      in.energy(row) = in.energy_unit * (sum + m.shift(w.type));
    });
  }
};

}    // namespace E3D

#endif
