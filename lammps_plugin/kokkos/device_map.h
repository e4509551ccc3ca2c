/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_DEVICE_MAP_H
#define E3D_DEVICE_MAP_H

#include "bonds/energy_map.h"
#include "device_bonds.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace E3D {

/* Weights of bins by label and bin: a table with open addressing, as SparseBins on the host. */

template <class DeviceType> struct DeviceBins {
  static constexpr int BITS = 26, MOST_LABELS = (1 << 12) - 1;    // of a key: bin of D, bin of A, label
  static constexpr double LIMIT = 1 << (BITS - 1);
  static constexpr uint64_t FREE = ~UINT64_C(0);    // no label has it

  double width = 1.0;
  Kokkos::View<uint64_t *, DeviceType> key;      // (slots) a power of two
  Kokkos::View<int64_t *, DeviceType> halves;    // (slots) weights in halves of a pair

  KOKKOS_INLINE_FUNCTION int64_t slots() const { return static_cast<int64_t>(key.extent(0)); }

  // whether a pair has bins that a key holds; false for what is not a number
  KOKKOS_INLINE_FUNCTION bool holds(double D, double A) const
  {
    const double most = width * (LIMIT - 1.0);
    return Kokkos::abs(D) < most && Kokkos::abs(A) < most;
  }

  // there must be a free slot
  KOKKOS_INLINE_FUNCTION void add(uint64_t wanted, int64_t weight) const
  {
    int64_t s = static_cast<int64_t>(wanted * UINT64_C(0x9E3779B97F4A7C15) >> 24) & (slots() - 1);
    for (;; s = (s + 1) & (slots() - 1)) {
      const uint64_t there = Kokkos::atomic_compare_exchange(&key(s), FREE, wanted);
      if (there != FREE && there != wanted) continue;
      Kokkos::atomic_add(&halves(s), weight);
      return;
    }
  }

  // the bin is that of EnergyMap::add
  KOKKOS_INLINE_FUNCTION void add(int row, double D, double A, int64_t weight) const
  {
    const auto d = static_cast<uint64_t>(Kokkos::floor(D / width) + LIMIT),
               a = static_cast<uint64_t>(Kokkos::floor(A / width) + LIMIT);
    add((static_cast<uint64_t>(row) << BITS | d) << BITS | a, weight);
  }
  static int row_of(uint64_t key) { return static_cast<int>(key >> 2 * BITS); }
  static int64_t code_of(uint64_t key)    // of EnergyMap
  {
    constexpr uint64_t mask = (UINT64_C(1) << BITS) - 1;
    constexpr auto half = static_cast<int64_t>(LIMIT);
    return EnergyMap::bin_code(static_cast<int64_t>(key >> BITS & mask) - half,
                               static_cast<int64_t>(key & mask) - half);
  }
};

/* D-A maps of several labels that grow on the device. The sums of each sample come to the host, bins when they are asked for. */

