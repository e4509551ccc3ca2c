// Kernels of every instruction set and precision against the textbook form of the model: energies and forces
// of edges, for shapes of all kinds, 0 to 500 edges a centre, lengths from 0.4 angstrom to beyond the cutoff.
#include "check.h"
#include "evaluator.h"
#include "random_model.h"
#include "textbook.h"

#include <algorithm>
#include <cstring>

using namespace e3d::engine;

namespace {

struct Result {
  std::vector<double> energy, edge_energy, edge_force;
};

Result evaluate(Evaluator &evaluator, const RandomEdges &edges, bool forces = true)
{
  Result out;
  const std::size_t centres = edges.centre_type.size(), count = edges.neighbour_type.size();
  out.energy.assign(centres, NAN);
  out.edge_energy.assign(count, NAN);
  out.edge_force.assign(3 * count, NAN);
  CentreBatch batch;
  batch.centres = static_cast<std::int64_t>(centres);
  batch.first = edges.first.data();
  batch.centre_type = edges.centre_type.data();
  batch.neighbour_type = edges.neighbour_type.data();
  batch.vector = edges.vector.data();
  batch.energy = out.energy.data();
  batch.edge_energy = out.edge_energy.data();
  batch.edge_force = forces ? out.edge_force.data() : nullptr;
  evaluator.evaluate(batch);
  return out;
}

Result run(const ModelFile &file, Precision precision, const KernelSet &set, const RandomEdges &edges)
{
  auto model = std::make_shared<Model>(file, precision, set);
  std::vector<int> types;
  for (int t = 0; t < file.types(); t++) types.push_back(t);
  model->prepare(types);
  Evaluator evaluator(model, 1);
  return evaluate(evaluator, edges);
}

// Energies, and forces of the sum of a centre's energies by dual numbers along every coordinate of every
// `stride`-th edge of a centre; those of the other edges stay NaN.
Result textbook(const ModelFile &file, const RandomEdges &edges, int stride)
{
  const Textbook book(file);
  Result out;
  out.edge_force.assign(edges.vector.size(), NAN);
  for (std::size_t c = 0; c < edges.centre_type.size(); c++) {
    const std::int64_t begin = edges.first[c], end = edges.first[c + 1];
    std::vector<int> types(edges.neighbour_type.begin() + begin, edges.neighbour_type.begin() + end);
    std::vector<std::vector<Dual>> vectors;
    for (std::int64_t e = begin; e < end; e++)
      vectors.push_back({edges.vector[3 * e], edges.vector[3 * e + 1], edges.vector[3 * e + 2]});
    double sum = file.shifts[edges.centre_type[c]];
    for (const Dual &x : book.edge_energies(edges.centre_type[c], types, vectors)) {
      out.edge_energy.push_back(x.value);
      sum += x.value;
    }
    out.energy.push_back(sum);
    for (std::int64_t e = begin; e < end; e += stride)
      for (int k = 0; k < 3; k++) {
        vectors[e - begin][k].slope = 1.0;
        out.edge_force[3 * e + k] = 0.0;
        for (const Dual &x : book.edge_energies(edges.centre_type[c], types, vectors))
          out.edge_force[3 * e + k] += x.slope;
        vectors[e - begin][k].slope = 0.0;
      }
  }
  return out;
}

double largest(const std::vector<double> &values)
{
  double out = 1e-300;
  for (double x : values)
    if (!std::isnan(x)) out = std::max(out, std::fabs(x));
  return out;
}

// Largest difference where `want` is known, in units of the largest number.
double difference(const std::vector<double> &got, const std::vector<double> &want)
{
  double out = got.size() == want.size() ? 0.0 : INFINITY;
  for (std::size_t k = 0; k < want.size() && k < got.size(); k++) {
    if (std::isnan(want[k])) continue;
    const double error = std::fabs(got[k] - want[k]);
    out = std::max(out, std::isnan(error) ? INFINITY : error);
  }
  return out / largest(want);
}

void compare(const ModelShape &shape, const std::vector<int> &counts, int stride = 1)
{
  const ModelFile file = RandomModel(shape).file();
  const RandomEdges edges(shape.seed, counts, shape.types, 0.4, 1.05 * shape.r_max);
  const Result want = textbook(file, edges, stride);
  for (const KernelSet *set : usable_kernels())
    for (Precision precision : {Precision::exact, Precision::double_tables, Precision::single}) {
      const Result got = run(file, precision, *set, edges);
      const double energy = difference(got.edge_energy, want.edge_energy),
                   force = difference(got.edge_force, want.edge_force);
      const double centre = difference(got.energy, want.energy);
      // tables of functions of random weights; single precision beside sums of up to 500 edges
      const double tolerance = precision == Precision::exact ? 1e-12
          : precision == Precision::double_tables            ? 2e-6
                                                             : 2e-5;
      if (!(energy < tolerance && force < tolerance && centre < tolerance))
        check::fail(__FILE__, __LINE__,
                    std::string(set->name) + ", precision " + std::to_string(static_cast<int>(precision)) +
                        ", seed " + std::to_string(shape.seed) + ": relative errors of energies " +
                        std::to_string(energy) + ", centres " + std::to_string(centre) + ", forces " +
                        std::to_string(force));
      for (std::size_t e = 0; e < edges.neighbour_type.size(); e++)
        if (want.edge_energy[e] == 0.0)
          CHECK(got.edge_energy[e] == 0.0 && got.edge_force[3 * e] == 0.0 &&
                got.edge_force[3 * e + 2] == 0.0);
    }
}

void test_shapes()
{
  const std::vector<int> counts = {0, 1, 2, 5, 6, 7, 13};
  ModelShape shape;
  for (shape.l_max = 0; shape.l_max <= 3; shape.l_max++)
    for (shape.layers = 1; shape.layers <= 4; shape.layers++) {
      shape.seed = static_cast<unsigned>(10 * shape.l_max + shape.layers);
      shape.channels = 1 + 5 * (shape.layers % 2) + 12 * (shape.l_max % 2);
      shape.width = 5 + 6 * shape.layers;
      compare(shape, counts);
    }
  shape = ModelShape();
  shape.layers = 3;
  shape.track = {5, 12};
  shape.coupling = false;
  shape.per_type = shape.cutoffs = true;
  compare(shape, counts);
  shape.zbl = true;
  compare(shape, counts);
  shape.spline = true;
  compare(shape, counts);
  for (int depth : {0, 2, 3}) {
    shape = ModelShape();
    shape.seed = static_cast<unsigned>(100 + depth);
    shape.scalar_depth = shape.latent_depth = shape.readout_depth = depth;
    compare(shape, counts);
    shape.layers = 3;
    shape.latent_depth = 1;
    compare(shape, counts);
    shape.readout_depth = 1;
    shape.latent_depth = depth;
    compare(shape, counts);
  }
}

void test_many_edges()
{
  ModelShape shape;
  shape.seed = 7;
  compare(shape, {500, 0, 129, 64, 65, 63, 1}, 97);
}

// Results of a centre do not depend on the centres that it is evaluated with.
void test_same_bits()
{
  ModelShape shape;
  shape.layers = 3;
  const ModelFile file = RandomModel(shape).file();
  std::vector<int> counts;
  for (int k = 0; k < 60; k++) counts.push_back((7 * k) % 23);
  const RandomEdges edges(3, counts, shape.types, 0.4, 1.1 * shape.r_max);
  for (const KernelSet *set : usable_kernels())
    for (Precision precision : {Precision::exact, Precision::single}) {
      auto model = std::make_shared<Model>(file, precision, *set);
      model->prepare({0, 1});
      Evaluator evaluator(model, 1), threads(model, 3);
      const Result whole = evaluate(evaluator, edges), many = evaluate(threads, edges);
      CHECK(!std::memcmp(whole.edge_force.data(), many.edge_force.data(), whole.edge_force.size() * 8));
      CHECK(!std::memcmp(whole.energy.data(), many.energy.data(), whole.energy.size() * 8));
      const Result energies = evaluate(evaluator, edges, false);
      CHECK(
          !std::memcmp(whole.edge_energy.data(), energies.edge_energy.data(), whole.edge_energy.size() * 8));
      for (int c : {0, 1, 30, 59}) {
        RandomEdges one = edges;
        one.centre_type = {edges.centre_type[c]};
        one.first = {edges.first[c], edges.first[c + 1]};    // offsets of a longer list
        Result alone = evaluate(evaluator, one);
        const std::size_t begin = static_cast<std::size_t>(one.first[0]),
                          count = static_cast<std::size_t>(one.first[1]) - begin;
        CHECK_EQUAL(alone.energy[0], whole.energy[c]);
        CHECK(!std::memcmp(&alone.edge_energy[begin], &whole.edge_energy[begin], count * 8));
        CHECK(!std::memcmp(&alone.edge_force[3 * begin], &whole.edge_force[3 * begin], count * 24));
      }
    }
}

}    // namespace

int main()
{
  for (const KernelSet *set : usable_kernels()) std::printf("%s ", set->name);
  std::printf("run here\n");
  test_shapes();
  test_many_edges();
  test_same_bits();
  return check::failures();
}
