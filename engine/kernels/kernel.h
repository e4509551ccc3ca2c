// What a kernel takes and gives: some centres with their edges, one after the other in arrays of the caller.
#ifndef E3D_ENGINE_KERNEL_H
#define E3D_ENGINE_KERNEL_H

#include "packed_model.h"

#include <cstdint>

namespace e3d::engine {

// Centres 0 to centres - 1; edges of centre c are first[c] to first[c+1] - 1 of the arrays below.
struct CentreBatch {
  std::int64_t centres = 0;
  const std::int64_t *first = nullptr;          // (centres + 1)
  const std::int32_t *centre_type = nullptr;    // (centres)
  const std::int32_t *neighbour_type = nullptr;
  const double *vector = nullptr;    // (.., 3) angstrom
  double *energy = nullptr;          // (centres) eV, shift included
  double *edge_energy = nullptr;     // may be null
  double *edge_force = nullptr;      // (.., 3) eV/angstrom; may be null
};

enum class EdgeFault : std::int32_t {
  none,
  zero_length,
  not_finite,
  neighbour_type,
  centre_type,
  pair_not_prepared
};

struct KernelReport {
  EdgeFault fault = EdgeFault::none;
  std::int64_t edge = 0, centre = 0;    // where, in the numbers of the batch
};

// Memory for batches of at most so many edges and centres.
struct KernelScratch {
  unsigned char *memory = nullptr;
  std::int64_t edges = 0, centres = 0;
};

// Cycles of the sections of a kernel, for the profile of the benchmark.
enum Section : int {
  section_geometry,
  section_two_body,
  section_environment,
  section_product,
  section_projection,
  section_hidden,
  section_readout,
  section_hidden_back,
  section_projection_back,
  section_product_back,
  section_two_body_back,
  section_forces,
  section_count
};

template <typename Real> struct Kernel {
  int lanes = 1, panel = 1;    // of `Real`; vectors in a panel of a matrix

  // Bytes of scratch for batches of so many edges and centres at most.
  std::int64_t (*scratch_size)(const PackedModel<Real> &, std::int64_t edges, std::int64_t centres);

  // Checks the edges of a batch and keeps what is within the cutoffs, in one of two slots of the scratch:
  // that of the next batch, while the other one still waits for run().
  KernelReport (*select)(const PackedModel<Real> &, const CentreBatch &, const KernelScratch &, int slot,
                         std::uint64_t *ticks);

  // Energies and forces of the batch in a slot. `has_next`: the other slot holds the next batch, whose tables
  // are called into the cache on the way. `ticks` (section_count) may be null.
  void (*run)(const PackedModel<Real> &, const CentreBatch &, const KernelScratch &, int slot, bool has_next,
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
