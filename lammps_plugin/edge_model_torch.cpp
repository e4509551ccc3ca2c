/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "edge_list.h"
#include "edge_model.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/script.h>
#include <torch/version.h>

#include <malloc.h>
#include <omp.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <unordered_map>

namespace E3D {

namespace {

  constexpr const char *CONTRACT = "e3d/1";
  constexpr std::array<const char *, 16> METADATA_KEYS = {
      "contract",      "type_names",     "type_elements",          "r_max",         "cutoffs",
      "shifts",        "scales",         "decomposition",          "model_dtype",   "device",
      "engine",        "torch_version",  "nequip_version",         "nequip_allegro_version",
      "source_sha256", "training_data"};

  using Strings = std::unordered_map<std::string, std::string>;

  bool ends_with(const std::string &text, const std::string &ending)
  {
    return text.size() >= ending.size() &&
        text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
  }

  std::vector<std::string> words(const std::string &text)
  {
    std::istringstream stream(text);
    std::vector<std::string> result;
    for (std::string word; stream >> word;) result.push_back(word);
    return result;
  }

  std::vector<double> numbers(const Strings &strings, const std::string &key)
  {
    std::vector<double> result;
    for (const auto &word : words(strings.at(key))) {
      std::size_t used = 0;
      double value = 0.0;
      try {
        value = std::stod(word, &used);
      } catch (const std::exception &) {
        used = 0;
      }
      if (used != word.size() || !std::isfinite(value))
        throw std::runtime_error("its metadata has '" + word + "' in '" + key +
                                 "' where a number belongs: write the file again with 'e3d export'");
      result.push_back(value);
    }
    return result;
  }

  // libtorch messages carry a C++ backtrace; the first line is what a user can read

  std::string first_line(const char *message)
  {
    const std::string text(message);
    return text.substr(0, text.find('\n'));
  }

  ModelMetadata parse_metadata(const Strings &strings)
  {
    if (!strings.count("contract") || strings.at("contract").empty())
      throw std::runtime_error("it has no e3d contract in its metadata (a model compiled for another "
                               "pair style?): write it with 'e3d export MODEL OUT.nequip.pt2'");
    if (strings.at("contract") != CONTRACT)
      throw std::runtime_error("its contract is '" + strings.at("contract") + "', this plugin reads '" +
                               CONTRACT + "': write it again with this version's 'e3d export'");
    for (const char *key : METADATA_KEYS)
      if (!strings.count(key) || strings.at(key).empty())
        throw std::runtime_error(std::string("its metadata lacks '") + key +
                                 "': write it again with 'e3d export'");

    ModelMetadata m;
    m.type_names = words(strings.at("type_names"));
    m.type_elements = words(strings.at("type_elements"));
    m.cutoffs = numbers(strings, "cutoffs");
    m.shifts = numbers(strings, "shifts");
    m.decomposition = strings.at("decomposition");
    m.model_dtype = strings.at("model_dtype");
    m.engine = strings.at("engine");
    m.torch_version = strings.at("torch_version");
    m.source_sha256 = strings.at("source_sha256");

    const auto r_max = numbers(strings, "r_max");
    const std::size_t ntypes = m.type_names.size();
    if (r_max.size() != 1 || ntypes == 0 || m.type_elements.size() != ntypes ||
        m.shifts.size() != ntypes || m.cutoffs.size() != ntypes * ntypes)
      throw std::runtime_error("the lengths of type_names, type_elements, shifts and cutoffs in its "
                               "metadata do not fit each other: write it again with 'e3d export'");
    m.r_max = r_max[0];
    for (const double c : m.cutoffs)
      if (c <= 0.0 || c > m.r_max * (1.0 + 1e-12))
        throw std::runtime_error("a cutoff in its metadata is not within 0 and r_max: write it again "
                                 "with 'e3d export'");
    return m;
  }

  Strings read_torchscript_metadata(torch::jit::ExtraFilesMap &extra_files)
  {
    Strings strings;
    for (const auto &item : extra_files) strings[item.first] = item.second;
    return strings;
  }

  // the device of a run: what was asked for, what the file was written for, what torch has here

  torch::Device choose_device(const ModelOptions &options, const std::string &file_device)
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
    if (kind == "cpu") return torch::Device(torch::kCPU);

    const bool is_cuda = kind == "cuda";
    if (is_cuda ? !at::hasCUDA() : !at::hasXPU())
      throw std::runtime_error("it needs device " + kind + ", which this torch (" TORCH_VERSION
                               ") cannot use here: export it with '--device cpu', or use the portable "
                               ".nequip.pth file with 'device cpu'");
    const auto type = is_cuda ? torch::kCUDA : torch::kXPU;
    const int count =
        static_cast<int>(at::globalContext().getAcceleratorHooksInterface(type).deviceCount());
    const std::string number = colon == std::string::npos ? "" : options.device.substr(colon + 1);
    const int index = number.empty() ? options.local_rank % std::max(count, 1)
        : number.size() > 6          ? count    // more than any machine has
                                     : std::stoi(number);
    if (index >= count)
      throw std::runtime_error("device " + options.device + " was asked for, but there are only " +
                               std::to_string(count) + " of them");
    return torch::Device(type, static_cast<c10::DeviceIndex>(index));
  }

