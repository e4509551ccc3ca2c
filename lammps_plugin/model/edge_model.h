/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_EDGE_MODEL_H
#define E3D_EDGE_MODEL_H

#include "model/edge_chunk.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace E3D {

/* What to type to build the plugin again, for the torch that is installed (docs/install.md). */

inline constexpr const char *REBUILD =
    "'pip install scikit-build-core cmake ninja', then "
    "'pip install --no-build-isolation --no-deps --force-reinstall .' in the sources of e3d-lmp";

/* What a model file says about itself (ARCHITECTURE section 3). */

struct ModelMetadata {
  std::vector<std::string> type_names;       // (T) names used in pair_coeff
  std::vector<std::string> type_elements;    // (T) chemical element of each type
  double r_max = 0.0;                        // largest cutoff, Angstrom
  std::vector<double> cutoffs;               // (T*T) directed cutoffs, Angstrom, row = centre
  std::vector<double> shifts;                // (T) mu of each type, eV
  std::string decomposition;                 // cohesive or rescaled
  std::string model_dtype;                   // float32 or float64: the arithmetic in use
  std::string engine;                        // aotinductor, torchscript or native
  std::string torch_version;                 // torch that wrote the file, empty for the native engine
  std::string source_sha256;                 // of the checkpoint or package that was exported
};

/* Where and how a model shall run. */

struct ModelOptions {
  std::string device = "auto";       // auto, cpu, cuda, cuda:K, xpu, xpu:K
  std::string precision = "auto";    // single, double; auto: that of the file
  int local_rank = 0;                // rank within the node: picks the GPU where the device has no K
  int node_ranks = 1;                // ranks of the node, which share its GPUs
  int threads = 1;                   // CPU threads of one evaluation
};

/* What one evaluation returns; the arrays belong to the model and live until its lane is started again. */

struct ModelOutput {
  const double *atomic_energy;    // (num_rows)     U of each centre, eV
  const double *edge_energy;      // (num_edges)    epsilon_ij, eV
  const double *edge_forces;      // (num_edges, 3) g_ij = dU_i/dr_ij, eV/Angstrom
  double copy_seconds;            // of the evaluation: to and from the device, and to double precision
};

/* How a model wants its chunks. */

struct ChunkPlan {
  int lanes = 1;    // chunks that may be under way at once
  ChunkForm form = ChunkForm::Slots;
  HostMemory memory = plain_memory();    // for their arrays
};

/* A loaded model. Two implementations: edge_model_native, which hands chunks to libe3d_engine, and
   edge_model_torch in libe3d_model, the only part that links libtorch, so that a LAMMPS without a working
   torch still loads the plugin.

   An evaluation is a start() and a finish() of one lane. On a GPU start() returns while the device works, so
   that the next chunk is filled, and the one before is added up, at the same time. The chunk must stay as
   it is in between. */

class EdgeModel {
 public:
  virtual ~EdgeModel() = default;
  virtual const ModelMetadata &metadata() const = 0;
  virtual std::string device() const = 0;    // device that is used, such as cpu, cpu avx512 or cuda:1
  virtual ChunkPlan chunk_plan() const = 0;

  // once before the first evaluation: the model types of the run; throws std::runtime_error
  virtual void prepare(const std::vector<int> & /*types*/) {}

  // edges of a chunk with 'chunk auto': a constant on a CPU, so that runs can be repeated to the last bit; on
  // a GPU what its memory holds, once a first chunk has shown how much an edge takes
  virtual int64_t auto_edges() const = 0;

  // run the model on one chunk; start() throws std::runtime_error with a message for the user if the chunk
  // is too large for the memory (or for another reason), and may be called again with a smaller one when
  // all other lanes are finished; what finish() throws is final
  virtual void start(const EdgeChunk &chunk, int lane) = 0;
  virtual ModelOutput finish(int lane) = 0;

  // a line for the log, empty if there is none; each is told once
  virtual std::string take_remark() { return ""; }

  // bytes of the model itself; 0 where nobody knows, as with torch
  virtual double memory_usage() const { return 0.0; }
};

/* Load a model file; throws std::runtime_error with a message that says what to type.
   Files .nequip.pt2 and .nequip.pth open libe3d_model, which stands beside this library; .safetensors do not. */

std::unique_ptr<EdgeModel> load_edge_model(const std::string &file, const ModelOptions &options);

/* The one symbol of libe3d_model: a new model, or nullptr and a message in error (error_size
   bytes). No exception crosses this boundary. */

extern "C" {
using LoadEdgeModelFunction = EdgeModel *(*)(const char *file, const ModelOptions *options, char *error,
                                             std::size_t error_size);
}
constexpr const char *LOAD_EDGE_MODEL_SYMBOL = "e3d_load_edge_model_v3";

}    // namespace E3D

#endif
