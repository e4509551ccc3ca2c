/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "device_evaluation.h"

#include "centre_kernel.h"
#include "incoming_edges.h"

#include <Kokkos_ScatterView.hpp>

#include <algorithm>
#include <cstdlib>

namespace E3D {

CopiesToHost &copies_to_host()
{
  static CopiesToHost copies;
  return copies;
}

namespace {

  /* The fast memory of a team, bytes: what the device has, or less where a test wants it. On a CPU it is memory as any other, and
     tiles of edges are for tests alone. */
  struct FastMemory {
    int64_t bytes;
    bool tiles;
  };
  template <class DeviceType> FastMemory fast_memory()
  {
    const int64_t all = Kokkos::TeamPolicy<DeviceType>::scratch_size_max(0) - 1024;
    const char *wanted = std::getenv("E3D_KOKKOS_SCRATCH");
    return {wanted ? std::min<int64_t>(all, std::atoll(wanted)) : all,
            wanted || !CentreWork<double, DeviceType>::ON_HOST};
  }

  // sums of blocks of rows, each by one thread, and then of the blocks: in the same order on any device
  template <class DeviceType>
  EnergyAndVirial sum_of_rows(const Kokkos::View<double *[7], Kokkos::LayoutRight, DeviceType> &sums,
                              int rows)
  {
    constexpr int BLOCK = 256;
    const int blocks = (rows + BLOCK - 1) / BLOCK;
    Kokkos::View<double *[7], Kokkos::LayoutRight, DeviceType> of_block("e3d:blocks", blocks);
    Kokkos::parallel_for(
        "e3d:sums", Kokkos::RangePolicy<DeviceType>(0, blocks), KOKKOS_LAMBDA(const int b) {
          for (int d = 0; d < 7; d++) {
            double sum = 0.0;
            for (int k = b * BLOCK; k < rows && k < (b + 1) * BLOCK; k++) sum += sums(k, d);
            of_block(b, d) = sum;
          }
        });
    const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), of_block);
    EnergyAndVirial out;
    for (int b = 0; b < blocks; b++) {
      out.energy += host(b, 0);
      for (int d = 0; d < 6; d++) out.virial[d] += host(b, 1 + d);
    }
    return out;
  }

}    // namespace

/* ---------------------------------------------------------------------- */

