/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "model/edge_model_native.h"

#include "e3d_engine.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

namespace E3D {

namespace {

  // Edges of a chunk, for each thread: inputs and results stay in a core's cache, and the threads meet seldom.
  // Measured flat from 4,000 to 64,000.
  constexpr int64_t CHUNK_EDGES = 16000;

  template <typename T> void grow(std::vector<T> &v, int64_t n)
  {
    if (static_cast<std::size_t>(n) > v.size()) v.resize(n + n / 16);
  }

  [[noreturn]] void fail()
  {
    throw std::runtime_error(e3d_engine_error());
  }

  int32_t precision_of(const std::string &name)
  {
    if (name == "single") return E3D_ENGINE_FLOAT32;
    if (name == "double") return E3D_ENGINE_FLOAT64;
    return E3D_ENGINE_OF_FILE;
  }

  class NativeEdgeModel : public EdgeModel {
   public:
    NativeEdgeModel(const std::string &file, const ModelOptions &options) : threads_(options.threads)
    {
      if (e3d_engine_version() != E3D_ENGINE_VERSION)
        throw std::runtime_error(
            std::string("libe3d_engine.so is not of the same version as the plugin: rebuild both: ") +
            REBUILD);
      if (options.device != "auto" && options.device != "cpu")
        throw std::runtime_error(
            "cannot use model file " + file + " on device " + options.device +
            ": .safetensors files run on processors ('device cpu'); on a GPU use pair_style e3d/kk in a "
            "LAMMPS with KOKKOS, or export the model with 'e3d export --device cuda MODEL OUT.nequip.pt2'");
      model_.reset(e3d_engine_open(file.c_str(), precision_of(options.precision), nullptr));
      if (!model_) fail();
      evaluator_.reset(e3d_engine_evaluator_new(model_.get(), threads_));
      if (!evaluator_) fail();
      describe(file);
    }

    const ModelMetadata &metadata() const override { return metadata_; }
    std::string device() const override { return device_; }
    ChunkPlan chunk_plan() const override
    {
      ChunkPlan plan;
      plan.form = ChunkForm::Centres;
      return plan;
    }
    int64_t auto_edges() const override { return CHUNK_EDGES * threads_; }

    void prepare(const std::vector<int> &types) override
    {
      const std::vector<int32_t> wanted(types.begin(), types.end());
      if (e3d_engine_prepare(model_.get(), static_cast<int32_t>(wanted.size()), wanted.data()) != 0) fail();
    }

    // the work is done in finish(), whose errors are final: a smaller chunk would help with none of them
    void start(const EdgeChunk &chunk, int /*lane*/) override { started_ = &chunk; }

    ModelOutput finish(int /*lane*/) override
    {
      const EdgeChunk &chunk = *started_;
      grow(energy_, chunk.num_rows);
      grow(edge_energy_, chunk.num_edges);
      grow(edge_forces_, 3 * chunk.num_edges);
      const e3d_engine_edges edges = {chunk.num_rows, chunk.first.data(), chunk.centre_types.data(),
                                      chunk.neighbour_types.data(), chunk.vectors.data()};
      const e3d_engine_energies energies = {energy_.data(), edge_energy_.data(), edge_forces_.data()};
      if (e3d_engine_evaluate(evaluator_.get(), &edges, &energies) != 0) fail();
      return {energy_.data(), edge_energy_.data(), edge_forces_.data(), 0.0};
    }

    double memory_usage() const override
    {
      e3d_engine_info info;
      e3d_engine_describe(model_.get(), &info);
      return static_cast<double>(info.bytes + e3d_engine_evaluator_bytes(evaluator_.get())) +
          static_cast<double>(energy_.capacity() + edge_energy_.capacity() + edge_forces_.capacity()) *
          sizeof(double);
    }

   private:
    struct Close {
      void operator()(e3d_engine_model *model) const { e3d_engine_close(model); }
      void operator()(e3d_engine_evaluator *evaluator) const { e3d_engine_evaluator_free(evaluator); }
    };

    int threads_;
    std::unique_ptr<e3d_engine_model, Close> model_;
    std::unique_ptr<e3d_engine_evaluator, Close> evaluator_;
    ModelMetadata metadata_;
    std::string device_;
    const EdgeChunk *started_ = nullptr;
    std::vector<double> energy_, edge_energy_, edge_forces_;    // of the chunk

    std::string text(const std::string &file, const char *key) const
    {
      const char *value = e3d_engine_metadata_value(model_.get(), key);
      if (!value || !*value)
        throw std::runtime_error("cannot use model file " + file + ": its metadata lacks '" + key +
                                 "': write it again with 'e3d export'");
      return value;
    }

    void describe(const std::string &file)
    {
      e3d_engine_info info;
      e3d_engine_describe(model_.get(), &info);
      for (int32_t t = 0; t < info.types; t++) {
        metadata_.type_names.emplace_back(e3d_engine_type_name(model_.get(), t));
        metadata_.type_elements.emplace_back(e3d_engine_type_element(model_.get(), t));
      }
      metadata_.r_max = info.r_max;
      metadata_.cutoffs.assign(info.cutoffs, info.cutoffs + info.types * info.types);
      metadata_.shifts.assign(info.shifts, info.shifts + info.types);
      metadata_.decomposition = text(file, "decomposition");
      metadata_.model_dtype = info.precision;
      metadata_.engine = "native";
      metadata_.source_sha256 = text(file, "source_sha256");
      device_ = std::string("cpu ") + info.instruction_set;
    }
  };

}    // namespace

std::unique_ptr<EdgeModel> load_native_model(const std::string &file, const ModelOptions &options)
{
  return std::make_unique<NativeEdgeModel>(file, options);
}

}    // namespace E3D
