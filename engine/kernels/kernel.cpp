// The kernels of one instruction set. CMake compiles this file once for each, with E3D_ISA as the name of its
// namespace.
#include "backward.h"

namespace e3d::engine::E3D_ISA {

namespace {

  template <typename Real>
  Workspace<Real> workspace(const PackedModel<Real> &m, const KernelScratch &scratch, int slot)
  {
    Workspace<Real> w;
    lay_out(m, scratch.edges, scratch.centres, slot, scratch.memory, w);
    return w;
  }

  template <int l_max, typename Real>
  KernelReport select_with(const PackedModel<Real> &m, const CentreBatch &batch, const KernelScratch &scratch,
                           int slot, std::uint64_t *ticks)
  {
    const Workspace<Real> w = workspace(m, scratch, slot);
    Clock clock(ticks);
    const KernelReport report = select_edges<Real>(m, batch, w);
    if (report.fault == EdgeFault::none) geometry<l_max, Real>(m, batch, w, w.stride);
    clock(section_geometry);
    return report;
  }

  template <int l_max, typename Real>
  void run_with(const PackedModel<Real> &m, const CentreBatch &batch, const KernelScratch &scratch, int slot,
                bool has_next, std::uint64_t *ticks)
  {
    const Workspace<Real> w = workspace(m, scratch, slot);
    Prefetch prefetch(reinterpret_cast<const void *const *>(w.next.interval),
                      m.table && has_next ? static_cast<long>(*w.next.count) : 0,
                      6 * m.columns * static_cast<long>(sizeof(Real)));
    const Pass<Real> pass{m, batch, w, prefetch, static_cast<long>(*w.count)};
    Clock clock(ticks);
    if (m.table)
      interpolate(m, w, pass.edges);
    else
      evaluate_exactly(m, w, pass.edges, prefetch);
    clock(section_two_body);
    forward<l_max>(pass, clock);
    readout(pass);
    clock(section_readout);
    if (batch.edge_force) {
      layers_back<l_max>(pass, clock);
      weights_back<l_max>(pass);
      if (!m.table) derive_exactly(m, w, pass.edges, prefetch);
      clock(section_two_body_back);
    }
    hand_out<l_max>(pass);
    clock(section_forces);
  }

  template <typename Real>
  KernelReport select(const PackedModel<Real> &m, const CentreBatch &batch, const KernelScratch &scratch,
                      int slot, std::uint64_t *ticks)
  {
    switch (m.l_max) {
      case 0: return select_with<0>(m, batch, scratch, slot, ticks);
      case 1: return select_with<1>(m, batch, scratch, slot, ticks);
      case 2: return select_with<2>(m, batch, scratch, slot, ticks);
      default: return select_with<3>(m, batch, scratch, slot, ticks);
    }
  }

  template <typename Real>
  void run(const PackedModel<Real> &m, const CentreBatch &batch, const KernelScratch &scratch, int slot,
           bool has_next, std::uint64_t *ticks)
  {
    switch (m.l_max) {
      case 0: return run_with<0>(m, batch, scratch, slot, has_next, ticks);
      case 1: return run_with<1>(m, batch, scratch, slot, has_next, ticks);
      case 2: return run_with<2>(m, batch, scratch, slot, has_next, ticks);
      default: return run_with<3>(m, batch, scratch, slot, has_next, ticks);
    }
  }

  template <typename Real>
  std::int64_t scratch_size(const PackedModel<Real> &m, std::int64_t edges, std::int64_t centres)
  {
    Workspace<Real> w;
    return lay_out(m, edges, centres, 0, nullptr, w);
  }

  template <typename Real> constexpr Kernel<Real> kernel()
  {
    return {lanes<Real>, tile_vectors, scratch_size<Real>, select<Real>, run<Real>};
  }

}    // namespace

#define E3D_TEXT2(x) #x
#define E3D_TEXT(x) E3D_TEXT2(x)
extern const KernelSet kernels;
const KernelSet kernels = {E3D_TEXT(E3D_ISA), kernel<float>(), kernel<double>()};

}    // namespace e3d::engine::E3D_ISA
