/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_CUDA_SUPPORT_H
#define E3D_CUDA_SUPPORT_H

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <memory>

namespace E3D {

/* What needs CUDA's own headers (macro E3D_CUDA, set by CMake where both torch and the headers have CUDA).
   Elsewhere nothing can be recorded, and the memory of a device is not known. */

/* Work of a device that was recorded once and is launched as a whole: a CUDA graph. */

class RecordedWork {
 public:
  virtual ~RecordedWork() = default;
  virtual void replay() = 0;    // on the current stream
};

/* Whether work on this device can be recorded. */

bool can_record(const c10::Device &device);

/* Record what work() does on the current stream, which is not run by that; throws what the device and work()
   throw. Tensors that work() makes and keeps belong to a pool of memory that all recordings of this
   process and device share: their contents are lost when another recording is replayed. */

std::unique_ptr<RecordedWork> record(const c10::Device &device, const std::function<void()> &work);

/* Memory of a device, in bytes, as its allocator counts it. */

struct DeviceMemory {
  int64_t used = 0;         // by tensors
  int64_t peak = 0;         // most that was used since reset_peak()
  int64_t available = 0;    // to tensors that are still to come; 0: not known
};

DeviceMemory device_memory(const c10::Device &device);
void reset_peak(const c10::Device &device);

/* Give memory that no tensor uses back to the device; waits for it. */

void release_cached_memory(const c10::Device &device);

}    // namespace E3D

#endif
