/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_STAGED_CALLS_H
#define E3D_STAGED_CALLS_H

#include "model/edge_chunk.h"
#include "model/edge_model.h"
#include "model/torch/cuda_support.h"

#include <ATen/Tensor.h>
#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace E3D {

/* Calls of a model on a device that works while the processor goes on.

   Inputs are copied from memory that the device reads by itself, results into such memory, all of it in
   the order of one stream; the processor waits only for the event behind the results that it needs. Where
   the model allows it, its work on a shape that comes again is recorded and replayed.

   With device cpu everything is done as on a GPU except that nothing is asynchronous and a recording is a
   second call: a rehearsal, by which the order of things is tested where there is no GPU. */

class StagedCalls {
 public:
  using Tensors = std::array<at::Tensor, 3>;
  using Call = std::function<Tensors(const Tensors &)>;    // contract e3d/1, all on the device

  // recordable: the call never waits for its device, makes no decision by what a tensor holds, and may run
  // in inference mode; sharing: ranks that use this device
  StagedCalls(const c10::Device &device, Call call, bool recordable, int sharing);
  ~StagedCalls();    // waits: the model, which goes next, must be idle
  StagedCalls(const StagedCalls &) = delete;
  StagedCalls &operator=(const StagedCalls &) = delete;

  ChunkPlan chunk_plan() const;
  int64_t auto_edges() const { return auto_edges_; }
  void start(const EdgeChunk &chunk, int lane);
  ModelOutput finish(int lane);
  std::string take_remark() { return std::exchange(remark_, ""); }

 private:
  struct Lane {
    Tensors results;    // flat, float64, on the host
    std::optional<c10::Event> done;
    bool under_way = false;
    double copy_seconds = 0.0;
  };

  // a shape of the inputs that came before, and the recorded work for it
  struct Shape {
    int64_t edges = 0, slots = 0;
    int64_t last_use = 0;
    Tensors inputs, outputs;
    std::unique_ptr<RecordedWork> work;
  };

  c10::Device device_;
  Call call_;
  bool recordable_;
  bool records_;
  int sharing_;
  std::optional<c10::Stream> stream_;
  std::vector<Lane> lanes_;
  std::vector<Shape> shapes_;
  int64_t calls_ = 0;
  int recordings_ = 0;
  int64_t auto_edges_;
  bool measured_ = false;
  std::string remark_;

  Tensors run(const EdgeChunk &chunk, Lane &lane);
  Tensors run_plainly(const Tensors &host, Lane &lane);
  Tensors replay(Shape &shape, const Tensors &host, Lane &lane);
  void record_shape(Shape &shape);
  Shape *find_shape(int64_t edges, int64_t slots, bool &is_new);
  void forget_recordings();
  void copy_results(const EdgeChunk &chunk, const Tensors &outputs, Lane &lane);
  void wait(Lane &lane);
  void synchronize();
};

}    // namespace E3D

#endif
