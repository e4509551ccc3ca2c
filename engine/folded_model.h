// An Allegro model with everything multiplied out that can be, before any edge is seen. docs/engine.md
// derives it.
//
// Plain data in double precision, no vectors of a processor in it: this is what the kernels of every
// instruction set pack for themselves, and what a device would be given. Letters: e an edge, u a channel, h a
// hidden unit, l an irrep of the spherical harmonics, i, j, k components; n a layer, counted from 0.
#ifndef E3D_ENGINE_FOLDED_MODEL_H
#define E3D_ENGINE_FOLDED_MODEL_H

#include "matrix.h"
#include "model_file.h"

#include <string>
#include <vector>

namespace e3d::engine {

// A network behind its first matrix: activation, then for each further matrix a product and an activation.
struct HiddenLayers {
  bool linear = false;           // no activation: a = h
  int width = 0;                 // of the first hidden layer
  std::vector<Matrix> deeper;    // (width, width), (width, width), ...

  int last_width() const { return deeper.empty() ? width : deeper.back().columns; }
};

// Columns of the two-body functions: everything in a model that depends on r and the two types of an edge
// only.
struct TwoBodyColumns {
  std::vector<int> hidden;    // (layers) first column of what enters the hidden layer of each layer
  int readout = 0;            // likewise of the readout
  int environment = 0;        // column (l, u): weights of the environment of layer 0
  int tensor = 0;             // column (l, u): weights of x_0
  int count = 0;
};

// f(r, types) = act(... act(y S_0) S_1 ...) outputs, y[c] = sum_b basis_b(r) pair_weight[b, c]
struct TwoBody {
  RadialEmbedding radial;
  std::vector<Matrix> hidden;    // each followed by SiLU
  Matrix outputs;                // (last width, columns.count)
  TwoBodyColumns columns;

  int basis_functions() const;
  int width() const;                                      // of y
  Matrix pair_weight(int centre, int neighbour) const;    // (basis_functions, width)
};

struct FoldedLayer {
  HiddenLayers hidden;                // h_n = f_n(r) + sum_m<n a_m from_hidden[m] + t_n from_tensor
  std::vector<Matrix> from_hidden;    // (layers before n)
  Matrix from_tensor;                 // (channels, hidden.width)
  TensorProduct product;
  std::vector<Matrix>
      environment;    // (l) (last hidden width, channels): environment of layer n+1; none in the last layer
};

struct FoldedModel {
  int l_max = 0, types = 0, channels = 0;
  TwoBody two_body;
  std::vector<FoldedLayer> layers;
  HiddenLayers readout;
  std::vector<Matrix> readout_from_hidden;    // (layers)
  std::vector<double> readout_weight;         // (readout.last_width())
  std::vector<double> edge_scale;             // (types) eV: energy of an edge per unit of the readout
  std::vector<double> layer_norm;             // (types) of the environments
  std::vector<double> shifts;                 // (types) eV
  std::vector<double> cutoffs;                // (types * types) angstrom, row: centre
  bool has_zbl = false;
  Zbl zbl;

  int components() const { return (l_max + 1) * (l_max + 1); }
  double cutoff(int centre, int neighbour) const
  {
    return cutoffs[static_cast<std::size_t>(centre) * types + neighbour];
  }
};

FoldedModel fold(const ModelFile &file);

}    // namespace e3d::engine

#endif
