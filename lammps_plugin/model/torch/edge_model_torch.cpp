/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "model/edge_chunk.h"
#include "model/edge_model.h"
#include "model/torch/model_metadata.h"
#include "model/torch/staged_calls.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/script.h>
#include <torch/version.h>

#include <malloc.h>
#include <omp.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>

namespace E3D {

namespace {

  bool ends_with(const std::string &text, const std::string &ending)
  {
    return text.size() >= ending.size() &&
        text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
  }

  // libtorch messages carry a C++ backtrace; the first line is what a user can read

  std::string first_line(const char *message)
  {
    const std::string text(message);
    return text.substr(0, text.find('\n'));
  }

  Strings read_torchscript_metadata(torch::jit::ExtraFilesMap &extra_files)
  {
    Strings strings;
    for (const auto &item : extra_files) strings[item.first] = item.second;
    return strings;
  }

  // the device of a run: what was asked for, what the file was written for, what torch has here

  struct ChosenDevice {
    torch::Device device;
    int sharing = 1;    // ranks of this node that may use it
  };

  ChosenDevice choose_device(const ModelOptions &options, const std::string &file_device)
  {
    const auto colon = options.device.find(':');
    std::string kind = options.device.substr(0, colon);
    if (kind == "auto") {
      if (file_device != "any")
        kind = file_device;
      else if (at::hasCUDA())
        kind = "cuda";
      else if (at::hasXPU())
        kind = "xpu";
      else
        kind = "cpu";
    }
    if (file_device != "any" && kind != file_device)
      throw std::runtime_error("it was compiled for device " + file_device + " but device " + kind +
                               " was asked for: export it with '--device " + kind +
                               "', or use the portable .nequip.pth file");
    if (kind == "cpu") return {torch::Device(torch::kCPU)};

    const bool is_cuda = kind == "cuda";
    if (is_cuda ? !at::hasCUDA() : !at::hasXPU())
      throw std::runtime_error("it needs device " + kind +
                               ", which this torch (" TORCH_VERSION
                               ") cannot use here: export it with '--device cpu', or use the portable "
                               ".nequip.pth file with 'device cpu'");
    const auto type = is_cuda ? torch::kCUDA : torch::kXPU;
    const int count = static_cast<int>(at::globalContext().getAcceleratorHooksInterface(type).deviceCount());
    const std::string number = colon == std::string::npos ? "" : options.device.substr(colon + 1);
    const int index = number.empty() ? options.local_rank % std::max(count, 1)
        : number.size() > 6          ? count    // more than any machine has
                                     : std::stoi(number);
    if (index >= count)
      throw std::runtime_error("device " + options.device + " was asked for, but there are only " +
                               std::to_string(count) + " of them");
    const int sharing = number.empty() ? (options.node_ranks + count - 1) / count : options.node_ranks;
    return {torch::Device(type, static_cast<c10::DeviceIndex>(index)), sharing};
  }

  std::string checked_version(const ModelMetadata &metadata)
  {
    const std::string here = TORCH_VERSION;
    const auto base = [](const std::string &v) { return v.substr(0, v.find('+')); };
    if (base(metadata.torch_version) != base(here))
      throw std::runtime_error("it was compiled with torch " + metadata.torch_version +
                               ", the plugin uses torch " + here + ": compile it again with 'e3d export'");
    return here;
  }

  /* ---------------------------------------------------------------------- */

  // The number of OpenMP threads belongs to the whole process, and LAMMPS's own threaded styles rely on
  // theirs: it is ours while a model loads or runs, and what it was before afterwards.

  class ThreadScope {
   public:
    explicit ThreadScope(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
    ~ThreadScope() { omp_set_num_threads(before_); }
    ThreadScope(const ThreadScope &) = delete;
    ThreadScope &operator=(const ThreadScope &) = delete;

   private:
    int before_;
  };

  /* ---------------------------------------------------------------------- */