template <typename Real, class DeviceType> class DeviceEvaluationOf : public DeviceEvaluation<DeviceType> {
 public:
  using Atoms = DeviceAtoms<DeviceType>;
  using Edges = DeviceEdges<DeviceType>;
  using Positions = typename ArrayTypes<DeviceType>::t_kkfloat_1d_3_lr;
  using Kernel = CentreKernel<Real, DeviceType, Positions>;
  using Range = Kokkos::RangePolicy<DeviceType>;

  DeviceEvaluationOf(const e3d::engine::FoldedModel &folded, const std::vector<int> &types) :
      model_(folded), edge_row_(EdgeRow::of(model_.view(), model_.exact_columns())),
      centre_row_(CentreRow::of(model_.view(), model_.layers()))
  {
    model_.prepare(types);
  }

  void run(const Atoms &atoms, Edges &edges, double energy_unit) override
  {
    make_room(energy_, "e3d:energy", edges.rows);
    make_room(eps_, "e3d:eps", edges.edges);
    make_room(g_, "e3d:g", edges.edges);
    const auto energy = energy_;
    Kokkos::parallel_for("e3d:zero", Range(0, edges.rows), KOKKOS_LAMBDA(const int k) { energy(k) = 0.0; });

    const FastMemory fast = fast_memory<DeviceType>();
    int once_level;
    const int fitting = Kernel::fitting_edges(edge_row_, centre_row_, fast.bytes, once_level);
    edges.put_in_order(atoms, fitting);
    const auto launch = [&](int first, int last, int most) {
      if (first == last) return;
      CentreBatch<Real, DeviceType, Positions> batch;
      batch.row = Kokkos::subview(edges.order, Kokkos::make_pair(first, last));
      batch.centre = edges.centre;
      batch.offset = edges.offset;
      batch.neighbour = edges.neighbour;
      batch.x = atoms.x;
      batch.type = atoms.type;
      batch.model_type = atoms.model_type;
      batch.energy_unit = energy_unit;
      batch.energy = energy_;
      batch.eps = eps_;
      batch.g = g_;
      Kernel(model_.view(), edge_row_, centre_row_, batch, most).launch(last - first, fast.bytes, fast.tiles);
    };
    launch(0, edges.few, std::min(fitting, edges.most));
    launch(edges.few, edges.evaluated, edges.most);
    if (fast.tiles && edges.few < edges.evaluated) tile_ = fitting;
  }

  EnergyAndVirial add(const Atoms &atoms, const Edges &edges, const DeviceTargets<DeviceType> &targets,
                      bool ordered) override
  {
    Kokkos::View<double *[7], Kokkos::LayoutRight, DeviceType> sums(
        Kokkos::view_alloc(Kokkos::WithoutInitializing, "e3d:sums"), edges.rows);
    const int not_a_number = add_centres(atoms, edges, targets.f, sums, targets.virial);
    add_neighbours(atoms, edges, targets.f, ordered);
    if (targets.eatom.extent(0)) {
      const auto eatom = targets.eatom;
      const auto energy = energy_;
      const auto centre = edges.centre;
      Kokkos::parallel_for(
          "e3d:eatom", Range(0, edges.rows), KOKKOS_LAMBDA(const int k) { eatom(centre(k)) += energy(k); });
    }
    if (targets.vatom.extent(0) || targets.cvatom.extent(0)) add_virials(atoms, edges, targets, ordered);
    EnergyAndVirial out = sum_of_rows<DeviceType>(sums, edges.rows);
    out.not_a_number = not_a_number;
    return out;
  }

  int add_forces(const Atoms &atoms, const Edges &edges, const ForceView<DeviceType> &f,
                 bool ordered) override
  {
    const int not_a_number =
        add_centres(atoms, edges, f, Kokkos::View<double *[7], Kokkos::LayoutRight, DeviceType>(), false);
    add_neighbours(atoms, edges, f, ordered);
    return not_a_number;
  }

  void give_edge_energies(const EdgeSelection<DeviceType> &selection,
                          const Kokkos::View<double *, DeviceType> &to) const override
  {
    const auto from = eps_;
    const auto edge = selection.edge;
    Kokkos::parallel_for(
        "e3d:some", Kokkos::RangePolicy<DeviceType, Kokkos::IndexType<int64_t>>(0, selection.edges),
        KOKKOS_LAMBDA(const int64_t e) { to(e) = static_cast<double>(from(edge(e))); });
  }

  void give_energies(const Edges &edges, int nlocal,
                     const Kokkos::View<double *, DeviceType> &to) const override
  {
    const auto energy = energy_;
    const auto centre = edges.centre;
    Kokkos::deep_copy(Kokkos::subview(to, Kokkos::make_pair(0, nlocal)), 0.0);
    Kokkos::parallel_for(
        "e3d:give_energies", Range(0, edges.rows), KOKKOS_LAMBDA(const int k) { to(centre(k)) = energy(k); });
  }

  void give_virials(const Atoms &atoms, const Edges &edges,
                    const Kokkos::View<double *[9], Kokkos::LayoutRight, DeviceType> &to) override
  {
    incoming_.find(edges, atoms.nall);
    for_each_virial(
        atoms, edges, KOKKOS_LAMBDA(const int j, const double (&w)[9]) {
          for (int d = 0; d < 9; d++) to(j, d) = w[d];
        });
  }

  std::vector<double> heat(const Atoms &atoms, const Edges &edges,
                           const HeatRows<DeviceType> &table) const override
  {
    return heat_of_edges(atoms, edges, energy_, eps_, g_, table);
  }

  void copy_energies(const Edges &edges, std::vector<double> &to) const override
  {
    copy_to_host(energy_, edges.rows, to);
  }

  void copy_edge_energies(const EdgeSelection<DeviceType> &selection, std::vector<double> &to) const override
  {
    Kokkos::View<double *, DeviceType> some(Kokkos::view_alloc(Kokkos::WithoutInitializing, "e3d:some"),
                                            selection.edges);
    give_edge_energies(selection, some);
    copy_to_host(some, selection.edges, to);
  }

  void copy_edge_forces(const EdgeSelection<DeviceType> &selection, std::vector<double> &to) const override
  {
    Kokkos::View<double *, DeviceType> some(Kokkos::view_alloc(Kokkos::WithoutInitializing, "e3d:some"),
                                            3 * selection.edges);
    const auto from = g_;
    const auto edge = selection.edge;
    Kokkos::parallel_for(
        "e3d:some", Kokkos::RangePolicy<DeviceType, Kokkos::IndexType<int64_t>>(0, selection.edges),
        KOKKOS_LAMBDA(const int64_t e) {
          for (int d = 0; d < 3; d++) some(3 * e + d) = static_cast<double>(from(edge(e), d));
        });
    copy_to_host(some, 3 * selection.edges, to);
  }

  int tile() const override { return tile_; }

  double memory_usage() const override
  {
    return model_.bytes() + static_cast<double>(energy_.size()) * sizeof(double) +
        static_cast<double>(eps_.size() + g_.size()) * sizeof(Real);
  }

  // ---- public because lambdas of a device must not be in private functions

  // the part of F_i that is its own, sum_j g_ij, and the energy and virial of each row; returns not_a_number
  template <class Forces>
  int add_centres(const Atoms &atoms, const Edges &edges, const Forces &f,
                  const Kokkos::View<double *[7], Kokkos::LayoutRight, DeviceType> &sums, bool virial)
  {
    const auto a = atoms;
    const auto g = g_;
    const auto energy = energy_;
    const auto centre = edges.centre;
    const auto offset = edges.offset;
    const auto neighbour = edges.neighbour;
    const bool with_sums = sums.extent(0) > 0;
    int not_a_number = -1;
    Kokkos::parallel_reduce(
        "e3d:centres", Range(0, edges.rows),
        KOKKOS_LAMBDA(const int k, int &bad) {
          const int i = centre(k);
          double own[3] = {0.0, 0.0, 0.0}, v[6] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
          for (int64_t e = offset(k); e < offset(k + 1); e++) {
            const double ge[3] = {static_cast<double>(g(e, 0)), static_cast<double>(g(e, 1)),
                                  static_cast<double>(g(e, 2))};
            for (int d = 0; d < 3; d++) own[d] += ge[d];
            if (!virial) continue;
            double r[3];
            for (int d = 0; d < 3; d++)
              r[d] = static_cast<double>(a.x(neighbour(e), d)) - static_cast<double>(a.x(i, d));
            for (int d = 0; d < 3; d++) v[d] -= r[d] * ge[d];
            v[3] -= 0.5 * (r[0] * ge[1] + r[1] * ge[0]);
            v[4] -= 0.5 * (r[0] * ge[2] + r[2] * ge[0]);
            v[5] -= 0.5 * (r[1] * ge[2] + r[2] * ge[1]);
          }
          for (int d = 0; d < 3; d++) f(i, d) += own[d];    // no other row has this centre
          if (!Kokkos::isfinite(energy(k) + own[0] + own[1] + own[2]) && k > bad) bad = k;
          if (!with_sums) return;
          sums(k, 0) = energy(k);
          for (int d = 0; d < 6; d++) sums(k, 1 + d) = v[d];
        },
        Kokkos::Max<int>(not_a_number));
    return edges.rows ? not_a_number : -1;
  }

  // the parts of F_j that come from the edges that end on it, -g_ij
  template <class Forces>
  void add_neighbours(const Atoms &atoms, const Edges &edges, const Forces &f, bool ordered)
  {
    const auto g = g_;
    if (ordered) {
      incoming_.find(edges, atoms.nall);
      const auto incoming = incoming_;
      Kokkos::parallel_for(
          "e3d:incoming", Range(0, atoms.nall), KOKKOS_LAMBDA(const int j) {
            double sum[3] = {0.0, 0.0, 0.0};
            for (int64_t n = incoming.offset(j); n < incoming.offset(j + 1); n++)
              for (int d = 0; d < 3; d++) sum[d] += static_cast<double>(g(incoming.edge(n), d));
            for (int d = 0; d < 3; d++) f(j, d) -= sum[d];
          });
      return;
    }
    const auto offset = edges.offset;
    const auto neighbour = edges.neighbour;
    auto scatter = Kokkos::Experimental::create_scatter_view(f);
    Kokkos::parallel_for(
        "e3d:scatter", Range(0, edges.rows), KOKKOS_LAMBDA(const int k) {
          auto access = scatter.access();
          for (int64_t e = offset(k); e < offset(k + 1); e++)
            for (int d = 0; d < 3; d++) access(neighbour(e), d) -= static_cast<double>(g(e, d));
        });
    Kokkos::Experimental::contribute(f, scatter);
  }

  void add_virials(const Atoms &atoms, const Edges &edges, const DeviceTargets<DeviceType> &targets,
                   bool ordered)
  {
    if (!ordered) incoming_.find(edges, atoms.nall);
    const auto vatom = targets.vatom;
    const auto cvatom = targets.cvatom;
    const bool six = vatom.extent(0) > 0, nine = cvatom.extent(0) > 0;
    for_each_virial(
        atoms, edges, KOKKOS_LAMBDA(const int j, const double (&w)[9]) {
          if (six)
            for (int d = 0; d < 3; d++) {
              vatom(j, d) += w[4 * d];
              const int a = d < 2 ? 0 : 1, b = d < 1 ? 1 : 2;    // xy xz yz
              vatom(j, 3 + d) += 0.5 * (w[3 * a + b] + w[3 * b + a]);
            }
          const int lammps[9] = {0, 4, 8, 1, 2, 5, 3, 6, 7};    // xx yy zz xy xz yz yx zx zy
          if (nine)
            for (int d = 0; d < 9; d++) cvatom(j, d) += w[lammps[d]];
        });
  }

  /* f(j, W_j) for all atoms, W_j (9) with the position index first. Only the edges that end on an atom count: with their lists no
     two threads write to one atom. */
  template <class F> void for_each_virial(const Atoms &atoms, const Edges &edges, const F &f)
  {
    const auto a = atoms;
    const auto g = g_;
    const auto incoming = incoming_;
    const auto row_centre = edges.centre;
    Kokkos::parallel_for(
        "e3d:virials", Range(0, atoms.nall), KOKKOS_LAMBDA(const int j) {
          double w[9] = {};
          for (int64_t n = incoming.offset(j); n < incoming.offset(j + 1); n++) {
            const int64_t e = incoming.edge(n);
            const int i = row_centre(incoming.row(n));
            for (int d = 0; d < 3; d++) {
              const double r = static_cast<double>(a.x(j, d)) - static_cast<double>(a.x(i, d));
              for (int b = 0; b < 3; b++) w[3 * d + b] -= r * static_cast<double>(g(e, b));
            }
          }
          f(j, w);
        });
  }

 private:
  DeviceModel<Real, DeviceType> model_;
  const EdgeRow edge_row_;
  const CentreRow centre_row_;
  int tile_ = 0;
  Kokkos::View<double *, DeviceType> energy_;
  Kokkos::View<Real *, DeviceType> eps_;
  Kokkos::View<Real *[3], Kokkos::LayoutRight, DeviceType> g_;
  IncomingEdges<DeviceType> incoming_;
};

/* ---------------------------------------------------------------------- */

template <class DeviceType>
std::unique_ptr<DeviceEvaluation<DeviceType>> make_device_evaluation(const e3d::engine::FoldedModel &model,
                                                                     bool single_precision,
                                                                     const std::vector<int> &types)
{
  if (single_precision) return std::make_unique<DeviceEvaluationOf<float, DeviceType>>(model, types);
  return std::make_unique<DeviceEvaluationOf<double, DeviceType>>(model, types);
}

template std::unique_ptr<DeviceEvaluation<LMPDeviceType>>
make_device_evaluation<LMPDeviceType>(const e3d::engine::FoldedModel &, bool, const std::vector<int> &);
#ifdef LMP_KOKKOS_GPU
template std::unique_ptr<DeviceEvaluation<LMPHostType>>
make_device_evaluation<LMPHostType>(const e3d::engine::FoldedModel &, bool, const std::vector<int> &);
#endif

}    // namespace E3D
