// The C interface: a model from a file on disk, evaluated through plain arrays; errors as values and texts.
#include "check.h"
#include "e3d_engine.h"
#include "random_model.h"

#include <cstdio>
#include <fstream>
#include <string>

namespace {

std::string write(const RandomModel &model, const std::string &path)
{
  const auto bytes = model.writer.bytes();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char *>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return path;
}

std::string last_error()
{
  return e3d_engine_error();
}

void test_model(const std::string &path)
{
  e3d_engine_model *model = e3d_engine_open(path.c_str(), E3D_ENGINE_OF_FILE, nullptr);
  CHECK(model);
  if (!model) return;
  e3d_engine_info info;
  e3d_engine_describe(model, &info);
  CHECK_EQUAL(info.types, 2);
  CHECK_EQUAL(info.l_max, 2);
  CHECK_EQUAL(info.layers, 2);
  CHECK_EQUAL(info.r_max, 4.5);
  CHECK_EQUAL(info.cutoffs[3], 4.5);
  CHECK(std::string(info.precision) == "float64");
  CHECK(std::string(e3d_engine_instruction_sets()).find(info.instruction_set) != std::string::npos);
  CHECK(std::string(e3d_engine_type_name(model, 1)) == "B");
  CHECK(!e3d_engine_type_name(model, 2) && !e3d_engine_type_element(model, -1));
  CHECK(std::string(e3d_engine_metadata_value(model, "architecture")) == "allegro/1");
  CHECK(!e3d_engine_metadata_value(model, "nothing"));
  CHECK(std::string(e3d_engine_metadata_key(model, 0)) == "architecture");
  CHECK(!e3d_engine_metadata_key(model, e3d_engine_metadata_count(model)));

  const std::int32_t types[] = {0, 1};
  CHECK_EQUAL(e3d_engine_prepare(model, 2, types), 0);
  const std::int32_t wrong[] = {2};
  CHECK(e3d_engine_prepare(model, 1, wrong) != 0);
  CHECK(last_error().find("got 2") != std::string::npos);

  e3d_engine_evaluator *evaluator = e3d_engine_evaluator_new(model, 2);
  e3d_engine_close(model);    // the evaluator keeps what it needs
  const RandomEdges edges(1, {3, 50, 0}, 2, 0.5, 5.0);
  std::vector<double> energy(3), edge_energy(53), force(159);
  const e3d_engine_edges in = {3, edges.first.data(), edges.centre_type.data(), edges.neighbour_type.data(),
                               edges.vector.data()};
  e3d_engine_energies out = {energy.data(), edge_energy.data(), force.data()};
  CHECK_EQUAL(e3d_engine_evaluate(evaluator, &in, &out), 0);
  double sum = 0.0;
  for (int e = 3; e < 53; e++) sum += edge_energy[e];
  CHECK(std::fabs(sum - energy[1]) < 1e-12);
  CHECK_EQUAL(energy[2], 0.0);
  const std::vector<double> all = energy;
  out = {energy.data(), nullptr, nullptr};
  CHECK_EQUAL(e3d_engine_evaluate(evaluator, &in, &out), 0);
  CHECK(energy == all);
  CHECK(e3d_engine_evaluator_bytes(evaluator) > 0);

  RandomEdges bad = edges;
  bad.vector[0] = bad.vector[1] = bad.vector[2] = 0.0;
  const e3d_engine_edges bad_in = {3, bad.first.data(), bad.centre_type.data(), bad.neighbour_type.data(),
                                   bad.vector.data()};
  CHECK(e3d_engine_evaluate(evaluator, &bad_in, &out) != 0);
  CHECK(last_error().find("edge 0 of centre 0") != std::string::npos);
  CHECK_EQUAL(e3d_engine_evaluate(evaluator, &in, &out), 0);

  std::uint64_t cycles[64];
  int sections = 0;
  while (e3d_engine_section(sections)) sections++;
  CHECK(sections > 5 && sections < 64);
  e3d_engine_take_cycles(evaluator, cycles);
  e3d_engine_evaluator_free(evaluator);
}

void test_errors(const std::string &path)
{
  CHECK_EQUAL(e3d_engine_version(), E3D_ENGINE_VERSION);
  CHECK(!e3d_engine_open("nowhere.safetensors", 0, nullptr));
  CHECK(last_error().find("nowhere.safetensors") != std::string::npos);
  CHECK(!e3d_engine_open(path.c_str(), 9, nullptr));
  CHECK(last_error().find("precision") != std::string::npos);
  CHECK(!e3d_engine_open(path.c_str(), 0, "sse9"));
  e3d_engine_close(nullptr);
  e3d_engine_evaluator_free(nullptr);
}

}    // namespace

int main()
{
  const std::string path = write(RandomModel(ModelShape()), "test_engine_c_api.tmp");
  test_model(path);
  test_errors(path);
  std::remove(path.c_str());
  return check::failures();
}
