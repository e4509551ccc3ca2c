// An Allegro model computed as its papers write it down (Musaelian et al., Nat. Commun. 14, 579 (2023);
// nequip-allegro 0.8): a tensor for every edge and layer, from the weights of the file and nothing that the
// engine derives from them. With dual numbers it gives derivatives, too.
#ifndef E3D_TESTS_TEXTBOOK_H
#define E3D_TESTS_TEXTBOOK_H

#include "model_file.h"

#include <cmath>
#include <vector>

struct Dual {
  double value = 0, slope = 0;
  Dual(double v = 0, double s = 0) : value(v), slope(s) {}    // NOLINT: numbers become duals
};
inline Dual operator+(Dual a, Dual b)
{
  return {a.value + b.value, a.slope + b.slope};
}
inline Dual operator-(Dual a, Dual b)
{
  return {a.value - b.value, a.slope - b.slope};
}
inline Dual operator*(Dual a, Dual b)
{
  return {a.value * b.value, a.slope * b.value + a.value * b.slope};
}
inline Dual operator/(Dual a, Dual b)
{
  return {a.value / b.value, (a.slope * b.value - a.value * b.slope) / (b.value * b.value)};
}
inline Dual sqrt(Dual a)
{
  return {std::sqrt(a.value), a.slope / (2.0 * std::sqrt(a.value))};
}
inline Dual exp(Dual a)
{
  return {std::exp(a.value), a.slope * std::exp(a.value)};
}
inline Dual sin(Dual a)
{
  return {std::sin(a.value), a.slope * std::cos(a.value)};
}
inline Dual cos(Dual a)
{
  return {std::cos(a.value), -a.slope * std::sin(a.value)};
}
inline Dual pow(Dual a, double p)
{
  return {std::pow(a.value, p), a.slope * p * std::pow(a.value, p - 1.0)};
}
inline double value_of(Dual a)
{
  return a.value;
}

class Textbook {
 public:
  explicit Textbook(const e3d::engine::ModelFile &file) : m_(file) {}

  // Energies of the edges of one centre.
  std::vector<Dual> edge_energies(int centre_type, const std::vector<int> &neighbour_type,
                                  const std::vector<std::vector<Dual>> &vectors) const
  {
    using Row = std::vector<Dual>;
    const int edges = static_cast<int>(vectors.size()), U = m_.channels, R = m_.l_max + 1, J = R * R;
    std::vector<Dual> energy(edges, 0.0);
    std::vector<Row> Y(edges), s0(edges), env_weight(edges);
    std::vector<std::vector<Row>> x(edges, std::vector<Row>(U, Row(J)));
    std::vector<bool> within(edges);
    std::vector<Dual> r(edges);
    for (int e = 0; e < edges; e++) {
      const auto &v = vectors[e];
      r[e] = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
      const int pair = centre_type * m_.types() + neighbour_type[e];
      within[e] = value_of(r[e]) < m_.cutoffs[pair];
      if (!within[e]) continue;
      Y[e] = harmonics(v[0] / r[e], v[1] / r[e], v[2] / r[e]);
      const Row scalars =
          network(m_.scalar_network, embedding(centre_type, neighbour_type[e], r[e] / m_.cutoffs[pair]));
      const Row projected = times(scalars, m_.projection), weight = times(scalars, m_.tensor_weight);
      s0[e].assign(projected.begin(), projected.begin() + m_.scalars);
      env_weight[e].assign(projected.begin() + m_.scalars, projected.end());
      for (int u = 0; u < U; u++)
        for (int j = 0; j < J; j++) x[e][u][j] = weight[u * R + order(j)] * Y[e][j];
    }
    std::vector<Row> scalars = s0;
    for (int n = 0; n < m_.layers; n++) {
      std::vector<Row> environment(U, Row(J, 0.0));
      for (int e = 0; e < edges; e++)
        for (int u = 0; u < U && within[e]; u++)
          for (int j = 0; j < J; j++)
            environment[u][j] = environment[u][j] +
                Dual(m_.layer_norm[centre_type]) * env_weight[e][u * R + order(j)] * Y[e][j];
      for (int e = 0; e < edges; e++) {
        if (!within[e]) continue;
        const auto &product = m_.products[n];
        Row in = scalars[e];
        for (int u = 0; u < U; u++) {
          Row out(product.out, 0.0);
          for (const auto &t : product.terms)
            out[t.k] = out[t.k] +
                Dual(product.path_weight(t.path, u) * t.value) * x[e][u][t.i] * environment[u][t.j];
          x[e][u] = out;
          in.push_back(out[0]);
        }
        const Row latent = network(m_.latents[n], in);
        scalars[e].insert(scalars[e].end(), latent.begin(), latent.begin() + m_.scalars);
        env_weight[e].assign(latent.begin() + m_.scalars, latent.end());
      }
    }
    for (int e = 0; e < edges; e++) {
      if (!within[e]) continue;
      energy[e] = network(m_.readout, scalars[e])[0] * Dual(m_.edge_scale[centre_type]);
      if (m_.has_zbl)
        energy[e] = energy[e] +
            zbl(m_.zbl.charge[centre_type], m_.zbl.charge[neighbour_type[e]], r[e],
                m_.cutoffs[centre_type * m_.types() + neighbour_type[e]]);
    }
    return energy;
  }

