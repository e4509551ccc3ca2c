/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_DEVICE_MODEL_H
#define E3D_DEVICE_MODEL_H

#include "engine/folded_model.h"

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <type_traits>
#include <vector>

namespace E3D {

/* A folded Allegro model (engine/folded_model.h, docs/engine.md) in the memory of a device: all numbers of `Real` in one
   array, all whole numbers in another, and structs that say where things are. Letters as there: e an edge, u a channel,
   h a hidden unit, l an irrep, i, j, k components, n a layer. */

constexpr int MAX_IRREPS = 4;

struct MatrixAt {
  int at = 0, rows = 0, columns = 0;    // first number; row-major
};

// a network behind the sum that enters its first hidden layer
struct NetworkAt {
  int linear = 0;    // no activation
  int width = 0;     // of the first hidden layer
  int last_width = 0;
  int matrices =
      0;             // behind the first hidden layer; forward ones, then as many transposed, from `matrix` on
  int matrix = 0;    // in ModelView::matrix
  int deep = 0;      // first of this network's columns among the derivatives of hidden layers that are kept
};

/* out[i] = sum over terms (s, k) of value slot[s] v[k], where slot[s] = path_weight[path] environment[component] norm.
   The terms stand in three orders: by i, by k and by s. A list's first term of a row is at integer(first + row); a term is
   two whole numbers, the other two of (i, k, s) in this order, at integer(term + 2 t), and number(value + t). */
struct TermsAt {
  int first = 0, term = 0, value = 0;
};
struct ProductAt {
  int in = 0, out = 0, slots = 0;
  int path = 0, component = 0;    // of a slot, integer(path + s)
  int first_slot = 0;             // of a component: slots are ordered by it, integer(first_slot + j)
  int path_weight = 0;            // number(path_weight + path * channels + u)
  TermsAt by_in, by_out, by_slot;
};

struct LayerAt {
  NetworkAt hidden;
  int column = 0;                     // of the two-body functions that enter here, and of the cotangents
  int activation = 0;                 // first of a_n among the activations of an edge
  MatrixAt from_tensor, to_tensor;    // (channels, width), and its transpose
  MatrixAt from_hidden;               // (activations before, width)
  int later = 0;                      // column where the cotangents of later layers and of the readout begin
  MatrixAt from_later;                // (environment_column - later, last_width)
  MatrixAt
      environment[MAX_IRREPS];    // (last_width, channels): environment of layer n+1; none in the last layer
  MatrixAt environment_back[MAX_IRREPS];    // their transposes
  ProductAt product;
  int first_slot = 0, first_in = 0;    // slots and components (ProductAt::in) of the layers before
};

// the two-body functions as a network, where they are evaluated without tables
struct ExactAt {
  int on = 0;
  int bessel = 0, basis = 0, span = 0;    // number of functions; of splines: intervals of a support, less one
  int roots = 0;                          // number(roots + k)
  double cutoff_power = 0;
  int width = 0;                     // of basis times the matrix of a pair, which stands in the pair's table
  int matrices = 0, matrix = 0;      // in ModelView::matrix, each followed by SiLU; then as many transposed
  MatrixAt outputs, outputs_back;    // (last width, columns), and its transpose
};

/* What kernels take by value. */

template <typename Real, class DeviceType> struct ModelView {
  int l_max = 0, components = 0, types = 0, channels = 0, layers = 0;
  int columns = 0;    // two-body functions: hidden layers, readout, environment (l,u), tensor (l,u)
  int readout_column = 0, environment_column = 0, tensor_column = 0;
  int activations = 0;      // all a_n
  int deep_columns = 0;     // derivatives of hidden layers behind the first ones
  int network_width = 0;    // widest hidden layer that needs a place on its way; the readout's counts always
  ExactAt exact;
  NetworkAt readout;
  MatrixAt readout_from_hidden;    // (activations, readout.width)
  int readout_weight =
      0;                 // number(readout_weight + type * readout.last_width + k), energy scale multiplied in
  int layer_norm = 0;    // number(layer_norm + type)
  double table_length = 0;    // a of u = r / (r + a), angstrom
  int intervals = 0;
  bool zbl = false;
  double zbl_prefactor = 0, zbl_cutoff_power = 0;

  Kokkos::View<const Real *, DeviceType> number, table;
  Kokkos::View<const int *, DeviceType> integer;
  Kokkos::View<const MatrixAt *, DeviceType> matrix;
  Kokkos::View<const LayerAt *, DeviceType> layer;
  Kokkos::View<const int64_t *, DeviceType> table_at;              // (types * types), -1: not prepared
  Kokkos::View<const double *, DeviceType> table_per_u, cutoff;    // (types * types) row: centre
  Kokkos::View<const double *, DeviceType> shift, zbl_charge;      // (types) eV; nuclear charges
};

/* Builds and owns it. In float64 two-body functions are evaluated as they are, in float32 by tables, unless `tables` says that
   float64 shall have them, too. Throws std::runtime_error where a model does not fit. */

template <typename Real, class DeviceType> class DeviceModel {
 public:
  explicit DeviceModel(const e3d::engine::FoldedModel &model, bool tables = std::is_same_v<Real, float>);

  // make what all ordered pairs of these model types need, tables or matrices; what is there is kept
  void prepare(const std::vector<int> &types);

  const ModelView<Real, DeviceType> &view() const { return view_; }
  const std::vector<LayerAt> &layers() const { return layers_; }
  int exact_columns() const;    // hidden layers of two-body functions without tables, all together
  double bytes() const;         // on the device

 private:
  const e3d::engine::FoldedModel model_;
  ModelView<Real, DeviceType> view_;
  std::vector<Real> numbers_, tables_;
  std::vector<int> integers_;
  std::vector<MatrixAt> matrices_;
  std::vector<LayerAt> layers_;
  std::vector<int64_t> table_at_;

  int add(const std::vector<double> &values);
  int add(const std::vector<int> &values);
  MatrixAt add(const e3d::engine::Matrix &matrix);
  NetworkAt add(const e3d::engine::HiddenLayers &layers);
  ProductAt add(const e3d::engine::TensorProduct &product);
  void add_layers();
  void add_readout();
  void add_two_body();
};

}    // namespace E3D

#endif
