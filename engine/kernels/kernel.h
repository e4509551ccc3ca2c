// What a kernel takes and gives: some centres with their edges, one after the other in arrays of the caller.
#ifndef E3D_ENGINE_KERNEL_H
#define E3D_ENGINE_KERNEL_H

#include "packed_model.h"

#include <cstdint>

namespace e3d::engine {

// Centres 0 to centres - 1; edges of centre c are first[c] to first[c+1] - 1 of the arrays below.
struct CentreBatch {
  std::int64_t centres = 0;
  const std::int64_t *first = nullptr;            // (centres + 1)
  const std::int32_t *centre_type = nullptr;      // (centres)
  const std::int32_t *neighbour_type = nullptr;
  const double *vector = nullptr;                 // (.., 3) angstrom
  double *energy = nullptr;                       // (centres) eV, shift included
  double *edge_energy = nullptr;                  // may be null
  double *edge_force = nullptr;                   // (.., 3) eV/angstrom; may be null
};

enum class EdgeFault : std::int32_t { none, zero_length, not_finite, neighbour_type, centre_type, pair_not_prepared };

struct KernelReport {
  EdgeFault fault = EdgeFault::none;
  std::int64_t edge = 0, centre = 0;    // where, in the numbers of the batch
};

// Cycles of the sections of a kernel, for the profile of the benchmark.
enum Section : int {
  section_geometry, section_two_body, section_environment, section_product, section_projection, section_hidden,
  section_readout, section_hidden_back, section_projection_back, section_product_back, section_two_body_back,
  section_forces, section_count
};

template <typename Real> struct Kernel {
  int lanes = 1, panel = 1;    // of `Real`; vectors in a panel of a matrix

  // Numbers of `Real` that `run` needs as scratch for so many edges and centres.
  std::int64_t (*scratch_size)(const PackedModel<Real> &, std::int64_t edges, std::int64_t centres);

  // `capacity`: edges that the scratch was made for. `ticks` (section_count) may be null.
  KernelReport (*run)(const PackedModel<Real> &, const CentreBatch &, Real *scratch, std::int64_t capacity,
                      std::uint64_t *ticks);
};

// One of these in every instruction set.
struct KernelSet {
  const char *name;
  Kernel<float> single_precision;
  Kernel<double> double_precision;
};

}    // namespace e3d::engine

#endif