  std::string checked_version(const ModelMetadata &metadata)
  {
    const std::string here = TORCH_VERSION;
    const auto base = [](const std::string &v) { return v.substr(0, v.find('+')); };
    if (base(metadata.torch_version) != base(here))
      throw std::runtime_error("it was compiled with torch " + metadata.torch_version +
                               ", the plugin uses torch " + here +
                               ": compile it again with 'e3d export'");
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

  using Clock = std::chrono::steady_clock;

  double seconds_since(Clock::time_point start)
  {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

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

  class TorchEdgeModel : public EdgeModel {
   public:
    TorchEdgeModel(const std::string &file, const ModelOptions &options) : threads_(options.threads)
    {
      const ThreadScope scope(threads_);
      keep_freed_memory();
      at::set_num_threads(options.threads);
      if (ends_with(file, ".pt2"))
        open_aotinductor(file, options);
      else if (ends_with(file, ".pth"))
        open_torchscript(file, options);
      else
        throw std::runtime_error("its name ends in neither .pt2 nor .pth: model files are written by "
                                 "'e3d export MODEL OUT.nequip.pt2' (or OUT.nequip.pth)");
    }

    const ModelMetadata &metadata() const override { return metadata_; }
    std::string device() const override { return device_->str(); }

    ModelOutput evaluate(const EdgeChunk &chunk) override
    {
      const ThreadScope scope(threads_);
      try {
        run(chunk);
      } catch (const std::exception &e) {
        throw std::runtime_error("the model failed: " + first_line(e.what()));
      }
      return {outputs_[0].const_data_ptr<double>(), outputs_[1].const_data_ptr<double>(),
              outputs_[2].const_data_ptr<double>(), copy_seconds_};
    }

   private:
    int threads_;
    ModelMetadata metadata_;
    std::optional<torch::Device> device_;
    std::unique_ptr<torch::inductor::AOTIModelPackageLoader> package_;
    std::optional<torch::jit::Module> module_;
    std::array<at::Tensor, 3> outputs_;
    double copy_seconds_ = 0.0;

    void open_aotinductor(const std::string &file, const ModelOptions &options)
    {
      using Loader = torch::inductor::AOTIModelPackageLoader;
      const auto strings = Loader::load_metadata_from_package(file, "model");
      metadata_ = parse_metadata(strings);
      checked_version(metadata_);
      device_ = choose_device(options, strings.at("device"));
      // one thread calls it: the lock-free path
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
      device_ = choose_device(options, strings.at("device"));
      module.to(*device_);
      module.eval();
      module_ = std::move(module);
    }

    void run(const EdgeChunk &chunk)
    {
      const auto f64 = torch::TensorOptions().dtype(torch::kFloat64);
      const auto i64 = torch::TensorOptions().dtype(torch::kInt64);
      const auto view = [](const auto &v, c10::IntArrayRef shape, const torch::TensorOptions &o) {
        // the model reads its inputs only
        return torch::from_blob(const_cast<void *>(static_cast<const void *>(v.data())), shape, o);
      };
      const int64_t E = chunk.num_padded, N = chunk.num_slots;
      const auto start = Clock::now();
      at::Tensor vectors = view(chunk.vectors, {E, 3}, f64).to(*device_);
      at::Tensor index = view(chunk.index, {2, E}, i64).to(*device_);
      at::Tensor types = view(chunk.types, {N}, i64).to(*device_);
      copy_seconds_ = seconds_since(start);

      if (package_) {
        c10::InferenceMode guard;
        auto out = package_->run({vectors, index, types});
        if (out.size() != 3)
          throw std::runtime_error("it returned " + std::to_string(out.size()) + " outputs, not 3");
        keep({out[0], out[1], out[2]}, N, E);
      } else {
        c10::Dict<std::string, at::Tensor> in;
        in.insert("edge_vectors", vectors);
        in.insert("edge_index", index);
        in.insert("atom_types", types);
        const auto out = module_->forward({in}).toGenericDict();
        keep({out.at("atomic_energy").toTensor(), out.at("edge_energy").toTensor(),
              out.at("edge_forces").toTensor()}, N, E);
      }
    }

    void keep(const std::array<at::Tensor, 3> &tensors, int64_t num_slots, int64_t num_edges)
    {
      // the copy would wait for the model anyway: so it counts as the model's time
      if (!device_->is_cpu()) c10::impl::VirtualGuardImpl(device_->type()).synchronizeDevice(device_->index());
      const auto start = Clock::now();
      for (int k = 0; k < 3; k++) {
        const at::Tensor &tensor = tensors[k];
        if (tensor.dim() != 2 || tensor.size(0) != (k == 0 ? num_slots : num_edges) ||
            tensor.size(1) != (k == 2 ? 3 : 1))
          throw std::runtime_error("output " + std::to_string(k) + " has a wrong shape");
        outputs_[k] = tensor.detach().to(torch::kCPU, torch::kFloat64).contiguous();
      }
      copy_seconds_ += seconds_since(start);
    }
  };

}    // namespace

}    // namespace E3D

extern "C" __attribute__((visibility("default"))) E3D::EdgeModel *
e3d_load_edge_model_v1(const char *file, const E3D::ModelOptions *options, char *error,
                       std::size_t error_size)
{
  try {
    return new E3D::TorchEdgeModel(file, *options);
  } catch (const std::exception &e) {
    std::snprintf(error, error_size, "cannot use model file %s: %s", file,
                  E3D::first_line(e.what()).c_str());
  } catch (...) {
    std::snprintf(error, error_size, "cannot use model file %s", file);
  }
  return nullptr;
}
