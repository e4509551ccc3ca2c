/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "cuda_support.h"

#include <stdexcept>

#ifdef E3D_CUDA
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

  class CudaGraph : public RecordedWork {
   public:
    CudaGraph(const c10::Device &device, const Pool &pool, const std::function<void()> &work)
    {
      // thread-local: what an MPI library does in a thread of its own must not end the recording
      graph_.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
      try {
        work();
      } catch (...) {
        end_quietly(device, pool);
        throw;
      }
      graph_.capture_end();
    }
    void replay() override { graph_.replay(); }

   private:
    at::cuda::CUDAGraph graph_;

    // after an error the stream must leave its recording and the allocator its pool, and the error must not
    // come back at the next call
    void end_quietly(const c10::Device &device, const Pool &pool)
    {
      try {
        graph_.capture_end();
      } catch (...) {
      }
      try {
        c10::cuda::CUDACachingAllocator::endAllocateToPool(device.index(), pool);
      } catch (...) {    // it has left it
      }
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
  static const Pool pool = at::cuda::graph_pool_handle();
  return std::make_unique<CudaGraph>(device, pool, work);
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
