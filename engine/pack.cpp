#include "pack.h"

#include "errors.h"
#include "tables.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

namespace e3d::engine {

namespace {

  std::vector<int> counted(int count, int first = 0)
  {
    std::vector<int> out(count);
    std::iota(out.begin(), out.end(), first);
    return out;
  }

}    // namespace

template <typename Real>
Pack<Real>::Pack(const FoldedModel &model, const Kernel<Real> &kernel, bool tables) :
    folded_(model), lanes_(kernel.lanes), panel_(kernel.panel), radial_(model.two_body.radial)
{
  if (static_cast<int>(model.layers.size()) > max_layers)
    throw Error("the model has too many layers for this engine");
  packed_.l_max = model.l_max;
  packed_.types = model.types;
  packed_.layers = static_cast<int>(model.layers.size());
  packed_.channels = padded(model.channels);
  place_columns();
  pack_layers();
  pack_readout();
  pack_two_body();
  pack_pairs(tables);
  packed_.layer_norm = numbers(model.layer_norm);
  packed_.shift = copied(model.shifts);
  packed_.cutoff = copied(model.cutoffs);
  if (model.has_zbl) {
    packed_.zbl_charge = copied(model.zbl.charge);
    packed_.zbl_prefactor = model.zbl.prefactor;
    packed_.zbl_cutoff_power = model.zbl.cutoff_power;
  }
}

template <typename Real> Real Pack<Real>::rounded(double x) const
{
  const Real y = static_cast<Real>(x);
  if (!std::isfinite(y))
    throw Error("a weight of the model is too large for this precision; run it in float64");
  return y;
}

// Sections of the two-body functions begin on whole vectors, and so does every irrep of the weights.
template <typename Real> void Pack<Real>::place_columns()
{
  const TwoBodyColumns &at = folded_.two_body.columns;
  place_.assign(at.count, 0);
  int column = 0;
  const auto section = [&](int first, int width) {
    const int begin = column;
    for (int k = 0; k < width; k++) place_[first + k] = begin + k;
    column += padded(width);
    return begin;
  };
  std::vector<int> hidden;
  for (std::size_t n = 0; n < folded_.layers.size(); n++)
    hidden.push_back(section(at.hidden[n], folded_.layers[n].hidden.width));
  PackedLayer<Real> *layers = arena_.take<PackedLayer<Real>>(folded_.layers.size());
  for (std::size_t n = 0; n < folded_.layers.size(); n++) {
    layers[n] = PackedLayer<Real>();
    layers[n].column = hidden[n];
    layers[n].activation = packed_.activations;
    packed_.activations += padded(folded_.layers[n].hidden.last_width());
  }
  packed_.layer = layers;
  packed_.readout_column = section(at.readout, folded_.readout.width);
  packed_.environment_column = column;
  for (int l = 0; l <= folded_.l_max; l++) section(at.environment + l * folded_.channels, folded_.channels);
  packed_.tensor_column = column;
  for (int l = 0; l <= folded_.l_max; l++) section(at.tensor + l * folded_.channels, folded_.channels);
  packed_.columns = column;
}

template <typename Real> void Pack<Real>::pack_layers()
{
  const int layers = packed_.layers, channels = packed_.channels;
  PackedLayer<Real> *out = const_cast<PackedLayer<Real> *>(packed_.layer);
  for (int n = 0; n < layers; n++) {
    const FoldedLayer &layer = folded_.layers[n];
    const int width = padded(layer.hidden.width);
    out[n].hidden = hidden(layer.hidden);
    out[n].from_tensor = plain(layer.from_tensor, folded_.channels, width);
    out[n].to_tensor = plain(transposed(layer.from_tensor), layer.hidden.width, channels);
    out[n].product = tensor_product(layer.product);
    if (n > 0) {
      Matrix stacked(out[n].activation, width);
      for (int m = 0; m < n; m++)
        for (int i = 0; i < layer.from_hidden[m].rows; i++)
          for (int j = 0; j < layer.from_hidden[m].columns; j++)
            stacked(out[m].activation + i, j) = layer.from_hidden[m](i, j);
      out[n].from_hidden = panels(stacked);
    }
    // Cotangents of a_n come from all later hidden layers and from the readout, which lie side by side in Z.
    out[n].later = n + 1 < layers ? out[n + 1].column : packed_.readout_column;
    const int columns = padded(layer.hidden.last_width());
    Matrix back(packed_.environment_column - out[n].later, columns);
    const auto add = [&](const Matrix &weight, int column) {
      for (int i = 0; i < weight.rows; i++)
        for (int j = 0; j < weight.columns; j++) back(column - out[n].later + j, i) = weight(i, j);
    };
    for (int m = n + 1; m < layers; m++) add(folded_.layers[m].from_hidden[n], out[m].column);
    add(folded_.readout_from_hidden[n], packed_.readout_column);
    out[n].from_later = panels(back);
    for (std::size_t l = 0; l < layer.environment.size(); l++) {
      out[n].environment[l] = plain(layer.environment[l], layer.environment[l].rows, channels);
      out[n].environment_back[l] = plain(transposed(layer.environment[l]), folded_.channels, columns);
    }
  }
}

template <typename Real> void Pack<Real>::pack_readout()
{
  const HiddenLayers &layers = folded_.readout;
  packed_.readout = hidden(layers);
  const int width = packed_.readout.shape.width;
  Matrix stacked(packed_.activations, width);
  for (int n = 0; n < packed_.layers; n++) {
    const Matrix &weight = folded_.readout_from_hidden[n];
    for (int i = 0; i < weight.rows; i++)
      for (int j = 0; j < weight.columns; j++) stacked(packed_.layer[n].activation + i, j) = weight(i, j);
  }
  packed_.readout_from_hidden = panels(stacked);
  Real *weight = arena_.template take<Real>(static_cast<std::size_t>(folded_.types) * width);
  for (int t = 0; t < folded_.types; t++)
    for (std::size_t k = 0; k < folded_.readout_weight.size(); k++)
      weight[t * width + k] = rounded(folded_.readout_weight[k] * folded_.edge_scale[t]);
  packed_.readout_weight = weight;
}

template <typename Real> void Pack<Real>::pack_two_body()
{
  const TwoBody &functions = folded_.two_body;
  const int count = static_cast<int>(functions.hidden.size());
  packed_.radial = &radial_;
  packed_.basis = functions.basis_functions();
  packed_.radial_width = padded(functions.width());
  packed_.two_body_layers = count;
  auto *forward = arena_.template take<PackedMatrix<Real>>(count),
       *back = arena_.template take<PackedMatrix<Real>>(count);
  int *width = arena_.take<int>(count);
  for (int k = 0; k < count; k++) {
    const Matrix &weight = functions.hidden[k];
    width[k] = padded(weight.columns);
    forward[k] = plain(weight, weight.rows, width[k]);
    back[k] = plain(transposed(weight), weight.columns, padded(weight.rows));
    packed_.two_body_width_sum += width[k];
  }
  packed_.two_body = forward;
  packed_.two_body_back = back;
  packed_.two_body_width = width;
  const Matrix outputs = spread(functions.outputs, counted(functions.outputs.rows), functions.outputs.rows,
                                place_, packed_.columns);
  packed_.outputs = panels(outputs);
  packed_.outputs_back = plain(transposed(outputs), packed_.columns, padded(functions.outputs.rows));
}

template <typename Real> void Pack<Real>::pack_pairs(bool tables)
{
  const std::size_t pairs = static_cast<std::size_t>(folded_.types) * folded_.types;
  pair_numbers_ = arena_.template take<const Real *>(pairs);
  if (!tables) {
    packed_.pair_weight = pair_numbers_;
    return;
  }
  double *per_u = arena_.take<double>(pairs);
  for (std::size_t p = 0; p < pairs; p++) per_u[p] = TableGrid(folded_.cutoffs[p]).per_u;
  packed_.table = pair_numbers_;
  packed_.table_per_u = per_u;
  packed_.table_length = table_length;
  packed_.table_intervals = table_intervals;
}

template <typename Real> void Pack<Real>::prepare(const std::vector<int> &types)
{
  std::vector<std::pair<int, int>> missing;
  for (int centre : types)
    for (int neighbour : types)
      if (!pair_numbers_[static_cast<std::size_t>(centre) * folded_.types + neighbour])
        missing.emplace_back(centre, neighbour);
  std::sort(missing.begin(), missing.end());
  missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
  if (missing.empty()) return;
  const bool tables = packed_.table != nullptr;
  const std::size_t rows = tables ? table_intervals * table_coefficients : packed_.basis;
  const std::size_t row = tables ? packed_.columns : packed_.radial_width;
  Real *out = arena_.template take<Real>(missing.size() * rows * row);    // in one piece, for large pages
  for (const auto &[centre, neighbour] : missing) {
    const Matrix weight = folded_.two_body.pair_weight(centre, neighbour);
    const Matrix source =
        tables ? table_of_pair(folded_.two_body, weight, folded_.cutoff(centre, neighbour)) : weight;
    for (int i = 0; i < source.rows; i++)
      for (int j = 0; j < source.columns; j++)
        out[i * row + (tables ? place_[j] : j)] = rounded(source(i, j));
    pair_numbers_[static_cast<std::size_t>(centre) * folded_.types + neighbour] = out;
    out += rows * row;
  }
}

template <typename Real>
Matrix Pack<Real>::spread(const Matrix &a, const std::vector<int> &rows, int row_count,
                          const std::vector<int> &columns, int column_count) const
{
  Matrix out(row_count, column_count);
  for (int i = 0; i < a.rows; i++)
    for (int j = 0; j < a.columns; j++) out(rows[i], columns[j]) = a(i, j);
  return out;
}

template <typename Real> PackedMatrix<Real> Pack<Real>::panels(const Matrix &a)
{
  PackedMatrix<Real> out;
  out.rows = a.rows;
  out.vectors = a.columns / lanes_;
  Real *to = arena_.template take<Real>(a.numbers.size());
  out.numbers = to;
  const int width = panel_ * lanes_;
  for (int first = 0; first < a.columns; first += width)
    for (int i = 0; i < a.rows; i++)
      for (int j = first; j < std::min(first + width, a.columns); j++) *to++ = rounded(a(i, j));
  return out;
}

template <typename Real> PackedMatrix<Real> Pack<Real>::plain(const Matrix &a, int rows, int columns)
{
  return panels(spread(a, counted(a.rows), rows, counted(a.columns), columns));
}

template <typename Real> PackedHidden<Real> Pack<Real>::hidden(const HiddenLayers &layers)
{
  PackedHidden<Real> out;
  out.shape.linear = layers.linear;
  out.shape.matrices = static_cast<int>(layers.deeper.size());
  out.shape.width = padded(layers.width);
  auto *forward = arena_.template take<PackedMatrix<Real>>(layers.deeper.size());
  auto *backward = arena_.template take<PackedMatrix<Real>>(layers.deeper.size());
  for (std::size_t k = 0; k < layers.deeper.size(); k++) {
    forward[k] = plain(layers.deeper[k], layers.deeper[k].rows, out.shape.width);
    backward[k] = plain(transposed(layers.deeper[k]), layers.deeper[k].columns, out.shape.width);
  }
  out.forward = forward;
  out.backward = backward;
  return out;
}

template <typename Real> PackedProduct<Real> Pack<Real>::tensor_product(const TensorProduct &product)
{
  PackedProduct<Real> out;
  out.in = product.in;
  out.out = product.out;
  std::map<std::pair<int, int>, int> slot_number, entry_number;    // of (path, j) and of (i, k)
  for (const ProductTerm &term : product.terms) {
    slot_number.emplace(std::make_pair(term.path, term.j), 0);
    entry_number.emplace(std::make_pair(term.i, term.k), 0);
  }
  std::vector<ProductSlot> slots;
  for (auto &item : slot_number) {
    item.second = static_cast<int>(slots.size());
    slots.push_back({item.first.first, item.first.second});
  }
  std::vector<std::int32_t> first_entry(static_cast<std::size_t>(product.in) + 1), entry_out, scalar_entry,
      scalar_in;
  for (auto &item : entry_number) {
    const auto [i, k] = item.first;
    item.second = static_cast<int>(entry_out.size());
    if (k == 0) {
      scalar_entry.push_back(item.second);
      scalar_in.push_back(i);
    }
    entry_out.push_back(k);
    first_entry[static_cast<std::size_t>(i) + 1]++;
  }
  std::partial_sum(first_entry.begin(), first_entry.end(), first_entry.begin());
  std::vector<SparseFactor<Real>> by_entry, by_slot;
  for (const ProductTerm &term : product.terms) {
    const int slot = slot_number[{term.path, term.j}], entry = entry_number[{term.i, term.k}];
    by_entry.push_back({entry, slot, rounded(term.value)});
    by_slot.push_back({slot, entry, rounded(term.value)});
  }
  out.entries_of_slots = sparse(by_entry);
  out.slots_of_entries = sparse(by_slot);
  out.slots = static_cast<int>(slots.size());
  out.entries = static_cast<int>(entry_out.size());
  out.scalars = static_cast<int>(scalar_entry.size());
  out.slot = copied(slots);
  out.first_entry = copied(first_entry);
  out.entry_out = copied(entry_out);
  out.scalar_entry = copied(scalar_entry);
  out.scalar_in = copied(scalar_in);
  Real *weight =
      arena_.template take<Real>(static_cast<std::size_t>(product.path_weight.rows) * packed_.channels);
  for (int p = 0; p < product.path_weight.rows; p++)
    for (int u = 0; u < folded_.channels; u++)
      weight[p * packed_.channels + u] = rounded(product.path_weight(p, u));
  out.path_weight = weight;
  return out;
}

// Every row has a factor.
template <typename Real> SparseMatrix<Real> Pack<Real>::sparse(std::vector<SparseFactor<Real>> factors)
{
  const auto by_row = [](const auto &a, const auto &b) { return a.row < b.row; };
  std::stable_sort(factors.begin(), factors.end(), by_row);
  std::vector<SparseFactor<Real>> first, other;
  for (const auto &factor : factors)
    (first.empty() || first.back().row != factor.row ? first : other).push_back(factor);
  SparseMatrix<Real> out;
  out.rows = static_cast<int>(first.size());
  out.more = static_cast<int>(other.size());
  out.first = copied(first);
  out.other = copied(other);
  return out;
}

template <typename Real> const Real *Pack<Real>::numbers(const std::vector<double> &values)
{
  Real *out = arena_.template take<Real>(values.size());
  for (std::size_t k = 0; k < values.size(); k++) out[k] = rounded(values[k]);
  return out;
}

template <typename Real> template <typename T> const T *Pack<Real>::copied(const std::vector<T> &values)
{
  T *out = arena_.take<T>(values.size());
  std::copy(values.begin(), values.end(), out);
  return out;
}

template class Pack<float>;
template class Pack<double>;

}    // namespace e3d::engine
