/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "model/torch/staged_calls.h"

#include "model/padded_shape.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <unordered_map>

namespace E3D {

namespace {

  // Chunks under way at once: one that the device works on, one that waits for it, one that the processor
  // fills or adds up.
  constexpr int LANES = 3;

  // Edges of the first chunk with 'chunk auto', by which the memory of an edge is measured, and the most
  // of later ones; a share of the memory, because a recorded chunk and one that is not may meet in it.
  // Nothing of this was measured on a GPU.
  constexpr int64_t FIRST_EDGES = 65536;
  constexpr int64_t MOST_EDGES = 1 << 20;
  constexpr int64_t FEWEST_EDGES = 1024;
  constexpr double MEMORY_SHARE = 0.4;

  // Recordings that are kept, and that are made in all: shapes that never come again must not be recorded for ever.
  constexpr std::size_t MAX_SHAPES = 8;
  constexpr int MAX_RECORDINGS = 64;

  using Clock = std::chrono::steady_clock;

  double seconds_since(Clock::time_point start)
  {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  bool is_set(const char *variable, const char *value)
  {
    const char *found = std::getenv(variable);
    return found && std::strcmp(found, value) == 0;
  }

  // A recording of the rehearsal: the same work again.

  class RepeatedWork : public RecordedWork {
   public:
    explicit RepeatedWork(std::function<void()> work) : work_(std::move(work)) {}
    void replay() override { work_(); }

   private:
    std::function<void()> work_;
  };

  /* ----------------------------------------------------------------------
     memory of the host that a device reads and writes by itself. torch owns it as tensors, which live in a
     table that is never destroyed: at the end of a process the device may be gone first
  ------------------------------------------------------------------------- */

  struct PinnedBlocks {
    std::mutex mutex;
    std::unordered_map<void *, at::Tensor> blocks;
  };

  PinnedBlocks &pinned_blocks()
  {
    static auto *blocks = new PinnedBlocks;
    return *blocks;
  }

  at::Tensor host_tensor(int64_t numbers, at::ScalarType type, bool pinned)
  {
    return at::empty({numbers}, at::TensorOptions().dtype(type).pinned_memory(pinned));
  }

  void *allocate_pinned(std::size_t bytes)
  {
    try {
      const at::Tensor block = host_tensor(static_cast<int64_t>(bytes), at::kByte, true);
      PinnedBlocks &all = pinned_blocks();
      const std::lock_guard<std::mutex> lock(all.mutex);
      all.blocks[block.data_ptr()] = block;
      return block.data_ptr();
    } catch (const std::exception &) {
      return nullptr;
    }
  }

  void release_pinned(void *memory)
  {
    PinnedBlocks &all = pinned_blocks();
    const std::lock_guard<std::mutex> lock(all.mutex);
    all.blocks.erase(memory);
  }

  template <typename T> at::Tensor view(const StagingArray<T> &array, c10::IntArrayRef shape)
  {
    // the model reads its inputs only
    return at::from_blob(const_cast<T *>(array.data()), shape,
                         at::TensorOptions().dtype(c10::CppTypeToScalarType<T>::value));
  }

}    // namespace

/* ---------------------------------------------------------------------- */

StagedCalls::StagedCalls(const c10::Device &device, Call call, bool recordable, int sharing) :
    device_(device), call_(std::move(call)), recordable_(recordable),
    records_(recordable && (device.is_cpu() || can_record(device)) && !is_set("E3D_CUDA_GRAPHS", "0")),
    sharing_(std::max(sharing, 1)), lanes_(LANES), auto_edges_(FIRST_EDGES)
{
  shapes_.reserve(MAX_SHAPES);    // they stay where they are: recordings of the rehearsal refer to them
  if (device_.is_cpu()) return;
  const c10::impl::VirtualGuardImpl guard(device_.type());
  // the model was put there on the default stream, and ours does not wait for that
  guard.getDefaultStream(device_).synchronize();
  stream_ = guard.getStreamFromGlobalPool(device_, false);
}

StagedCalls::~StagedCalls()
{
  try {
    synchronize();
  } catch (...) {
  }
}

ChunkPlan StagedCalls::chunk_plan() const
{
  return {LANES, ChunkForm::RoundedSlots,
          device_.is_cpu() ? plain_memory() : HostMemory{allocate_pinned, release_pinned}};
}

/* ----------------------------------------------------------------------
   put one chunk on the stream: inputs there, the model, results back
------------------------------------------------------------------------- */

void StagedCalls::start(const EdgeChunk &chunk, int number)
{
  Lane &lane = lanes_.at(number);
  wait(lane);    // a run that ended with an error may have left it
  std::optional<c10::StreamGuard> on_stream;
  if (stream_) on_stream.emplace(*stream_);
  std::optional<c10::InferenceMode> inference;
  if (recordable_) inference.emplace();

  lane.copy_seconds = 0.0;
  try {
    copy_results(chunk, run(chunk, lane), lane);
  } catch (...) {
    // the chunk's arrays may be written again as soon as this is known: nothing may still read them
    try {
      synchronize();
      forget_recordings();
    } catch (...) {
    }
    throw;
  }
  if (stream_) {
    if (!lane.done) lane.done.emplace(device_.type());
    lane.done->record(*stream_);
  }
  lane.under_way = true;
}

/* ---------------------------------------------------------------------- */

ModelOutput StagedCalls::finish(int number)
{
  Lane &lane = lanes_.at(number);
  if (!lane.under_way) throw std::logic_error("there is nothing to finish");
  wait(lane);
  return {lane.results[0].const_data_ptr<double>(), lane.results[1].const_data_ptr<double>(),
          lane.results[2].const_data_ptr<double>(), lane.copy_seconds};
}

void StagedCalls::wait(Lane &lane)
{
  if (!lane.under_way) return;
  lane.under_way = false;
  if (lane.done) lane.done->synchronize();
}

void StagedCalls::synchronize()
{
  if (stream_) stream_->synchronize();
}

/* ----------------------------------------------------------------------
   the first time that a shape comes, its work is done plainly, which also loads and tunes what the model
   needs; the second time it is recorded
------------------------------------------------------------------------- */

StagedCalls::Tensors StagedCalls::run(const EdgeChunk &chunk, Lane &lane)
{
  const int64_t edges = chunk.num_padded, slots = chunk.num_slots;
  const Tensors host = {view(chunk.vectors, {edges, 3}), view(chunk.index, {2, edges}),
                        view(chunk.types, {slots})};
  calls_++;
  bool is_new = true;
  Shape *shape = records_ ? find_shape(edges, slots, is_new) : nullptr;
  if (shape && !is_new && !shape->work) {
    try {
      record_shape(*shape);
    } catch (const std::exception &e) {
      const std::string reason = e.what();
      remark_ = "the work of the device cannot be recorded and replayed (" +
          reason.substr(0, reason.find('\n')) + "); going on without, which costs time for small systems";
      records_ = false;
      forget_recordings();
      shape = nullptr;
    }
  }
  return shape && shape->work ? replay(*shape, host, lane) : run_plainly(host, lane);
}

/* ---------------------------------------------------------------------- */

StagedCalls::Tensors StagedCalls::run_plainly(const Tensors &host, Lane &lane)
{
  const bool measures = !measured_ && !device_.is_cpu();
  if (measures) reset_peak(device_);
  const DeviceMemory before = measures ? device_memory(device_) : DeviceMemory{};

  const auto start = Clock::now();
  Tensors inputs;
  for (int k = 0; k < 3; k++) inputs[k] = host[k].to(device_, host[k].scalar_type(), true, true);
  lane.copy_seconds += seconds_since(start);
  const Tensors outputs = call_(inputs);

  if (measures && before.available > 0) {
    measured_ = true;
    const double per_edge =
        static_cast<double>(device_memory(device_).peak - before.used) / static_cast<double>(host[0].size(0));
    const double share = MEMORY_SHARE * static_cast<double>(before.available) / sharing_;
    const double fit = std::clamp(share / std::max(per_edge, 1.0), static_cast<double>(FEWEST_EDGES),
                                  static_cast<double>(MOST_EDGES));
    auto_edges_ = edges_of_full_chunk(static_cast<int64_t>(fit));
  }
  return outputs;
}

/* ---------------------------------------------------------------------- */

StagedCalls::Tensors StagedCalls::replay(Shape &shape, const Tensors &host, Lane &lane)
{
  const auto start = Clock::now();
  for (int k = 0; k < 3; k++) shape.inputs[k].copy_(host[k], true);
  lane.copy_seconds += seconds_since(start);
  shape.work->replay();
  return shape.outputs;
}

/* ----------------------------------------------------------------------
   a shape's entry; a new one takes the place of the one that was not used for longest
------------------------------------------------------------------------- */

StagedCalls::Shape *StagedCalls::find_shape(int64_t edges, int64_t slots, bool &is_new)
{
  const auto same = [&](const Shape &s) { return s.edges == edges && s.slots == slots; };
  auto found = std::find_if(shapes_.begin(), shapes_.end(), same);
  is_new = found == shapes_.end();
  if (is_new) {
    if (recordings_ >= MAX_RECORDINGS) return nullptr;
    if (shapes_.size() < MAX_SHAPES) {
      found = shapes_.emplace(shapes_.end());
    } else {
      found = std::min_element(shapes_.begin(), shapes_.end(),
                               [](const Shape &a, const Shape &b) { return a.last_use < b.last_use; });
      if (found->work) synchronize();
      *found = Shape();
    }
    found->edges = edges;
    found->slots = slots;
  }
  found->last_use = calls_;
  return &*found;
}

/* ---------------------------------------------------------------------- */

void StagedCalls::record_shape(Shape &shape)
{
  recordings_++;
  release_cached_memory(device_);    // the recording has a pool of its own
  const auto on_device = [this](at::ScalarType type) {
    return at::TensorOptions().dtype(type).device(device_);
  };
  shape.inputs = {at::empty({shape.edges, 3}, on_device(at::kDouble)),
                  at::empty({2, shape.edges}, on_device(at::kLong)),
                  at::empty({shape.slots}, on_device(at::kLong))};
  const auto work = [this, &shape] { shape.outputs = call_(shape.inputs); };
  if (device_.is_cpu())
    shape.work = std::make_unique<RepeatedWork>(work);
  else
    shape.work = record(device_, work);
}

void StagedCalls::forget_recordings()
{
  synchronize();
  shapes_.clear();
  release_cached_memory(device_);
}

/* ----------------------------------------------------------------------
   only what is not padding comes back
------------------------------------------------------------------------- */

void StagedCalls::copy_results(const EdgeChunk &chunk, const Tensors &outputs, Lane &lane)
{
  const auto start = Clock::now();
  for (int k = 0; k < 3; k++) {
    const at::Tensor &output = outputs[k];
    const int64_t columns = k == 2 ? 3 : 1;
    if (output.dim() != 2 || output.size(0) != (k == 0 ? chunk.num_slots : chunk.num_padded) ||
        output.size(1) != columns)
      throw std::runtime_error("output " + std::to_string(k) + " has a wrong shape");
    const int64_t numbers = columns * (k == 0 ? chunk.num_rows : chunk.num_edges);
    at::Tensor &result = lane.results[k];
    if (!result.defined() || result.numel() < numbers)
      result = host_tensor(numbers + numbers / 16 + 64, at::kDouble, !device_.is_cpu());
    result.narrow(0, 0, numbers).copy_(output.reshape({-1}).narrow(0, 0, numbers), true);
  }
  lane.copy_seconds += seconds_since(start);
}

}    // namespace E3D
