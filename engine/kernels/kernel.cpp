// The kernels of one instruction set. CMake compiles this file once for each, with E3D_ISA as the name of its namespace.
#include "backward.h"

namespace e3d::engine::E3D_ISA {

namespace {

template <int l_max, typename Real>
KernelReport run_with(const PackedModel<Real> &m, const CentreBatch &batch, Real *scratch, std::int64_t capacity,
                      std::uint64_t *ticks)
{
  Workspace<Real> w;
  lay_out(m, capacity, batch.centres, reinterpret_cast<unsigned char *>(scratch), w);
  Pass<Real> pass{m, batch, w};
  Clock clock(ticks);
  const KernelReport report = select_edges(pass);
  if (report.fault != EdgeFault::none) return report;
  geometry<l_max>(pass);
  clock(section_geometry);
  if (m.table)
    interpolate(m, w, pass.edges);
  else
    evaluate_exactly(m, w, pass.edges);
  clock(section_two_body);
  forward<l_max>(pass, clock);
  readout(pass);
  clock(section_readout);
  if (batch.edge_force) {
    layers_back<l_max>(pass, clock);
    weights_back<l_max>(pass);
    clock(section_two_body_back);
    if (!m.table) derive_exactly(m, w, pass.edges);
    clock(section_two_body_back);
  }
  hand_out<l_max>(pass);
  clock(section_forces);
  return report;
}

template <typename Real>
KernelReport run(const PackedModel<Real> &m, const CentreBatch &batch, Real *scratch, std::int64_t capacity, std::uint64_t *ticks)
{
  switch (m.l_max) {
    case 0: return run_with<0>(m, batch, scratch, capacity, ticks);
    case 1: return run_with<1>(m, batch, scratch, capacity, ticks);
    case 2: return run_with<2>(m, batch, scratch, capacity, ticks);
    default: return run_with<3>(m, batch, scratch, capacity, ticks);
  }
}

template <typename Real> std::int64_t scratch_size(const PackedModel<Real> &m, std::int64_t edges, std::int64_t centres)
{
  Workspace<Real> w;
  return (lay_out(m, edges, centres, nullptr, w) + static_cast<std::int64_t>(sizeof(Real)) - 1) /
      static_cast<std::int64_t>(sizeof(Real));
}

template <typename Real> constexpr Kernel<Real> kernel() { return {lanes<Real>, tile_vectors, scratch_size<Real>, run<Real>}; }

}    // namespace

#define E3D_TEXT2(x) #x
#define E3D_TEXT(x) E3D_TEXT2(x)
extern const KernelSet kernels;
const KernelSet kernels = {E3D_TEXT(E3D_ISA), kernel<float>(), kernel<double>()};

}    // namespace e3d::engine::E3D_ISA
