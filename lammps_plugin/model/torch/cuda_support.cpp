/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "model/torch/cuda_support.h"

#include <stdexcept>

#ifdef E3D_CUDA
#include <ATen/core/CachingHostAllocator.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>

#include <cuda_runtime_api.h>

// libtorch_cuda.so brings it where it is a library of its own; the plugin loads without it as well
extern "C" cudaError_t CUDARTAPI cudaGetLastError(void) __attribute__((weak));
#endif

namespace E3D {

#ifdef E3D_CUDA

namespace {

  using Pool = decltype(at::cuda::graph_pool_handle());

  // The pool of the recordings that there are. torch refuses to record into one whose recordings are all gone
  // (its allocator of host memory forgets none of them): after these comes another.
  std::shared_ptr<const Pool> shared_pool()
  {
    static std::weak_ptr<const Pool> current;
    auto pool = current.lock();
    if (!pool) current = pool = std::make_shared<const Pool>(at::cuda::graph_pool_handle());
    return pool;
  }

  // the allocator of host memory takes part in recordings from torch 2.10 on
  template <typename Allocator> void end_host_pool(Allocator *allocator, const Pool &pool)
  {
    if constexpr (requires { allocator->end_allocate_to_pool(pool); }) allocator->end_allocate_to_pool(pool);
  }

  template <typename Work> void quietly(const Work &work)
  {
    try {
      work();
    } catch (...) {
    }
  }

  class CudaGraph : public RecordedWork {
   public:
    CudaGraph(const c10::Device &device, const std::function<void()> &work) : pool_(shared_pool())
    {
      try {
        // thread-local: what an MPI library does in a thread of its own must not end the recording
        graph_.capture_begin(*pool_, cudaStreamCaptureModeThreadLocal);
        work();
        graph_.capture_end();
      } catch (...) {
        end_quietly(device);
        throw;
      }
    }
    void replay() override { graph_.replay(); }

   private:
    std::shared_ptr<const Pool> pool_;    // outlives the graph
    at::cuda::CUDAGraph graph_;

    // After an error, wherever it was: the stream must leave its recording, the allocators must leave the pool
    // (they hold a reference to graph_), and the error must not come back at the next call. What is done already
    // throws.
    void end_quietly(const c10::Device &device)
    {
      quietly([&] { graph_.capture_end(); });
      quietly([&] { c10::cuda::CUDACachingAllocator::endAllocateToPool(device.index(), *pool_); });
      quietly([&] { end_host_pool(at::getHostAllocator(at::kCUDA), *pool_); });
      if (cudaGetLastError) (void) cudaGetLastError();
    }
  };

  // the allocator tells the memory of its device from torch 2.10 on
  template <typename Allocator> int64_t free_bytes(Allocator *allocator, c10::DeviceIndex index)
  {
    if constexpr (requires { allocator->getMemoryInfo(index); })
      return static_cast<int64_t>(allocator->getMemoryInfo(index).first);
    else
      return 0;
  }

}    // namespace

bool can_record(const c10::Device &device)
{
  return device.is_cuda();
}

std::unique_ptr<RecordedWork> record(const c10::Device &device, const std::function<void()> &work)
{
  if (!device.is_cuda()) throw std::logic_error("only work on CUDA devices can be recorded");
  return std::make_unique<CudaGraph>(device, work);
}

DeviceMemory device_memory(const c10::Device &device)
{
  if (!device.is_cuda()) return {};
  namespace Cache = c10::cuda::CUDACachingAllocator;
  const auto stats = Cache::getDeviceStats(device.index());
  const auto &used = stats.allocated_bytes[0];    // 0: of blocks of all sizes
  const int64_t unused = stats.reserved_bytes[0].current - used.current;
  const int64_t free = free_bytes(Cache::get(), device.index());
  return {used.current, used.peak, free > 0 ? free + unused : 0};
}

void reset_peak(const c10::Device &device)
{
  if (device.is_cuda()) c10::cuda::CUDACachingAllocator::resetPeakStats(device.index());
}

void release_cached_memory(const c10::Device &device)
{
  if (device.is_cuda()) c10::cuda::CUDACachingAllocator::emptyCache();
}

#else

bool can_record(const c10::Device &)
{
  return false;
}

std::unique_ptr<RecordedWork> record(const c10::Device &, const std::function<void()> &)
{
  throw std::logic_error("this plugin was built without CUDA");
}

DeviceMemory device_memory(const c10::Device &)
{
  return {};
}

void reset_peak(const c10::Device &) {}

void release_cached_memory(const c10::Device &) {}

#endif

}    // namespace E3D
