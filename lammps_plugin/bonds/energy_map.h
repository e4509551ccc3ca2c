/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_ENERGY_MAP_H
#define E3D_ENERGY_MAP_H

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace E3D {

/* Shortest decimal text that reads back as the same double, as Python's repr: 0.1, 3.0, 1e-07. */

std::string real_text(double value);

/* A sum that does not lose small terms behind a large total (Neumaier, ZAMM 54, 39, 1974). */

struct RunningSum {
  double total = 0.0, lost = 0.0;
  void add(double x);
  double value() const { return total + lost; }
};

/* Weights of the non-empty bins of one map, found by their code: open addressing, 16 bytes a slot. */

class SparseBins {
 public:
  struct Bin {
    int64_t code;
    int64_t halves;    // weight in halves of a pair, 0 in a slot that is free
  };

  void add(int64_t code, int64_t halves);
  void clear();
  int64_t size() const { return used_; }
  std::vector<Bin> sorted() const;    // by code, ascending
  double memory_usage() const { return static_cast<double>(slots_.capacity()) * sizeof(Bin); }

 private:
  std::vector<Bin> slots_;    // a power of two, at most half full
  int64_t used_ = 0;

  Bin &slot_of(int64_t code);
  void grow();
};

/* D-A map of one pair label: histogram and moments, as LabelMap of python/e3d_lmp/analysis/maps.py.

   A bin is floor(D / w), floor(A / w) in double precision. A pair of unlike elements weighs 1, a pair
   of like elements, which have no order, 1/2 at +A and 1/2 at -A, and its sum of A is 0. */

struct LabelMap {
  std::string name;
  bool like = false;
  int64_t count = 0;    // pairs
  RunningSum sum_D, sum_D2, sum_A, sum_A2, sum_absA;
  SparseBins bins;

  static constexpr int NUM_SUMS = 5;
  RunningSum &sum(int k)    // in the order above
  {
    RunningSum *sums[NUM_SUMS] = {&sum_D, &sum_D2, &sum_A, &sum_A2, &sum_absA};
    return *sums[k];
  }

  // conventions of ARCHITECTURE section 1: population standard deviations, nats; an empty map gives zeros
  double mean_D() const { return mean(sum_D); }
  double std_D() const { return deviation(sum_D, sum_D2); }
  double mean_absA() const { return mean(sum_absA); }
  double std_A() const { return deviation(sum_A, sum_A2); }
  double entropy() const;    // H_2D = -sum p ln p

 private:
  double mean(const RunningSum &sum) const { return count ? sum.value() / static_cast<double>(count) : 0.0; }
  double deviation(const RunningSum &sum, const RunningSum &sum_of_squares) const;
};

/* D-A maps of several pair labels. Parts merge exactly for counts, in any order. */

class EnergyMap {
 public:
  static constexpr int64_t BIN_LIMIT = INT64_C(1) << 31;    // bins are numbered from -2^31 to 2^31 - 1

  // one number per bin (d, a), ascending first by d, then by a: the codes of label_map.bin_codes
  static int64_t bin_code(int64_t d, int64_t a) { return d * (BIN_LIMIT << 1) + (a + BIN_LIMIT); }
  static std::pair<int64_t, int64_t> split_code(int64_t code);

  // width of the bins in D and A, and the name of each label with whether it is of like elements
  EnergyMap(double width, const std::vector<std::pair<std::string, bool>> &labels);

  // take in one pair; false, and nothing changed, if an energy is not finite or beyond 2^31 bins
  bool add(int label, double D, double A);
  void clear();

  // everything in it as 64-bit words, and the reverse: add what pack() of a map of the same width and
  // labels gave; throws std::runtime_error if the words cannot be that
  std::vector<int64_t> pack() const;
  void merge(const std::vector<int64_t> &words);
  // add a part of a label, which is of this width
  void merge(int label, LabelMap part);

  double width() const { return width_; }
  const std::vector<LabelMap> &labels() const { return labels_; }

  // the "label" lines and their bins of an e3d-map/1 file, empty labels included
  std::string text() const;

  double memory_usage() const;

 private:
  double width_;
  std::vector<LabelMap> labels_;
};

}    // namespace E3D

#endif
