// The scratch memory of a kernel, laid out for at most so many edges and centres. Rows are padded to whole
// vectors.
#ifndef E3D_ENGINE_WORKSPACE_H
#define E3D_ENGINE_WORKSPACE_H

#include "packed_model.h"
#include "simd.h"

namespace e3d::engine::E3D_ISA {

// Per centre, (.., channels) each.
template <typename Real> struct CentreArrays {
  Real *M[max_layers];    // entries of the products of all layers
  Real *d_M[max_layers];
  Real *chain[max_layers][max_layers];    // [n][m]: M_m ... M_n-1 m_n; [n][0] is q_n
  Real *d_environment;                    // (components) of layer 0
  Real *d_B[max_layers];    // (components, hidden width) [n]: of the sum over a_n in the next environment
};

// The edges of a batch within their cutoffs; there are two of these, so that the next batch is known while
// one is worked on.
template <typename Real> struct EdgeArrays {
  std::int64_t *count = nullptr;                            // (1) number of edges
  double *r = nullptr, *zbl = nullptr, *d_zbl = nullptr;    // (edges)
  std::int32_t *source = nullptr, *pair = nullptr;          // (edges) place in the batch; pair of types
  std::int32_t *begin = nullptr;                            // (centres + 1) first edge of each centre
  Real *x = nullptr, *y = nullptr, *z = nullptr, *inverse_r = nullptr;    // (edges)
  Real *t = nullptr, *dt_dr = nullptr;    // (edges) place in an interval of the table
  const Real **interval = nullptr;        // (edges)
  Real *Y = nullptr;                      // (components, edges)
};

template <typename Real> struct Workspace : EdgeArrays<Real> {
  EdgeArrays<Real> next;
  long stride = 0;          // of arrays (component, edge)
  int cotangents = 0;       // columns of Z
  int network_width = 0;    // widest hidden layer behind a first one

  Real *dY = nullptr;                       // (components, edges)
  Real *dr = nullptr, *energy = nullptr;    // (edges)

  Real *f = nullptr, *df = nullptr;    // (edges, columns) two-body functions, derivatives (tables only)
  Real *Z = nullptr;                   // (edges, cotangents) of the two-body functions
  Real *a = nullptr, *da = nullptr;    // (edges, activations) last hidden layers, and their derivatives
  Real *t_n = nullptr;                 // (edges, channels) scalars of the layer at hand
  Real *d_t = nullptr;                 // (edges, layers * channels) cotangents of the scalars
  Real *first = nullptr, *second = nullptr;    // (edges, network_width) hidden layers on their way
  Real *deep = nullptr;                        // (edges, ...) derivatives of hidden layers before the last
  int deep_columns = 0;

  Real *basis = nullptr, *d_basis = nullptr;    // exact: (edges, basis) values, derivatives with respect to r
  Real *embedding = nullptr;                    // exact: (edges, radial_width)
  Real *hidden = nullptr, *d_hidden = nullptr;    // exact: (edges, two_body_width_sum)

  Real *environment = nullptr, *slots = nullptr, *B = nullptr;    // one centre at a time
  Real *cotangent[2] = {nullptr, nullptr};                        // (largest number of components, channels)
  Real *centres = nullptr;                                        // (centres, centre_size)
  long centre_size = 0;

  CentreArrays<Real> centre(const PackedModel<Real> &m, long c) const;
};

// Hands out pieces of memory, or only counts them.
struct Pieces {
  unsigned char *base;
  std::int64_t used = 0;