  // The tensors of a chunk come and go at every call: glibc would give their pages back to the system and
  // fault them in again, which costs a fifth of the time. A user who sets MALLOC_* knows better.

  void keep_freed_memory()
  {
#ifdef __GLIBC__
    for (const char *name : {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_"})
      if (std::getenv(name)) return;
    mallopt(M_MMAP_THRESHOLD, 32 << 20);    // the largest that glibc takes
    mallopt(M_TRIM_THRESHOLD, 512 << 20);
    mallopt(M_TOP_PAD, 64 << 20);
#endif
  }

  // Products of single-precision matrices are rounded to 10 bits (TF32) only where torch's own variable asks
  // for it, whatever else in this process has said to torch.

  std::string settle_tf32(const torch::Device &device)
  {
    if (!device.is_cuda()) return "";
    const char *asked = std::getenv("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE");
    const bool allowed = asked && std::strcmp(asked, "1") == 0;
    at::globalContext().setAllowTF32CuBLAS(allowed);
    return allowed
        ? "matrix products in TF32, as TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1 asks: energies and forces have "
          "three digits fewer"
        : "";
  }

  // Edges of a chunk on a CPU, for each thread: the features of 32 channels and l_max 2 then fit into a core's
  // cache. Measured flat from 200 to 2,000; a constant, so that runs can be repeated to the last bit.
  constexpr int64_t CHUNK_EDGES_CPU = 1000;

  class TorchEdgeModel : public EdgeModel {
   public:
    TorchEdgeModel(const std::string &file, const ModelOptions &options) : threads_(options.threads)
    {
      const ThreadScope scope(threads_);
      keep_freed_memory();
      at::set_num_threads(options.threads);
      if (ends_with(file, ".pt2"))
        open_aotinductor(file, options);
      else
        open_torchscript(file, options);
      remark_ = settle_tf32(*device_);
      const char *rehearse = std::getenv("E3D_REHEARSE_GPU");
      if (!device_->is_cpu() || (rehearse && std::strcmp(rehearse, "1") == 0))
        staged_.emplace(
            *device_, [this](const Tensors &inputs) { return call(inputs); }, package_ != nullptr, sharing_);
    }

    const ModelMetadata &metadata() const override { return metadata_; }
    std::string device() const override { return device_->str(); }
    ChunkPlan chunk_plan() const override { return staged_ ? staged_->chunk_plan() : ChunkPlan(); }
    int64_t auto_edges() const override
    {
      return staged_ ? staged_->auto_edges() : CHUNK_EDGES_CPU * threads_;
    }

    void start(const EdgeChunk &chunk, int lane) override
    {
      const ThreadScope scope(threads_);
      telling_errors([&] {
        if (staged_)
          staged_->start(chunk, lane);
        else
          run(chunk);
      });
    }

    ModelOutput finish(int lane) override
    {
      ModelOutput output{};
      telling_errors([&] {
        output = staged_
            ? staged_->finish(lane)
            : ModelOutput{outputs_[0].const_data_ptr<double>(), outputs_[1].const_data_ptr<double>(),
                          outputs_[2].const_data_ptr<double>(), 0.0};
      });
      return output;
    }

    std::string take_remark() override
    {
      return remark_.empty() && staged_ ? staged_->take_remark() : std::exchange(remark_, "");
    }

   private:
    using Tensors = StagedCalls::Tensors;

    int threads_;
    ModelMetadata metadata_;
    std::optional<torch::Device> device_;
    int sharing_ = 1;
    std::unique_ptr<torch::inductor::AOTIModelPackageLoader> package_;
    std::optional<torch::jit::Module> module_;
    std::optional<StagedCalls> staged_;    // on a GPU
    Tensors outputs_;                      // on a CPU
    std::string remark_;

    template <typename Work> static void telling_errors(const Work &work)
    {
      try {
        work();
      } catch (const std::exception &e) {
        throw std::runtime_error("the model failed: " + first_line(e.what()));
      }
    }

    void choose(const ModelOptions &options, const std::string &file_device)
    {
      const ChosenDevice chosen = choose_device(options, file_device);
      device_ = chosen.device;
      sharing_ = chosen.sharing;
    }

    void open_aotinductor(const std::string &file, const ModelOptions &options)
    {
      using Loader = torch::inductor::AOTIModelPackageLoader;
      const auto strings = Loader::load_metadata_from_package(file, "model");
      metadata_ = parse_metadata(strings);
      checked_version(metadata_);
      choose(options, strings.at("device"));
      require_processor(strings);
      // one thread calls it: the path without locks, and the one that a GPU can record
      package_ = std::make_unique<Loader>(file, "model", true, 1, device_->is_cpu() ? -1 : device_->index());
    }

    void open_torchscript(const std::string &file, const ModelOptions &options)
    {
      // specialising on every new chunk size would compile at run time and never settle
      torch::jit::getProfilingMode() = false;
      torch::jit::ExtraFilesMap extra_files;
      for (const char *key : METADATA_KEYS) extra_files[key] = "";
      auto module = torch::jit::load(file, torch::kCPU, extra_files);
      const auto strings = read_torchscript_metadata(extra_files);
      metadata_ = parse_metadata(strings);
      choose(options, strings.at("device"));
      module.to(*device_);
      module.eval();
      module_ = std::move(module);
    }

    // the contract e3d/1: tensors on the device in and out

    Tensors call(const Tensors &inputs)
    {
      if (package_) {
        c10::InferenceMode guard;
        auto out = package_->run({inputs[0], inputs[1], inputs[2]});
        if (out.size() != 3)
          throw std::runtime_error("it returned " + std::to_string(out.size()) + " outputs, not 3");
        return as_doubles({out[0], out[1], out[2]});
      }
      c10::Dict<std::string, at::Tensor> in;
      in.insert("edge_vectors", inputs[0]);
      in.insert("edge_index", inputs[1]);
      in.insert("atom_types", inputs[2]);
      const auto out = module_->forward({in}).toGenericDict();
      return as_doubles({out.at("atomic_energy").toTensor(), out.at("edge_energy").toTensor(),
                         out.at("edge_forces").toTensor()});
    }

    static Tensors as_doubles(Tensors tensors)
    {
      for (auto &tensor : tensors) tensor = tensor.detach().to(torch::kFloat64).contiguous();
      return tensors;
    }

    // on a CPU: nothing is copied, neither there nor back

    void run(const EdgeChunk &chunk)
    {
      const auto view = [](const auto &array, c10::IntArrayRef shape, at::ScalarType type) {
        // the model reads its inputs only
        return torch::from_blob(const_cast<void *>(static_cast<const void *>(array.data())), shape, type);
      };
      const int64_t edges = chunk.num_padded, slots = chunk.num_slots;
      outputs_ =
          call({view(chunk.vectors, {edges, 3}, torch::kFloat64),
                view(chunk.index, {2, edges}, torch::kInt64), view(chunk.types, {slots}, torch::kInt64)});
      for (int k = 0; k < 3; k++)
        if (outputs_[k].dim() != 2 || outputs_[k].size(0) != (k == 0 ? slots : edges) ||
            outputs_[k].size(1) != (k == 2 ? 3 : 1))
          throw std::runtime_error("output " + std::to_string(k) + " has a wrong shape");
    }
  };

}    // namespace

}    // namespace E3D

extern "C" __attribute__((visibility("default"))) E3D::EdgeModel *
e3d_load_edge_model_v3(const char *file, const E3D::ModelOptions *options, char *error,
                       std::size_t error_size)
{
  try {
    return new E3D::TorchEdgeModel(file, *options);
  } catch (const std::exception &e) {
    std::snprintf(error, error_size, "cannot use model file %s: %s", file, E3D::first_line(e.what()).c_str());
  } catch (...) {
    std::snprintf(error, error_size, "cannot use model file %s", file);
  }
  return nullptr;
}