template <class DeviceType> class DeviceMap {
 public:
  using Range = Kokkos::RangePolicy<DeviceType>;
  using Range64 = Kokkos::RangePolicy<DeviceType, Kokkos::IndexType<int64_t>>;
  using Bins = DeviceBins<DeviceType>;

  // of `like`: whether the label of a row is of like elements; row_of_label: PairLabels::NONE where it is left out
  DeviceMap(double width, const std::vector<char> &like, const std::vector<int> &row_of_label) :
      rows_(static_cast<int>(like.size())), parts_(like.size()),
      like_(on_device<DeviceType>("e3d:like", like)), row_(on_device<DeviceType>("e3d:map_row", row_of_label))
  {
    bins_.width = width;
    if (rows_ > Bins::MOST_LABELS)
      throw std::runtime_error("more pairs of elements than a map on a device has");
  }

  /* Takes in the pairs of a sample whose atoms are both in the group. Returns the number of those that are not finite, or have a bin
     beyond what a key holds: these are not taken in. */
  template <class Mask>
  int64_t add(const DeviceEdges<DeviceType> &edges, const DeviceBonds<DeviceType> &bonds, const Mask &mask,
              int groupbit)
  {
    make_place(2 * bonds.own.edges);    // like elements: two bins a pair
    const int blocks = std::min(edges.rows, MOST_BLOCKS), rows = edges.rows, entries = COLUMNS * rows_;
    Kokkos::View<double **, Kokkos::LayoutRight, DeviceType> part("e3d:map", blocks, entries);
    const Bins bins = bins_;
    const auto row_of_label = row_;
    const auto like = like_;
    const auto centre = edges.centre;
    const auto offset = bonds.own.offset;
    const auto neighbour = bonds.own.neighbour;
    const auto label = bonds.label;
    const auto D_of = bonds.D, A_of = bonds.A;
    const auto in_group = mask;
    int64_t left_out = 0;
    Kokkos::parallel_reduce(
        "e3d:map", Range(0, blocks),
        KOKKOS_LAMBDA(const int b, int64_t &beyond) {
          const int last = static_cast<int>(static_cast<int64_t>(rows) * (b + 1) / blocks);
          for (int k = static_cast<int>(static_cast<int64_t>(rows) * b / blocks); k < last; k++) {
            if (!(in_group(centre(k)) & groupbit)) continue;
            for (int64_t e = offset(k); e < offset(k + 1); e++) {
              if (label(e) < 0 || !(in_group(neighbour(e)) & groupbit)) continue;
              const int row = row_of_label(label(e));
              if (row < 0) continue;
              const double D = D_of(e), A = A_of(e);
              if (!bins.holds(D, A)) {
                beyond++;
                continue;
              }
              bins.add(row, D, A, like(row) ? 1 : 2);
              if (like(row)) bins.add(row, D, -A, 1);
              const double terms[COLUMNS] = {D, D * D, A, A * A, Kokkos::abs(A), 1.0};    // as in LabelMap
              for (int c = 0; c < COLUMNS; c++) part(b, COLUMNS * row + c) += terms[c];
            }
          }
        },
        left_out);
    add_sums(part, blocks, entries);
    return left_out;
  }

  // whether add() takes a pair in
  bool takes(double D, double A) const { return bins_.holds(D, A); }

  // gives everything in it to a map of the host with the same labels, and is empty then
  void move_to(EnergyMap &map)
  {
    const int64_t count = used();
    Kokkos::View<uint64_t *, DeviceType> keys("e3d:map_keys", count);
    Kokkos::View<int64_t *, DeviceType> halves("e3d:map_halves", count);
    const Bins bins = bins_;
    int64_t found = 0;
    Kokkos::parallel_scan(
        "e3d:map_bins", Range64(0, bins.slots()),
        KOKKOS_LAMBDA(const int64_t s, int64_t &sum, const bool last) {
          if (bins.key(s) == Bins::FREE) return;
          if (last) {
            keys(sum) = bins.key(s);
            halves(sum) = bins.halves(s);
          }
          sum++;
        },
        found);
    std::vector<uint64_t> host_keys;
    std::vector<int64_t> host_halves;
    copy_to_host(keys, count, host_keys);
    copy_to_host(halves, count, host_halves);
    for (std::size_t k = 0; k < host_keys.size(); k++)
      parts_[Bins::row_of(host_keys[k])].bins.add(Bins::code_of(host_keys[k]), host_halves[k]);
    for (int row = 0; row < rows_; row++) {
      map.merge(row, parts_[row]);
      parts_[row] = LabelMap();
    }
    Kokkos::deep_copy(bins_.key, Bins::FREE);
    Kokkos::deep_copy(bins_.halves, 0);
    most_used_ = 0;
  }

  double memory_usage() const
  {
    return static_cast<double>(bins_.slots()) * (sizeof(uint64_t) + sizeof(int64_t));
  }

  // ---- public because lambdas of a device must not be in private functions

  // sums of blocks, each by one thread, and then of the blocks: in the same order on any device
  void add_sums(const Kokkos::View<double **, Kokkos::LayoutRight, DeviceType> &part, int blocks, int entries)
  {
    Kokkos::View<double *, DeviceType> sum("e3d:map_sum", entries);
    Kokkos::parallel_for(
        "e3d:map_sum", Range(0, entries), KOKKOS_LAMBDA(const int c) {
          for (int b = 0; b < blocks; b++) sum(c) += part(b, c);
        });
    const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), sum);
    const auto like = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), like_);
    for (int row = 0; row < rows_; row++) {
      for (int k = 0; k < LabelMap::NUM_SUMS; k++)
        if (k != 2 || !like(row))    // A of like elements has no sign
          parts_[row].sum(k).add(host(COLUMNS * row + k));
      parts_[row].count += static_cast<int64_t>(host(COLUMNS * row + LabelMap::NUM_SUMS));
    }
  }

  // so many bins more find a place, and at least half of the table stays free
  void make_place(int64_t more)
  {
    if (2 * (most_used_ + more) > bins_.slots()) most_used_ = used();
    most_used_ += more;
    if (2 * most_used_ <= bins_.slots()) return;
    int64_t size = 1024;
    while (size < 2 * most_used_) size *= 2;
    const Bins old = bins_;
    bins_.key = Kokkos::View<uint64_t *, DeviceType>("e3d:map_key", size);
    bins_.halves = Kokkos::View<int64_t *, DeviceType>("e3d:map_halves", size);
    Kokkos::deep_copy(bins_.key, Bins::FREE);
    const Bins bins = bins_;
    Kokkos::parallel_for(
        "e3d:map_grow", Range64(0, old.slots()), KOKKOS_LAMBDA(const int64_t s) {
          if (old.key(s) != Bins::FREE) bins.add(old.key(s), old.halves(s));
        });
  }

  int64_t used() const
  {
    const Bins bins = bins_;
    int64_t count = 0;
    Kokkos::parallel_reduce(
        "e3d:map_used", Range64(0, bins.slots()),
        KOKKOS_LAMBDA(const int64_t s, int64_t &sum) { sum += bins.key(s) != Bins::FREE; }, count);
    return count;
  }

 private:
  static constexpr int COLUMNS = LabelMap::NUM_SUMS + 1, MOST_BLOCKS = 16384;

  int rows_;
  int64_t most_used_ = 0;          // slots that may be taken
  std::vector<LabelMap> parts_;    // (rows) sums and number of pairs
  Kokkos::View<char *, DeviceType> like_;
  Kokkos::View<int *, DeviceType> row_;    // (labels of the run)
  Bins bins_;
};

}    // namespace E3D

#endif