  template <typename T> void take(T *&pointer, std::int64_t count)
  {
    pointer = base ? reinterpret_cast<T *>(base + used) : nullptr;
    used += (count * static_cast<std::int64_t>(sizeof(T)) + 127) / 64 * 64;
  }
};

E3D_INLINE int components_of(int l_max)
{
  return (l_max + 1) * (l_max + 1);
}

template <typename Real> static long size_of_centre(const PackedModel<Real> &m)
{
  long rows = components_of(m.l_max);
  for (int n = 0; n < m.layers; n++) {
    rows += 2 * m.layer[n].product.entries;
    for (int k = 0; k <= n; k++) rows += m.layer[k].product.in;
  }
  long size = rows * m.channels;
  for (int n = 0; n + 1 < m.layers; n++)
    size += static_cast<long>(components_of(m.l_max)) * m.layer[n].hidden.shape.width;
  return size;
}

template <typename Real> CentreArrays<Real> Workspace<Real>::centre(const PackedModel<Real> &m, long c) const
{
  CentreArrays<Real> out;
  Real *at = centres + c * centre_size;
  const auto take = [&](long rows, long columns) {
    Real *piece = at;
    at += rows * columns;
    return piece;
  };
  out.d_environment = take(components_of(m.l_max), m.channels);
  for (int n = 0; n < m.layers; n++) {
    out.M[n] = take(m.layer[n].product.entries, m.channels);
    out.d_M[n] = take(m.layer[n].product.entries, m.channels);
    for (int k = 0; k <= n; k++) out.chain[n][k] = take(m.layer[k].product.in, m.channels);
    out.d_B[n] = n + 1 < m.layers ? take(components_of(m.l_max), m.layer[n].hidden.shape.width) : nullptr;
  }
  return out;
}

// Bytes that are used; `base` may be null. `slot`, 0 or 1: which of the two sets of edges is worked on.
template <typename Real>
static std::int64_t lay_out(const PackedModel<Real> &m, std::int64_t edges, std::int64_t centres, int slot,
                            unsigned char *base, Workspace<Real> &w)
{
  const int J = components_of(m.l_max);
  const bool tables = m.table != nullptr;
  // Not a multiple of a page: rows of (component, edge) arrays would share their places in the first cache.
  w.stride = (edges + 15) / 16 * 16 + 16;
  w.cotangents = tables ? m.environment_column : m.columns;
  w.centre_size = size_of_centre(m);
  w.network_width = 0;
  w.deep_columns = 0;
  int widest = 0, most_slots = 0, most_components = J;
  const auto network = [&](const HiddenShape &shape) {
    widest = widest < shape.width ? shape.width : widest;
    if (shape.matrices) w.network_width = w.network_width < shape.width ? shape.width : w.network_width;
    w.deep_columns += shape.matrices * shape.width;
  };
  for (int n = 0; n < m.layers; n++) {
    const PackedProduct<Real> &p = m.layer[n].product;
    network(m.layer[n].hidden.shape);
    most_slots = most_slots < p.slots ? p.slots : most_slots;
    most_components = most_components < p.in ? p.in : most_components;
    most_components = most_components < p.out ? p.out : most_components;
  }
  network(m.readout.shape);
  w.network_width = w.network_width < m.readout.shape.width ? m.readout.shape.width : w.network_width;

  Pieces pieces{base};
  const std::int64_t n = w.stride;
  for (int k = 0; k < 2; k++) {
    EdgeArrays<Real> &e = k == slot ? static_cast<EdgeArrays<Real> &>(w) : w.next;
    pieces.take(e.count, 1);
    pieces.take(e.r, n);
    pieces.take(e.zbl, m.zbl_charge ? n : 0);
    pieces.take(e.d_zbl, m.zbl_charge ? n : 0);
    pieces.take(e.source, n);
    pieces.take(e.pair, n);
    pieces.take(e.begin, centres + 1);
    Real **const per_edge[] = {&e.x, &e.y, &e.z, &e.inverse_r, &e.t, &e.dt_dr};
    for (Real **p : per_edge) pieces.take(*p, n);
    pieces.take(e.interval, n);
    pieces.take(e.Y, J * n);
  }
  pieces.take(w.dY, J * n);
  pieces.take(w.dr, n);
  pieces.take(w.energy, n);
  pieces.take(w.f, n * m.columns);
  if (tables) pieces.take(w.df, n * m.columns);
  pieces.take(w.Z, n * w.cotangents);
  pieces.take(w.a, n * m.activations);
  pieces.take(w.da, n * m.activations);
  pieces.take(w.t_n, n * m.channels);
  pieces.take(w.d_t, n * m.layers * m.channels);
  pieces.take(w.first, n * w.network_width);
  pieces.take(w.second, n * w.network_width);
  pieces.take(w.deep, n * w.deep_columns);
  if (!tables) {
    pieces.take(w.basis, n * m.basis);
    pieces.take(w.d_basis, n * m.basis);
    pieces.take(w.embedding, n * m.radial_width);
    pieces.take(w.hidden, n * m.two_body_width_sum);
    pieces.take(w.d_hidden, n * m.two_body_width_sum);
  }
  pieces.take(w.environment, J * m.channels);
  pieces.take(w.slots, static_cast<std::int64_t>(most_slots) * m.channels);
  pieces.take(w.B, J * widest);
  for (Real *&p : w.cotangent) pieces.take(p, static_cast<std::int64_t>(most_components) * m.channels);
  pieces.take(w.centres, centres * w.centre_size);
  return pieces.used;
}

}    // namespace e3d::engine::E3D_ISA

#endif
