/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_TEAM_SCRATCH_H
#define E3D_TEAM_SCRATCH_H

#include "device_model.h"

#include <algorithm>
#include <cstdint>

namespace E3D {

/* Where things lie in the scratch memory of the team that works on a centre, in numbers of `Real`. */

/* One row for each edge. Places are used twice where the second use begins after the last of the first. */

struct EdgeRow {
  int x = 0, y = 0, z = 0, inverse_r = 0, t = 0,
      dt_dr = 0;          // unit vector; place in an interval of the table
  int Y = 0, dY = 0;      // (components)
  int tensor = 0;         // (l, u) weights of x_0
  int a = 0;              // activations of all layers; at the end (l, u) weights of the first environment
  int Z = 0;              // derivatives of first hidden layers; then cotangents of these layers
  int dt = 0;             // (layers, channels) scalars t_n of the layer at hand; then their cotangents
  int deep = 0;           // derivatives of hidden layers behind the first ones
  int way[2] = {0, 0};    // hidden layers on their way
  int energy = 0;
  int f = 0;    // two-body functions without tables; at the end their cotangents
  int basis = 0, d_basis = 0, embedding = 0, exact_a = 0,
      exact_d = 0;    // what they are made of, two_body_exact.h
  int size = 0;       // odd, so that the same place of neighbouring rows is in different banks of a GPU

  static constexpr int PARTIAL_SUMS = 16;    // of a derivative over the two-body functions, in way[0]

  // exact_columns: DeviceModel::exact_columns()
  template <typename Real, class DeviceType>
  static EdgeRow of(const ModelView<Real, DeviceType> &m, int exact_columns)
  {
    EdgeRow row;
    const auto take = [&row](int &place, int count) {
      place = row.size;
      row.size += count;
    };
    const int irreps = m.l_max + 1;
    for (int *place : {&row.x, &row.y, &row.z, &row.inverse_r, &row.t, &row.dt_dr, &row.energy})
      take(*place, 1);
    take(row.Y, m.components);
    take(row.dY, m.components);
    take(row.tensor, irreps * m.channels);
    take(row.a, std::max(m.activations, irreps * m.channels));
    take(row.Z, m.environment_column);
    take(row.dt, m.layers * m.channels);
    take(row.deep, m.deep_columns);
    const int width = std::max(m.network_width, PARTIAL_SUMS);
    take(row.way[0], width);
    if (m.deep_columns > 0) take(row.way[1], width);
    if (m.exact.on) {
      take(row.f, m.columns);
      take(row.basis, m.exact.basis);
      take(row.d_basis, m.exact.basis);
      take(row.embedding, m.exact.width);
      take(row.exact_a, exact_columns);
      take(row.exact_d, exact_columns);
    }
    row.size |= 1;
    return row;
  }
};

/* What there is once for a centre, rows of channels unless said otherwise. chain(n, m) = M_m ... M_n-1 m_n, where m_n is the
   column of scalars of M_n; chain(n, 0) is q_n. */

struct CentreRow {
  int environment = 0;           // (components), and its cotangent
  int B = 0, dB = 0;             // (components, hidden units of a layer)
  int cotangent[2] = {0, 0};     // (largest number of components)
  int slots = 0, d_slots = 0;    // of all layers, at LayerAt::first_slot
  int chains = 0;                // (layers, components of all layers before and of this one)
  int chain_size = 0;            // of one layer
  int size = 0;

  template <typename Real, class DeviceType>
  static CentreRow of(const ModelView<Real, DeviceType> &m, const std::vector<LayerAt> &layers)
  {
    CentreRow row;
    int slots = 0, components = 0, most = m.components, widest = 0;
    for (const LayerAt &layer : layers) {
      slots += layer.product.slots;
      components += layer.product.in;
      most = std::max({most, layer.product.in, layer.product.out});
      widest = std::max(widest, layer.hidden.last_width);
    }
    const auto take = [&row](int &place, int count) {
      place = row.size;
      row.size += count;
    };
    take(row.environment, m.components * m.channels);
    take(row.B, m.components * widest);
    take(row.dB, m.components * widest);
    for (int &place : row.cotangent) take(place, most * m.channels);
    take(row.slots, slots * m.channels);
    take(row.d_slots, slots * m.channels);
    row.chain_size = components * m.channels;
    take(row.chains, m.layers * row.chain_size);
    return row;
  }
};

}    // namespace E3D

#endif
