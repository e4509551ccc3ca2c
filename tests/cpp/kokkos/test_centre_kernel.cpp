/* The kernel of a centre on a device equals the host engine with the same tables. Random models: nothing in the algebra asks
   for spherical symmetry, so that any terms will do. */

#include "centre_kernel.h"
#include "engine/evaluator.h"
#include "engine/model.h"

#include "kokkos_type.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>
#include <string>
#include <vector>

using namespace e3d::engine;
using Device = LMPDeviceType;

namespace {

std::mt19937_64 generator(11);

double normal(double scale)
{
  return std::normal_distribution<double>(0.0, scale)(generator);
}
Matrix random_matrix(int rows, int columns)
{
  Matrix out(rows, columns);
  for (double &x : out.numbers) x = normal(1.0 / std::sqrt(static_cast<double>(rows)));
  return out;
}
Network network(std::vector<int> widths, bool linear = false)
{
  Network out;
  out.linear = linear;
  for (std::size_t k = 0; k + 1 < widths.size(); k++)
    out.matrices.push_back(random_matrix(widths[k], widths[k + 1]));
  return out;
}

struct Shape {
  int l_max = 2, layers = 2, scalars = 16, channels = 8, hidden = 16, depth = 1, readout = 8,
      readout_depth = 1, types = 3;
  bool linear = false, zbl = false;
};

ModelFile random_model(const Shape &s)
{
  ModelFile file;
  for (int t = 0; t < s.types; t++) {
    file.type_names.push_back("T" + std::to_string(t));
    file.shifts.push_back(normal(1.0));
    file.scales.push_back(1.0);
    file.layer_norm.push_back(0.2 + 0.02 * t);
    file.edge_scale.push_back(1.0 + 0.1 * t);
  }
  file.type_elements = file.type_names;
  file.r_max = 4.0;
  for (int t = 0; t < s.types * s.types; t++) file.cutoffs.push_back(t == 1 ? 3.2 : 4.0);
  file.l_max = s.l_max;
  file.layers = s.layers;
  file.scalars = s.scalars;
  file.channels = s.channels;
  file.radial.roots = {1, 2, 3, 4, 5, 6};
  file.radial.basis_weight = random_matrix(6, 10);
  file.radial.centre = random_matrix(s.types, 5);
  file.radial.neighbour = random_matrix(s.types, 5);
  file.scalar_network = network({10, 12, s.scalars});
  const int weights = s.channels * (s.l_max + 1);
  file.projection = random_matrix(s.scalars, s.scalars + weights);
  file.tensor_weight = random_matrix(s.scalars, weights);
  const int J = file.components();
  int in = J;
  for (int n = 0; n < s.layers; n++) {
    TensorProduct p;
    p.in = in;
    p.environment = J;
    p.out = n + 1 == s.layers ? 1 : J + 3;
    p.path_weight = random_matrix(7, s.channels);
    std::uniform_int_distribution<int> path(0, 6), i(0, p.in - 1), j(0, J - 1), k(0, p.out - 1);
    for (int t = 0; t < 60; t++)
      p.terms.push_back({path(generator), i(generator), j(generator), t % 3 ? k(generator) : 0, normal(1.0)});
    in = p.out;
    file.products.push_back(p);
    std::vector<int> widths{s.scalars * (n + 1) + s.channels};
    for (int d = 0; d < s.depth; d++) widths.push_back(s.hidden);
    widths.push_back(s.scalars + (n + 1 < s.layers ? weights : 0));
    file.latents.push_back(network(widths, s.linear));
  }
  std::vector<int> widths{s.scalars * (s.layers + 1)};
  for (int d = 0; d < s.readout_depth; d++) widths.push_back(s.readout);
  widths.push_back(1);
  file.readout = network(widths);
  file.has_zbl = s.zbl;
  file.zbl.charge = {1, 6, 8};
  file.zbl.prefactor = 7.2;
  return file;
}

struct Frame {
  std::vector<double> x;
  std::vector<int> type, centre, neighbour;
  std::vector<int64_t> offset{0};
};

Frame random_frame(const ModelFile &file, int atoms, double box)
{
  Frame f;
  std::uniform_real_distribution<double> place(0.0, box);
  while (static_cast<int>(f.x.size()) < 3 * atoms) {
    double r[3] = {place(generator), place(generator), place(generator)};
    bool free = true;
    for (std::size_t k = 0; k < f.x.size(); k += 3)
      free = free && std::hypot(f.x[k] - r[0], f.x[k + 1] - r[1], f.x[k + 2] - r[2]) > 0.9;
    if (free) f.x.insert(f.x.end(), r, r + 3);
  }
  const int types = file.types();
  for (int i = 0; i < atoms; i++) f.type.push_back(i % types);
  for (int i = 0; i < atoms; i++) {
    f.centre.push_back(i);
    for (int j = 0; j < atoms; j++)
      if (j != i &&
          std::hypot(f.x[3 * j] - f.x[3 * i], f.x[3 * j + 1] - f.x[3 * i + 1],
                     f.x[3 * j + 2] - f.x[3 * i + 2]) < file.cutoffs[f.type[i] * types + f.type[j]])
        f.neighbour.push_back(j);
    f.offset.push_back(f.neighbour.size());
  }
  return f;
}

template <typename T> Kokkos::View<T *, Device> device(const std::vector<T> &v)
{
  Kokkos::View<T *, Device> out("v", v.size());
  Kokkos::deep_copy(out,
                    Kokkos::View<const T *, Kokkos::HostSpace, Kokkos::MemoryUnmanaged>(v.data(), v.size()));
  return out;
}

constexpr int NO_TILES = 0;

/* tile: edges that fit into the fast memory of a team beside the data of its centre, or without these (negative) */
template <typename Real>
void check(const char *name, const Shape &shape, int atoms, double box, int tile, double tolerance,
           bool tables = true)
{
  const ModelFile file = random_model(shape);
  const Frame f = random_frame(file, atoms, box);
  const int64_t edges = f.neighbour.size();
  std::vector<int> types;
  for (int t = 0; t < file.types(); t++) types.push_back(t);

  auto host =
      std::make_shared<Model>(file, tables ? Precision::double_tables : Precision::exact, choose_kernels());
  host->prepare(types);
  Evaluator evaluator(host, 1);
  std::vector<double> vectors, energy(atoms), eps(edges), g(3 * edges);
  std::vector<int> centre_type, neighbour_type;
  for (int i = 0; i < atoms; i++) {
    centre_type.push_back(f.type[i]);
    for (int64_t e = f.offset[i]; e < f.offset[i + 1]; e++) {
      neighbour_type.push_back(f.type[f.neighbour[e]]);
      for (int d = 0; d < 3; d++) vectors.push_back(f.x[3 * f.neighbour[e] + d] - f.x[3 * i + d]);
    }
  }
  CentreBatch batch;
  batch.centres = atoms;
  batch.first = f.offset.data();
  batch.centre_type = centre_type.data();
  batch.neighbour_type = neighbour_type.data();
  batch.vector = vectors.data();
  batch.energy = energy.data();
  batch.edge_energy = eps.data();
  batch.edge_force = g.data();
  evaluator.evaluate(batch);

  E3D::DeviceModel<Real, Device> model(fold(file), tables);
  model.prepare(types);
  using Positions = Kokkos::View<double *[3], Kokkos::LayoutRight, Device>;
  Positions x("x", atoms);
  std::memcpy(x.data(), f.x.data(), f.x.size() * sizeof(double));
  E3D::CentreBatch<Real, Device, Positions> in;
  std::vector<int> rows, map{0};
  for (int i = 0; i < atoms; i++) rows.push_back(i);
  for (int t : types) map.push_back(t);
  std::vector<int> lammps_type = f.type;
  for (int &t : lammps_type) t++;
  in.row = device(rows);
  in.centre = device(f.centre);
  in.offset = device(f.offset);
  in.neighbour = device(f.neighbour);
  in.x = x;
  in.type = device(lammps_type);
  in.model_type = device(map);
  in.energy = Kokkos::View<double *, Device>("energy", atoms);
  in.eps = Kokkos::View<Real *, Device>("eps", edges);
  in.g = Kokkos::View<Real *[3], Kokkos::LayoutRight, Device>("g", edges);
  int most = 0;
  for (int i = 0; i < atoms; i++) most = std::max(most, static_cast<int>(f.offset[i + 1] - f.offset[i]));
  using Kernel = E3D::CentreKernel<Real, Device, Positions>;
  const E3D::EdgeRow row = E3D::EdgeRow::of(model.view(), model.exact_columns());
  const E3D::CentreRow once = E3D::CentreRow::of(model.view(), model.layers());
  Kernel kernel(model.view(), row, once, in, most);
  int64_t fast = 32000;
  if (tile != NO_TILES) {
    fast = std::abs(tile) * static_cast<int64_t>(row.size * sizeof(Real) + sizeof(Real *));
    if (tile > 0) fast += once.size * sizeof(Real) + 192;
    int once_level;
    const int fitting = Kernel::fitting_edges(row, once, fast, once_level);
    if (fitting != std::abs(tile) || once_level != (tile < 0) || most < 2 * fitting) {
      std::printf("FAILED: %s: %d edges fit beside level %d, at most %d\n", name, fitting, once_level, most);
      std::exit(1);
    }
  }
  const std::clock_t start = std::clock();    // of the process: other programs do not count
  kernel.launch(atoms, fast, tile != NO_TILES);
  Kokkos::fence();
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;

  double worst[3] = {0, 0, 0}, scale[3] = {0, 0, 0};
  const auto compare = [&](int what, double got, double want) {
    worst[what] = std::max(worst[what], std::fabs(got - want));
    if (!(std::fabs(got - want) < 1e300)) worst[what] = 1e300;
    scale[what] = std::max(scale[what], std::fabs(want));
  };
  for (int i = 0; i < atoms; i++) compare(0, in.energy(i), energy[i]);
  for (int64_t e = 0; e < edges; e++) {
    compare(1, in.eps(e), eps[e]);
    for (int d = 0; d < 3; d++) compare(2, in.g(e, d), g[3 * e + d]);
  }
  std::printf(
      "%-22s %6ld edges, at most %3d, tile %3d; row %4d, centre %5d numbers; relative errors %.1e %.1e "
      "%.1e of %.2g %.2g %.2g; %.2f us of CPU per edge\n",
      name, edges, most, tile, row.size, once.size, worst[0] / scale[0], worst[1] / scale[1],
      worst[2] / scale[2], scale[0], scale[1], scale[2], 1e6 * seconds / edges);
  for (int k = 0; k < 3; k++)
    if (!(worst[k] <= tolerance * scale[k]) || scale[k] == 0.0) {
      std::printf("FAILED: more than %.1e\n", tolerance);
      std::exit(1);
    }
}

}    // namespace

