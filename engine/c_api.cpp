#include "e3d_engine.h"

#include "errors.h"
#include "evaluator.h"
#include "model.h"
#include "safetensors.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <memory>
#include <new>
#include <string>
#include <vector>

using namespace e3d::engine;

struct e3d_engine_model {
  std::shared_ptr<Model> model;
};

struct e3d_engine_evaluator {
  std::unique_ptr<Evaluator> evaluator;
};

namespace {

thread_local std::string last_error;

// The one place where exceptions end.
template <typename Value, typename Call> Value guarded(Value failed, Call call)
{
  try {
    return call();
  } catch (const std::bad_alloc &) {
    last_error = "out of memory";
  } catch (const std::exception &error) {
    last_error = error.what();
  } catch (...) {
    last_error = "an unknown error of the engine";
  }
  return failed;
}

Precision precision_of(std::int32_t wanted, const ModelFile &file)
{
  switch (wanted) {
    case E3D_ENGINE_OF_FILE: return file.model_dtype == "float64" ? Precision::exact : Precision::single;
    case E3D_ENGINE_FLOAT32: return Precision::single;
    case E3D_ENGINE_FLOAT64: return Precision::exact;
    case E3D_ENGINE_FLOAT64_TABLES: return Precision::double_tables;
    default: throw Error("expected a precision from 0 to 3, got " + std::to_string(wanted));
  }
}

const char *word(const std::vector<std::string> &words, std::int32_t index)
{
  return index < 0 || index >= static_cast<std::int32_t>(words.size())
      ? nullptr
      : words[static_cast<std::size_t>(index)].c_str();
}

const char *const section_names[section_count] = {"geometry",
                                                  "two-body functions",
                                                  "environments",
                                                  "tensor products",
                                                  "scalars",
                                                  "hidden layers",
                                                  "readout",
                                                  "hidden layers, back",
                                                  "scalars, back",
                                                  "tensor products, back",
                                                  "two-body functions, back",
                                                  "forces"};

}    // namespace

int32_t e3d_engine_version(void)
{
  return E3D_ENGINE_VERSION;
}

const char *e3d_engine_error(void)
{
  return last_error.c_str();
}

const char *e3d_engine_instruction_sets(void)
{
  static const std::string names = [] {
    std::string out;
    for (const KernelSet *set : usable_kernels()) out += (out.empty() ? "" : " ") + std::string(set->name);
    return out;
  }();
  return names.c_str();
}

e3d_engine_model *e3d_engine_open(const char *path, int32_t precision, const char *instruction_set)
{
  return guarded<e3d_engine_model *>(nullptr, [&] {
    ModelFile file = read_model_file(read_safetensors(path));
    const Precision chosen = precision_of(precision, file);
    auto model = std::make_shared<Model>(std::move(file), chosen,
                                         choose_kernels(instruction_set ? instruction_set : ""));
    return new e3d_engine_model{std::move(model)};
  });
}

void e3d_engine_close(e3d_engine_model *model)
{
  delete model;
}

void e3d_engine_describe(const e3d_engine_model *model, e3d_engine_info *info)
{
  const Model &m = *model->model;
  info->types = m.folded().types;
  info->l_max = m.folded().l_max;
  info->layers = static_cast<int32_t>(m.folded().layers.size());
  info->channels = m.folded().channels;
  info->r_max = m.file().r_max;
  info->cutoffs = m.file().cutoffs.data();
  info->shifts = m.file().shifts.data();
  info->scales = m.file().scales.data();
  info->precision = m.precision() == Precision::single ? "float32" : "float64";
  info->instruction_set = m.kernels().name;
  info->bytes = static_cast<int64_t>(m.bytes());
}

const char *e3d_engine_type_name(const e3d_engine_model *model, int32_t type)
{
  return word(model->model->file().type_names, type);
}

const char *e3d_engine_type_element(const e3d_engine_model *model, int32_t type)
{
  return word(model->model->file().type_elements, type);
}

int32_t e3d_engine_metadata_count(const e3d_engine_model *model)
{
  return static_cast<int32_t>(model->model->file().metadata.size());
}

const char *e3d_engine_metadata_key(const e3d_engine_model *model, int32_t index)
{
  const auto &metadata = model->model->file().metadata;
  if (index < 0 || index >= static_cast<int32_t>(metadata.size())) return nullptr;
  return std::next(metadata.begin(), index)->first.c_str();
}

const char *e3d_engine_metadata_value(const e3d_engine_model *model, const char *key)
{
  return guarded<const char *>(nullptr, [&]() -> const char * {
    const auto &metadata = model->model->file().metadata;
    const auto found = metadata.find(key);
    return found == metadata.end() ? nullptr : found->second.c_str();
  });
}

int32_t e3d_engine_prepare(e3d_engine_model *model, int32_t count, const int32_t *types)
{
  return guarded<int32_t>(1, [&] {
    model->model->prepare({types, types + count});
    return 0;
  });
}

e3d_engine_evaluator *e3d_engine_evaluator_new(const e3d_engine_model *model, int32_t threads)
{
  return guarded<e3d_engine_evaluator *>(nullptr, [&] {
    if (threads < 1 || threads > 4096)
      throw Error("expected 1 to 4096 threads, got " + std::to_string(threads));
    return new e3d_engine_evaluator{std::make_unique<Evaluator>(model->model, threads)};
  });
}

void e3d_engine_evaluator_free(e3d_engine_evaluator *evaluator)
{
  delete evaluator;
}

int32_t e3d_engine_evaluate(e3d_engine_evaluator *evaluator, const e3d_engine_edges *edges,
                            const e3d_engine_energies *energies)
{
  return guarded<int32_t>(1, [&] {
    if (!energies->energy) throw Error("expected an array for the energies of the centres, got NULL");
    CentreBatch centres;
    centres.centres = edges->centres;
    centres.first = edges->first;
    centres.centre_type = edges->centre_type;
    centres.neighbour_type = edges->neighbour_type;
    centres.vector = edges->vector;
    centres.energy = energies->energy;
    centres.edge_energy = energies->edge_energy;
    centres.edge_force = energies->edge_force;
    evaluator->evaluator->evaluate(centres);
    return 0;
  });
}

int64_t e3d_engine_evaluator_bytes(const e3d_engine_evaluator *evaluator)
{
  return static_cast<int64_t>(evaluator->evaluator->bytes());
}

const char *e3d_engine_section(int32_t index)
{
  return index < 0 || index >= section_count ? nullptr : section_names[index];
}

void e3d_engine_take_cycles(e3d_engine_evaluator *evaluator, uint64_t *cycles)
{
  const auto ticks = evaluator->evaluator->take_ticks();
  std::copy(ticks.begin(), ticks.end(), cycles);
}
