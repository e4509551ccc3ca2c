// A model file of the format e3d-weights/1: the architecture of an Allegro model and its weights, as they
// were trained. docs/engine.md defines the format. Whatever is read has been checked: shapes fit, numbers are
// finite, indices are in range.
#ifndef E3D_ENGINE_MODEL_FILE_H
#define E3D_ENGINE_MODEL_FILE_H

#include "matrix.h"

#include <map>
#include <string>
#include <vector>

namespace e3d::engine {

struct Safetensors;

// A network without biases: matrices with SiLU between them, or with nothing (`linear`).
struct Network {
  std::vector<Matrix> matrices;    // gains multiplied in
  bool linear = false;
};

enum class RadialBasis { bessel, spline };

// From the length of an edge and its two types to the input of the scalar network.
struct RadialEmbedding {
  RadialBasis basis = RadialBasis::bessel;
  std::vector<double> roots;    // bessel: n of sin(n pi x) / (pi x)
  double cutoff_power = 6;      // bessel: p of the polynomial cutoff
  int splines = 0, span = 0;    // spline
  Matrix basis_weight;          // bessel: (functions, width)
  Matrix centre, neighbour;     // bessel: (types, width / 2), the halves of the factor of a pair of types
  Matrix spline_weight;         // spline: (types * types * width, functions)
};

// out[k] = sum over paths p and terms of p: weight[u, p] value x[u, i] environment[u, j]
struct ProductTerm {
  int path, i, j, k;
  double value;
};

struct TensorProduct {
  int in = 0, environment = 0, out = 0;    // components
  Matrix path_weight;                      // (paths, channels)
  std::vector<ProductTerm> terms;
};

struct Zbl {
  std::vector<double> charge;    // (types) nuclear charges
  double prefactor = 0;          // eV angstrom, half of it on each directed edge: already halved
  double cutoff_power = 6;
};

struct ModelFile {
  std::string origin;
  std::map<std::string, std::string> metadata;    // all strings of the file

  std::vector<std::string> type_names, type_elements;
  double r_max = 0;
  std::vector<double> cutoffs;           // (types * types) angstrom, row: centre
  std::vector<double> shifts, scales;    // (types) eV; 1
  std::string decomposition, model_dtype;

  int l_max = 0, layers = 0, scalars = 0, channels = 0;
  RadialEmbedding radial;
  Network scalar_network;    // radial.width -> scalars
  Matrix projection;         // (scalars, scalars + channels * (l_max + 1)), columns (u, l) behind the scalars
  Matrix tensor_weight;      // (scalars, channels * (l_max + 1)), columns (u, l)
  std::vector<double> layer_norm;         // (types) 1 / sqrt(average number of neighbours)
  std::vector<double> edge_scale;         // (types) eV, energy of an edge per unit of the readout
  std::vector<TensorProduct> products;    // (layers)
  std::vector<Network> latents;           // (layers)
  Network readout;
  bool has_zbl = false;
  Zbl zbl;

  int types() const { return static_cast<int>(type_names.size()); }
  int components() const { return (l_max + 1) * (l_max + 1); }
};

// Throws Error.
ModelFile read_model_file(const Safetensors &file);

}    // namespace e3d::engine

#endif