int main(int argc, char **argv)
{
  Kokkos::ScopeGuard guard(argc, argv);
  check<double>("two layers", {}, 60, 8.0, NO_TILES, 1e-12);
  check<float>("float32", {}, 60, 8.0, NO_TILES, 1e-5);
  check<double>("tiles", {}, 60, 8.0, 5, 1e-12);
  check<double>("tiles, centre apart", {}, 60, 8.0, -4, 1e-12);
  check<float>("tiles, float32", {}, 60, 8.0, 7, 1e-5);
  check<double>("tiles, exact", {}, 60, 8.0, 6, 1e-12, false);
  check<double>("sparse", {}, 30, 14.0, NO_TILES, 1e-12);
  check<double>("exact", {}, 60, 8.0, NO_TILES, 1e-12, false);
  Shape s;
  s.layers = 1;
  check<double>("one layer", s, 60, 8.0, NO_TILES, 1e-12);
  s.layers = 4;
  s.l_max = 3;
  check<double>("four layers, l 3", s, 60, 8.0, NO_TILES, 1e-12);
  check<double>("four layers in tiles", s, 60, 8.0, -4, 1e-12);
  s = Shape();
  s.depth = 3;
  s.readout_depth = 2;
  check<double>("deep", s, 60, 8.0, NO_TILES, 1e-12);
  s.readout_depth = 3;
  s.depth = 2;
  check<double>("deep 3", s, 60, 8.0, NO_TILES, 1e-12);
  s.linear = true;
  check<double>("linear", s, 60, 8.0, NO_TILES, 1e-12);
  s = Shape();
  s.l_max = 1;
  s.zbl = true;
  s.channels = 7;
  s.hidden = 19;
  check<double>("odd widths, zbl", s, 60, 8.0, NO_TILES, 1e-12);
  check<double>("zbl in tiles", s, 60, 8.0, -4, 1e-12);
  s = Shape();
  s.scalars = s.hidden = 64;
  s.channels = 32;
  s.readout = 32;
  check<double>("large", s, 100, 9.5, NO_TILES, 1e-12);
  check<double>("large exact", s, 100, 9.5, NO_TILES, 1e-12, false);
  check<float>("large", s, 100, 9.5, NO_TILES, 1e-5);
  return 0;
}
