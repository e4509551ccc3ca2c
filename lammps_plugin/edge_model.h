/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_EDGE_MODEL_H
#define E3D_EDGE_MODEL_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace E3D {

struct EdgeChunk;

/* What a model file says about itself (contract e3d/1, ARCHITECTURE section 3). */

struct ModelMetadata {
  std::vector<std::string> type_names;       // (T) names used in pair_coeff
  std::vector<std::string> type_elements;    // (T) chemical element of each type
  double r_max = 0.0;                        // largest cutoff, Angstrom
  std::vector<double> cutoffs;               // (T*T) directed cutoffs, Angstrom, row = centre
  std::vector<double> shifts;                // (T) mu of each type, eV
  std::string decomposition;                 // cohesive or rescaled
  std::string model_dtype;                   // float32 or float64
  std::string engine;                        // aotinductor or torchscript
  std::string torch_version;                 // torch that wrote the file
  std::string source_sha256;                 // of the checkpoint or package that was exported
};

/* Where and how a model shall run. */

struct ModelOptions {
  std::string device = "auto";    // auto, cpu, cuda, cuda:K, xpu, xpu:K
  int local_rank = 0;             // rank within the node: picks the GPU where the device has no K
  int threads = 1;                // CPU threads of one evaluation
};

/* What one evaluation returns; the arrays belong to the model and live until the next call. */

struct ModelOutput {
  const double *atomic_energy;    // (num_slots)     U of each slot, eV
  const double *edge_energy;      // (num_padded)    epsilon_ij, eV
  const double *edge_forces;      // (num_padded, 3) g_ij = dU_i/dr_ij, eV/Angstrom
  double copy_seconds;            // of the evaluation: to and from the device, and to double precision
};

/* A loaded model. Implemented in libe3d_model (edge_model_torch.cpp), the only part that links
   libtorch, so that a LAMMPS without a working torch still loads the plugin. */

class EdgeModel {
 public:
  virtual ~EdgeModel() = default;
  virtual const ModelMetadata &metadata() const = 0;
  virtual std::string device() const = 0;    // device that is used, such as cpu or cuda:1

  // run the model on one chunk; throws std::runtime_error with a message for the user
  virtual ModelOutput evaluate(const EdgeChunk &chunk) = 0;
};

/* Load a model file; throws std::runtime_error with a message that says what to type.
   Opens libe3d_model, which stands beside this library, on the first call. */

std::unique_ptr<EdgeModel> load_edge_model(const std::string &file, const ModelOptions &options);

/* The one symbol of libe3d_model: a new model, or nullptr and a message in error (error_size
   bytes). No exception crosses this boundary. */

extern "C" {
using LoadEdgeModelFunction = EdgeModel *(*) (const char *file, const ModelOptions *options,
                                              char *error, std::size_t error_size);
}
constexpr const char *LOAD_EDGE_MODEL_SYMBOL = "e3d_load_edge_model_v1";

}    // namespace E3D

#endif
