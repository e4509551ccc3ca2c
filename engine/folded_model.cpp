#include "folded_model.h"

#include <cmath>
#include <utility>

namespace e3d::engine {

namespace {

  // A network as its first matrix, what follows it, and the matrix behind the last hidden layer.
  struct SplitNetwork {
    Matrix first;
    HiddenLayers hidden;
    Matrix last;
  };

  SplitNetwork split(const Network &network)
  {
    SplitNetwork out;
    out.hidden.linear = network.linear || network.matrices.size() == 1;
    if (out.hidden.linear) {
      out.first = network.matrices[0];
      for (std::size_t k = 1; k < network.matrices.size(); k++)
        out.first = product(out.first, network.matrices[k]);
      out.last = identity(out.first.columns);
    } else {
      out.first = network.matrices.front();
      out.last = network.matrices.back();
      out.hidden.deeper.assign(network.matrices.begin() + 1, network.matrices.end() - 1);
    }
    out.hidden.width = out.first.columns;
    return out;
  }

  // Columns (u, l) in the order (l, u), so that channels lie side by side.
  Matrix channels_last(const Matrix &a, int channels, int irreps)
  {
    Matrix out(a.rows, a.columns);
    for (int i = 0; i < a.rows; i++)
      for (int u = 0; u < channels; u++)
        for (int l = 0; l < irreps; l++) out(i, l * channels + u) = a(i, u * irreps + l);
    return out;
  }

  Matrix beside(const std::vector<Matrix> &parts)
  {
    int columns = 0;
    for (const Matrix &part : parts) columns += part.columns;
    Matrix out(parts[0].rows, columns);
    int first = 0;
    for (const Matrix &part : parts) {
      for (int i = 0; i < part.rows; i++)
        for (int j = 0; j < part.columns; j++) out(i, first + j) = part(i, j);
      first += part.columns;
    }
    return out;
  }

}    // namespace

int TwoBody::basis_functions() const
{
  return radial.basis == RadialBasis::bessel ? static_cast<int>(radial.roots.size()) : radial.splines;
}

int TwoBody::width() const
{
  return hidden.empty() ? outputs.rows : hidden[0].rows;
}

Matrix TwoBody::pair_weight(int centre, int neighbour) const
{
  const int functions = basis_functions(), n = width();
  Matrix out(functions, n);
  if (radial.basis == RadialBasis::bessel) {
    const int half = radial.centre.columns;
    for (int b = 0; b < functions; b++)
      for (int c = 0; c < n; c++)
        out(b, c) = radial.basis_weight(b, c) *
            (c < half ? radial.centre(centre, c) : radial.neighbour(neighbour, c - half));
  } else {
    const int types = static_cast<int>(std::lround(std::sqrt(radial.spline_weight.rows / n)));
    const int row = (centre * types + neighbour) * n;
    for (int b = 0; b < functions; b++)
      for (int c = 0; c < n; c++) out(b, c) = radial.spline_weight(row + c, b);
  }
  return out;
}

FoldedModel fold(const ModelFile &file)
{
  const int scalars = file.scalars, channels = file.channels, irreps = file.l_max + 1;
  FoldedModel out;
  out.l_max = file.l_max;
  out.types = file.types();
  out.channels = channels;
  out.shifts = file.shifts;
  out.cutoffs = file.cutoffs;
  out.has_zbl = file.has_zbl;
  out.zbl = file.zbl;
  out.edge_scale = file.edge_scale;
  out.layer_norm = file.layer_norm;

  const SplitNetwork readout = split(file.readout);
  std::vector<SplitNetwork> latents;
  for (const Network &latent : file.latents) latents.push_back(split(latent));

  // The scalars s_0 are linear in the scalar network's last hidden layer, and enter every network linearly.
  const Matrix s0 = column_range(file.projection, 0, scalars);
  std::vector<Matrix> columns;
  TwoBodyColumns &at = out.two_body.columns;
  const auto add = [&](Matrix part) {
    const int first = at.count;
    at.count += part.columns;
    columns.push_back(std::move(part));
    return first;
  };
  for (const SplitNetwork &latent : latents)
    at.hidden.push_back(add(product(s0, row_range(latent.first, 0, scalars))));
  at.readout = add(product(s0, row_range(readout.first, 0, scalars)));
  at.environment =
      add(channels_last(column_range(file.projection, scalars, channels * irreps), channels, irreps));
  at.tensor = add(channels_last(file.tensor_weight, channels, irreps));

  const SplitNetwork scalar_network = split(file.scalar_network);
  out.two_body.radial = file.radial;
  out.two_body.outputs = beside(columns);
  if (scalar_network.hidden.linear) {
    out.two_body.outputs = product(scalar_network.first, out.two_body.outputs);
  } else {
    out.two_body.hidden.push_back(scalar_network.first);
    for (const Matrix &matrix : scalar_network.hidden.deeper) out.two_body.hidden.push_back(matrix);
    out.two_body.outputs = product(scalar_network.last, out.two_body.outputs);
  }

  // The scalars s_m+1 are linear in a_m, the last hidden layer of latent m.
  std::vector<Matrix> to_scalars;
  for (int n = 0; n < file.layers; n++) {
    const SplitNetwork &latent = latents[n];
    FoldedLayer layer;
    layer.hidden = latent.hidden;
    layer.product = file.products[n];
    for (int m = 0; m < n; m++)
      layer.from_hidden.push_back(
          product(to_scalars[m], row_range(latent.first, scalars * (m + 1), scalars)));
    layer.from_tensor = row_range(latent.first, scalars * (n + 1), channels);
    to_scalars.push_back(column_range(latent.last, 0, scalars));
    if (n + 1 < file.layers) {
      const Matrix weights =
          channels_last(column_range(latent.last, scalars, channels * irreps), channels, irreps);
      for (int l = 0; l < irreps; l++)
        layer.environment.push_back(column_range(weights, l * channels, channels));
    }
    out.layers.push_back(std::move(layer));
  }
  out.readout = readout.hidden;
  for (int m = 0; m < file.layers; m++)
    out.readout_from_hidden.push_back(
        product(to_scalars[m], row_range(readout.first, scalars * (m + 1), scalars)));
  out.readout_weight = readout.last.numbers;    // one column
  return out;
}

}    // namespace e3d::engine
