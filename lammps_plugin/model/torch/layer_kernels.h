/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_LAYER_KERNELS_H
#define E3D_LAYER_KERNELS_H

#include <cstdint>

/* The two sums of an Allegro layer that couple the edges of a centre, and their derivatives, for
   centres c0 to c1 - 1. Edges are sorted by centre: those of centre c are first[c] to first[c+1] - 1.
   The channel u is the last index of every array that has one, so that every inner loop is a vector.

   Knows neither torch nor LAMMPS; compiled once for each instruction set (layer_kernels.cpp). */

namespace E3D {

/* environment[c,i,u] = sum_e basis[e,i] weight[e,r(i),u], with irrep r at components irrep[r] to
   irrep[r+1] - 1 of the basis (spherical harmonics). */

struct EnvironmentShape {
  int64_t channels, components, irreps;
  const int64_t *irrep;    // (irreps + 1)
};

/* product[e,k,u] = sum_i edge[e,i,u] M[c,i,k,u] with M[c,i,k,u] = sum_j environment[c,j,u] W[i,j,k,u]: the
   tensor product of Allegro, contracted with its centre first. W has num_terms entries that are not zero. */

struct ProductShape {
  int64_t channels, in, environment, out;    // channels; components i, j, k
  int64_t num_terms;
  const int64_t *term;    // (num_terms, 3): i, j, k
};

template <typename Real> struct LayerKernels {
  void (*environment)(const EnvironmentShape &, int64_t c0, int64_t c1, const int64_t *first,
                      const Real *basis, const Real *weight, Real *environment);
  void (*environment_backward)(const EnvironmentShape &, int64_t c0, int64_t c1, const int64_t *first,
                               const Real *d_environment, const Real *basis, const Real *weight,
                               Real *d_basis, Real *d_weight);
  // w: (num_terms, channels); scratch: in * out * channels for product, twice that for its derivative
  void (*product)(const ProductShape &, int64_t c0, int64_t c1, const int64_t *first, const Real *edge,
                  const Real *environment, const Real *w, Real *scratch, Real *product);
  void (*product_backward)(const ProductShape &, int64_t c0, int64_t c1, const int64_t *first,
                           const Real *d_product, const Real *edge, const Real *environment, const Real *w,
                           Real *scratch, Real *d_edge, Real *d_environment);
  // the sums over edges in the derivatives of product; adds to d_w (num_terms, channels); scratch: in * out * channels
  void (*product_sums)(const ProductShape &, int64_t c0, int64_t c1, const int64_t *first, const Real *edge,
                       const Real *d_product, const Real *environment, const Real *w, Real *scratch,
                       Real *d_environment, Real *d_w);
};

/* The kernels for the processor at hand; Real is float or double. */

template <typename Real> const LayerKernels<Real> &layer_kernels();

}    // namespace E3D

/* The instruction set that they use: baseline, avx2 or avx512. */

extern "C" const char *e3d_layer_instructions();

#endif
