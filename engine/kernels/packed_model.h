// A folded model as one kernel wants it: rows padded to whole vectors, matrices cut into panels. Plain
// pointers and numbers, because kernels of different instruction sets must share no inline code with each
// other or with the rest.
#ifndef E3D_ENGINE_PACKED_MODEL_H
#define E3D_ENGINE_PACKED_MODEL_H

#include <cstdint>

namespace e3d::engine {

class RadialFunctions;

constexpr int max_layers = 16;
constexpr int max_irreps = 4;

// B of a product A B, (rows, vectors * lanes), in panels of `panel` vectors; in a panel the rows follow each
// other. The last panel may be narrower.
template <typename Real> struct PackedMatrix {
  const Real *numbers = nullptr;
  int rows = 0, vectors = 0;
};

struct HiddenShape {
  bool linear = false;
  int matrices = 0;    // behind the first hidden layer
  int width = 0;       // of every hidden layer, padded
};

// What follows the first hidden layer of a network, forward and backward (transposed).
template <typename Real> struct PackedHidden {
  HiddenShape shape;
  const PackedMatrix<Real> *forward = nullptr, *backward = nullptr;    // (shape.matrices)
};

// A sparse matrix times rows of channels: out[row] = sum of value * in[index]. Most rows of a tensor product
// have one factor, so that the first of each row is kept apart from the others.
template <typename Real> struct SparseFactor {
  std::int32_t row, index;
  Real value;
};
template <typename Real> struct SparseMatrix {
  int rows = 0, more = 0;
  const SparseFactor<Real> *first = nullptr;    // (rows), in order
  const SparseFactor<Real> *other = nullptr;    // (more)
};

// Slots are path_weight[path] * environment[component]; M[entry] is a sum of values times slots.
struct ProductSlot {
  std::int32_t path, component;
};

template <typename Real> struct PackedProduct {
  int in = 0, out = 0;    // components i, k
  int slots = 0, entries = 0, scalars = 0;
  const ProductSlot *slot = nullptr;
  const std::int32_t *first_entry = nullptr;     // (in + 1) entries of each i, in the order of k
  const std::int32_t *entry_out = nullptr;       // (entries) k
  const std::int32_t *scalar_entry = nullptr;    // (scalars) entries with k = 0
  const std::int32_t *scalar_in = nullptr;       // (scalars) their i
  SparseMatrix<Real> entries_of_slots, slots_of_entries;
  const Real *path_weight = nullptr;    // (paths, channels)
};

template <typename Real> struct PackedLayer {
  PackedHidden<Real> hidden;
  int column = 0;                               // of the two-body functions that enter here
  int activation = 0;                           // column of a_n among all activations of an edge
  PackedMatrix<Real> from_hidden;               // (activation, width): all earlier activations
  PackedMatrix<Real> from_tensor, to_tensor;    // and its transpose
  PackedMatrix<Real> from_later;                // cotangents of later hidden layers and the readout -> of a_n
  int later = 0;                                // column where these begin
  PackedMatrix<Real> environment[max_irreps], environment_back[max_irreps];    // of layer n+1
  PackedProduct<Real> product;
};

template <typename Real> struct PackedModel {
  int l_max = 0, types = 0, layers = 0;
  int channels = 0;    // padded
  int columns = 0;     // of the two-body functions, padded: stride of a row
  int readout_column = 0, environment_column = 0, tensor_column = 0;
  int activations = 0;    // padded columns of all a_n
  const PackedLayer<Real> *layer = nullptr;
  PackedHidden<Real> readout;
  PackedMatrix<Real> readout_from_hidden;    // (activations, width)
  const Real *readout_weight = nullptr;      // (types, width), energy scale of the type multiplied in
  const Real *layer_norm = nullptr;          // (types)
  const double *shift = nullptr, *cutoff = nullptr;    // (types), (types * types)

  // Two-body functions. Tables: (intervals, 6, columns) for a pair of types, null where none was made.
  const Real *const *table = nullptr;     // (types * types); null: exact
  const double *table_per_u = nullptr;    // (types * types)
  double table_length = 0;                // a of u = r / (r + a), angstrom
  long table_intervals = 0;
  // Exact: basis functions times the matrix of the pair, hidden layers, outputs.
  const Real *const *pair_weight = nullptr;    // (types * types) of (basis, radial_width)
  const RadialFunctions *radial = nullptr;
  int basis = 0, radial_width = 0;    // not padded; padded
  int two_body_layers = 0;
  const PackedMatrix<Real> *two_body = nullptr, *two_body_back = nullptr;
  const int *two_body_width = nullptr;    // padded
  int two_body_width_sum = 0;
  PackedMatrix<Real> outputs, outputs_back;

  const double *zbl_charge = nullptr;    // (types); null: no pair term
  double zbl_prefactor = 0, zbl_cutoff_power = 0;
};

}    // namespace e3d::engine

#endif