 private:
  const e3d::engine::ModelFile &m_;

  static int order(int j) { return static_cast<int>(std::sqrt(static_cast<double>(j))); }

  static std::vector<Dual> times(const std::vector<Dual> &row, const e3d::engine::Matrix &a)
  {
    std::vector<Dual> out(a.columns, 0.0);
    for (int i = 0; i < a.rows; i++)
      for (int j = 0; j < a.columns; j++) out[j] = out[j] + row[i] * Dual(a(i, j));
    return out;
  }

  static std::vector<Dual> network(const e3d::engine::Network &network, std::vector<Dual> row)
  {
    for (std::size_t k = 0; k < network.matrices.size(); k++) {
      row = times(row, network.matrices[k]);
      if (k + 1 < network.matrices.size() && !network.linear)
        for (Dual &x : row) x = x / (Dual(1.0) + exp(Dual(0.0) - x));
    }
    return row;
  }

  static Dual cutoff(Dual x, double p)
  {
    return Dual(1.0) - Dual((p + 1.0) * (p + 2.0) / 2.0) * pow(x, p) + Dual(p * (p + 2.0)) * pow(x, p + 1.0) -
        Dual(p * (p + 1.0) / 2.0) * pow(x, p + 2.0);
  }

  std::vector<Dual> embedding(int centre, int neighbour, Dual x) const
  {
    const auto &radial = m_.radial;
    const double pi = std::acos(-1.0);
    std::vector<Dual> out;
    if (radial.basis == e3d::engine::RadialBasis::bessel) {
      std::vector<Dual> basis;
      for (double w : radial.roots)
        basis.push_back(sin(Dual(pi * w) * x) / (Dual(pi) * x) * cutoff(x, radial.cutoff_power));
      out = times(basis, radial.basis_weight);
      const std::size_t half = out.size() / 2;
      for (std::size_t c = 0; c < out.size(); c++)
        out[c] = out[c] *
            Dual(c < half ? radial.centre(centre, static_cast<int>(c))
                          : radial.neighbour(neighbour, static_cast<int>(c - half)));
      return out;
    }
    const double width = (radial.span + 1.0) / radial.splines;
    const int channels = radial.spline_weight.rows / (m_.types() * m_.types());
    out.assign(channels, 0.0);
    for (int b = 0; b < radial.splines; b++) {
      const double lower = static_cast<double>(b - radial.span) / radial.splines;
      if (value_of(x) <= lower || value_of(x) >= lower + width) continue;
      const Dual rise = Dual(1.0) - cos(Dual(2.0 * pi / width) * (x - Dual(lower)));
      for (int c = 0; c < channels; c++)
        out[c] = out[c] +
            Dual(0.25 * radial.spline_weight((centre * m_.types() + neighbour) * channels + c, b)) * rise *
                rise;
    }
    return out;
  }

  std::vector<Dual> harmonics(Dual x, Dual y, Dual z) const
  {
    const Dual s3 = std::sqrt(3.0), s5 = std::sqrt(5.0), s7 = std::sqrt(7.0), s15 = std::sqrt(15.0);
    std::vector<Dual> Y = {1.0};
    if (m_.l_max >= 1) Y.insert(Y.end(), {s3 * x, s3 * y, s3 * z});
    if (m_.l_max < 2) return Y;
    const Dual xz = x * x + z * z, a = s15 * x * z, b = s15 * Dual(0.5) * (z * z - x * x);
    Y.insert(Y.end(), {a, s15 * x * y, s5 * (y * y - Dual(0.5) * xz), s15 * y * z, b});
    if (m_.l_max < 3) return Y;
    const Dual c = std::sqrt(42.0) / 6.0, d = std::sqrt(168.0) / 8.0, four = Dual(4.0) * y * y - xz;
    Y.insert(Y.end(),
             {c * (a * z + b * x), s7 * a * y, d * four * x,
              Dual(0.5) * s7 * y * (Dual(2.0) * y * y - Dual(3.0) * xz), d * z * four, s7 * b * y,
              c * (b * z - a * x)});
    return Y;
  }

  Dual zbl(double zi, double zj, Dual r, double range) const
  {
    const double weight[4] = {0.02817, 0.28022, 0.50986, 0.18175},
                 decay[4] = {0.20162, 0.40290, 0.94229, 3.19980};
    const double length = 0.46850 / (std::pow(zi, 0.23) + std::pow(zj, 0.23));
    Dual screening = 0.0;
    for (int k = 0; k < 4; k++) screening = screening + Dual(weight[k]) * exp(Dual(-decay[k] / length) * r);
    return Dual(m_.zbl.prefactor * zi * zj) / r * screening * cutoff(r / Dual(range), m_.zbl.cutoff_power);
  }
};

#endif
