/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "device_model.h"

#include "engine/tables.h"

#include "kokkos_type.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

namespace E3D {

using e3d::engine::FoldedLayer;
using e3d::engine::FoldedModel;
using e3d::engine::HiddenLayers;
using e3d::engine::Matrix;
using e3d::engine::ProductTerm;
using e3d::engine::TensorProduct;

namespace {

  template <class DeviceType, typename T>
  Kokkos::View<const T *, DeviceType> on_device(const char *label, const std::vector<T> &values)
  {
    Kokkos::View<T *, DeviceType> out(Kokkos::view_alloc(Kokkos::WithoutInitializing, std::string(label)),
                                      values.size());
    Kokkos::deep_copy(
        out,
        Kokkos::View<const T *, Kokkos::HostSpace, Kokkos::MemoryUnmanaged>(values.data(), values.size()));
    return out;
  }

  template <typename Real> Real rounded(double x)
  {
    const Real y = static_cast<Real>(x);
    if (!std::isfinite(y))
      throw std::runtime_error("a weight of the model is too large for float32: export it with float64");
    return y;
  }

}    // namespace

template <typename Real, class DeviceType>
DeviceModel<Real, DeviceType>::DeviceModel(const FoldedModel &model, bool tables) : model_(model)
{
  const auto &at = model.two_body.columns;
  view_.l_max = model.l_max;
  view_.components = model.components();
  view_.types = model.types;
  view_.channels = model.channels;
  view_.layers = static_cast<int>(model.layers.size());
  view_.columns = at.count;
  view_.readout_column = at.readout;
  view_.environment_column = at.environment;
  view_.tensor_column = at.tensor;
  view_.table_length = e3d::engine::table_length;
  view_.intervals = e3d::engine::table_intervals;
  if (model.l_max + 1 > MAX_IRREPS)
    throw std::runtime_error("l_max is " + std::to_string(model.l_max) +
                             ", and the spherical harmonics end at " + std::to_string(MAX_IRREPS - 1));

  add_layers();
  add_readout();
  if (!tables) add_two_body();
  view_.layer_norm = add(model.layer_norm);

  view_.number = on_device<DeviceType>("e3d:numbers", numbers_);
  view_.integer = on_device<DeviceType>("e3d:integers", integers_);
  view_.matrix = on_device<DeviceType>("e3d:matrices", matrices_);
  view_.layer = on_device<DeviceType>("e3d:layers", layers_);
  view_.cutoff = on_device<DeviceType>("e3d:cutoffs", model.cutoffs);
  view_.shift = on_device<DeviceType>("e3d:shifts", model.shifts);
  std::vector<double> per_u;
  for (double cutoff : model.cutoffs) per_u.push_back(e3d::engine::TableGrid(cutoff).per_u);
  view_.table_per_u = on_device<DeviceType>("e3d:table_per_u", per_u);
  view_.zbl = model.has_zbl;
  view_.zbl_prefactor = model.zbl.prefactor;
  view_.zbl_cutoff_power = model.zbl.cutoff_power;
  view_.zbl_charge = on_device<DeviceType>("e3d:zbl_charge", model.zbl.charge);
  table_at_.assign(model.cutoffs.size(), -1);
}

/* ---------------------------------------------------------------------- */

template <typename Real, class DeviceType>
void DeviceModel<Real, DeviceType>::prepare(const std::vector<int> &types)
{
  for (int i : types)
    for (int j : types) {
      int64_t &at = table_at_[static_cast<std::size_t>(i) * model_.types + j];
      if (at >= 0) continue;
      const Matrix weight = model_.two_body.pair_weight(i, j);
      const Matrix table =
          view_.exact.on ? weight : e3d::engine::table_of_pair(model_.two_body, weight, model_.cutoff(i, j));
      at = static_cast<int64_t>(tables_.size());
      for (double x : table.numbers) tables_.push_back(rounded<Real>(x));
    }
  view_.table = on_device<DeviceType>("e3d:tables", tables_);
  view_.table_at = on_device<DeviceType>("e3d:table_at", table_at_);
}

/* ---------------------------------------------------------------------- */

template <typename Real, class DeviceType> int DeviceModel<Real, DeviceType>::exact_columns() const
{
  int sum = 0;
  for (int k = 0; k < view_.exact.matrices; k++) sum += matrices_[view_.exact.matrix + k].columns;
  return sum;
}

/* ---------------------------------------------------------------------- */

template <typename Real, class DeviceType> double DeviceModel<Real, DeviceType>::bytes() const
{
  return static_cast<double>(view_.number.size() + view_.table.size()) * sizeof(Real) +
      static_cast<double>(view_.integer.size()) * sizeof(int);
}

/* ---------------------------------------------------------------------- */

template <typename Real, class DeviceType>
int DeviceModel<Real, DeviceType>::add(const std::vector<double> &values)
{
  const std::size_t at = numbers_.size();
  if (at + values.size() > INT_MAX) throw std::runtime_error("the model has more than 2^31 weights");
  for (double x : values) numbers_.push_back(rounded<Real>(x));
  return static_cast<int>(at);
}

template <typename Real, class DeviceType>
int DeviceModel<Real, DeviceType>::add(const std::vector<int> &values)
{
  const int at = static_cast<int>(integers_.size());
  integers_.insert(integers_.end(), values.begin(), values.end());
  return at;
}

template <typename Real, class DeviceType> MatrixAt DeviceModel<Real, DeviceType>::add(const Matrix &matrix)
{
  return {add(matrix.numbers), matrix.rows, matrix.columns};
}

/* ---------------------------------------------------------------------- */

template <typename Real, class DeviceType>
NetworkAt DeviceModel<Real, DeviceType>::add(const HiddenLayers &layers)
{
  NetworkAt out;
  out.linear = layers.linear;
  out.width = layers.width;
  out.last_width = layers.last_width();
  out.matrices = static_cast<int>(layers.deeper.size());
  out.matrix = static_cast<int>(matrices_.size());
  out.deep = view_.deep_columns;
  for (const Matrix &matrix : layers.deeper) {
    matrices_.push_back(add(matrix));
    view_.deep_columns += matrix.columns;
    view_.network_width = std::max({view_.network_width, matrix.rows, matrix.columns});
  }
  for (const Matrix &matrix : layers.deeper) matrices_.push_back(add(transposed(matrix)));
  return out;
}

/* ----------------------------------------------------------------------
   the terms of a product in their three orders
------------------------------------------------------------------------- */

template <typename Real, class DeviceType>
ProductAt DeviceModel<Real, DeviceType>::add(const TensorProduct &product)
{
  ProductAt out;
  out.in = product.in;
  out.out = product.out;
  out.path_weight = add(product.path_weight.numbers);

  std::map<std::pair<int, int>, int> slot;    // (component, path)
  for (const ProductTerm &term : product.terms) slot.emplace(std::make_pair(term.j, term.path), 0);
  std::vector<int> path, component;
  for (auto &item : slot) {
    item.second = out.slots++;
    component.push_back(item.first.first);
    path.push_back(item.first.second);
  }
  std::vector<int> first_slot;
  for (int j = 0; j <= view_.components; j++)
    first_slot.push_back(
        static_cast<int>(std::lower_bound(component.begin(), component.end(), j) - component.begin()));
  out.path = add(path);
  out.component = add(component);
  out.first_slot = add(first_slot);

  const auto in_order = [&](int rows, const auto &row_of, const auto &others_of) {
    std::vector<std::vector<const ProductTerm *>> lists(rows);
    for (const ProductTerm &term : product.terms) lists[row_of(term)].push_back(&term);
    std::vector<int> first{0}, terms;
    std::vector<double> values;
    for (const auto &list : lists) {
      for (const ProductTerm *term : list) {
        const auto others = others_of(*term);
        terms.insert(terms.end(), {others.first, others.second});
        values.push_back(term->value);
      }
      first.push_back(static_cast<int>(values.size()));
    }
    TermsAt at;
    at.first = add(first);
    at.term = add(terms);
    at.value = add(values);
    return at;
  };
  const auto slot_of = [&](const ProductTerm &term) { return slot.at({term.j, term.path}); };
  out.by_in = in_order(
      out.in, [](const ProductTerm &t) { return t.i; },
      [&](const ProductTerm &t) { return std::make_pair(t.k, slot_of(t)); });
  out.by_out = in_order(
      out.out, [](const ProductTerm &t) { return t.k; },
      [&](const ProductTerm &t) { return std::make_pair(t.i, slot_of(t)); });
  out.by_slot = in_order(out.slots, slot_of, [](const ProductTerm &t) { return std::make_pair(t.i, t.k); });
  return out;
}

/* ---------------------------------------------------------------------- */

template <typename Real, class DeviceType> void DeviceModel<Real, DeviceType>::add_layers()
{
  const auto &at = model_.two_body.columns;
  const int count = view_.layers;
  for (int n = 0; n < count; n++) {
    const FoldedLayer &layer = model_.layers[n];
    LayerAt out;
    out.hidden = add(layer.hidden);
    out.column = at.hidden[n];
    out.activation = view_.activations;
    view_.activations += out.hidden.last_width;
    out.from_tensor = add(layer.from_tensor);
    out.to_tensor = add(transposed(layer.from_tensor));

    Matrix before(out.activation, layer.hidden.width);
    for (int m = 0; m < n; m++)
      std::copy(layer.from_hidden[m].numbers.begin(), layer.from_hidden[m].numbers.end(),
                before.numbers.begin() + static_cast<long>(layers_[m].activation) * before.columns);
    out.from_hidden = add(before);

    out.later = n + 1 < count ? at.hidden[n + 1] : at.readout;
    Matrix later(at.environment - out.later, out.hidden.last_width);
    const auto add_later = [&](const Matrix &weight, int column) {
      for (int i = 0; i < weight.rows; i++)
        for (int j = 0; j < weight.columns; j++) later(column - out.later + j, i) = weight(i, j);
    };
    for (int m = n + 1; m < count; m++) add_later(model_.layers[m].from_hidden[n], at.hidden[m]);
    add_later(model_.readout_from_hidden[n], at.readout);
    out.from_later = add(later);

    for (std::size_t l = 0; l < layer.environment.size(); l++) {
      out.environment[l] = add(layer.environment[l]);
      out.environment_back[l] = add(transposed(layer.environment[l]));
    }
    out.product = add(layer.product);
    if (n > 0) {
      out.first_slot = layers_[n - 1].first_slot + layers_[n - 1].product.slots;
      out.first_in = layers_[n - 1].first_in + layers_[n - 1].product.in;
    }
    layers_.push_back(out);
  }
}

/* ---------------------------------------------------------------------- */

template <typename Real, class DeviceType> void DeviceModel<Real, DeviceType>::add_readout()
{
  view_.readout = add(model_.readout);
  view_.network_width = std::max({view_.network_width, view_.readout.width, view_.readout.last_width});
  Matrix stacked(view_.activations, view_.readout.width);
  for (int n = 0; n < view_.layers; n++) {
    const Matrix &weight = model_.readout_from_hidden[n];
    std::copy(weight.numbers.begin(), weight.numbers.end(),
              stacked.numbers.begin() + static_cast<long>(layers_[n].activation) * stacked.columns);
  }
  view_.readout_from_hidden = add(stacked);
  std::vector<double> weight;
  for (double scale : model_.edge_scale)
    for (double w : model_.readout_weight) weight.push_back(scale * w);
  view_.readout_weight = add(weight);
}

/* ---------------------------------------------------------------------- */

template <typename Real, class DeviceType> void DeviceModel<Real, DeviceType>::add_two_body()
{
  const e3d::engine::TwoBody &functions = model_.two_body;
  const auto &radial = functions.radial;
  ExactAt &out = view_.exact;
  out.on = true;
  out.bessel = radial.basis == e3d::engine::RadialBasis::bessel;
  out.basis = functions.basis_functions();
  out.span = radial.span;
  out.roots = add(radial.roots);
  out.cutoff_power = radial.cutoff_power;
  out.width = functions.width();
  out.matrices = static_cast<int>(functions.hidden.size());
  out.matrix = static_cast<int>(matrices_.size());
  for (const Matrix &matrix : functions.hidden) matrices_.push_back(add(matrix));
  for (const Matrix &matrix : functions.hidden) matrices_.push_back(add(transposed(matrix)));
  out.outputs = add(functions.outputs);
  out.outputs_back = add(transposed(functions.outputs));
}

/* ---------------------------------------------------------------------- */

template class DeviceModel<float, LMPDeviceType>;
template class DeviceModel<double, LMPDeviceType>;
#ifdef LMP_KOKKOS_GPU

template class DeviceModel<float, LMPHostType>;
template class DeviceModel<double, LMPHostType>;
#endif

}    // namespace E3D
