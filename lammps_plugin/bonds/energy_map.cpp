/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "bonds/energy_map.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace E3D {

/* ---------------------------------------------------------------------- */

std::string real_text(double value)
{
  char text[32];
  for (int digits = 15; digits <= 17; digits++) {
    std::snprintf(text, sizeof(text), "%.*g", digits, value);
    if (std::strtod(text, nullptr) == value) break;
  }
  std::string result = text;
  if (result.find_first_not_of("-0123456789") == std::string::npos) result += ".0";
  return result;
}

/* ---------------------------------------------------------------------- */

void RunningSum::add(double x)
{
  const double sum = total + x;
  lost += std::fabs(total) >= std::fabs(x) ? (total - sum) + x : (x - sum) + total;
  total = sum;
}

/* ---------------------------------------------------------------------- */

SparseBins::Bin &SparseBins::slot_of(int64_t code)
{
  const std::size_t mask = slots_.size() - 1;
  // neighbouring bins have neighbouring codes: a multiplication spreads them (Knuth, TAOCP 3, 6.4)
  std::size_t k = (static_cast<uint64_t>(code) * UINT64_C(0x9E3779B97F4A7C15) >> 32) & mask;
  while (slots_[k].halves != 0 && slots_[k].code != code) k = (k + 1) & mask;
  return slots_[k];
}

void SparseBins::grow()
{
  std::vector<Bin> old(slots_.empty() ? 64 : 2 * slots_.size(), Bin{0, 0});
  old.swap(slots_);
  for (const Bin &bin : old)
    if (bin.halves != 0) slot_of(bin.code) = bin;
}

void SparseBins::add(int64_t code, int64_t halves)
{
  if (2 * static_cast<std::size_t>(used_ + 1) > slots_.size()) grow();
  Bin &bin = slot_of(code);
  if (bin.halves == 0) {
    bin.code = code;
    used_++;
  }
  bin.halves += halves;
}

void SparseBins::clear()
{
  std::vector<Bin>().swap(slots_);
  used_ = 0;
}

std::vector<SparseBins::Bin> SparseBins::sorted() const
{
  std::vector<Bin> bins;
  bins.reserve(used_);
  for (const Bin &bin : slots_)
    if (bin.halves != 0) bins.push_back(bin);
  std::sort(bins.begin(), bins.end(), [](const Bin &a, const Bin &b) { return a.code < b.code; });
  return bins;
}

/* ---------------------------------------------------------------------- */

double LabelMap::deviation(const RunningSum &sum, const RunningSum &sum_of_squares) const
{
  const double average = mean(sum);
  return std::sqrt(std::max(0.0, mean(sum_of_squares) - average * average));
}

double LabelMap::entropy() const
{
  RunningSum sum;
  for (const auto &bin : bins.sorted()) {
    const double p = static_cast<double>(bin.halves) / (2.0 * static_cast<double>(count));
    sum.add(-p * std::log(p));
  }
  return std::max(0.0, sum.value());
}

/* ---------------------------------------------------------------------- */

EnergyMap::EnergyMap(double width, const std::vector<std::pair<std::string, bool>> &labels) :
    width_(width), labels_(labels.size())
{
  for (std::size_t k = 0; k < labels.size(); k++) {
    labels_[k].name = labels[k].first;
    labels_[k].like = labels[k].second;
  }
}

std::pair<int64_t, int64_t> EnergyMap::split_code(int64_t code)
{
  const int64_t a = code & (2 * BIN_LIMIT - 1);
  return {(code - a) / (2 * BIN_LIMIT), a - BIN_LIMIT};
}

/* ---------------------------------------------------------------------- */

bool EnergyMap::add(int label, double D, double A)
{
  const double d = std::floor(D / width_), a = std::floor(A / width_);
  constexpr auto limit = static_cast<double>(BIN_LIMIT - 1);
  if (!(std::fabs(d) < limit) || !(std::fabs(a) < limit)) return false;    // nan is caught too

  LabelMap &map = labels_[label];
  map.count++;
  map.sum_D.add(D);
  map.sum_D2.add(D * D);
  map.sum_A2.add(A * A);
  map.sum_absA.add(std::fabs(A));
  const auto row = static_cast<int64_t>(d);
  if (map.like) {
    map.bins.add(bin_code(row, static_cast<int64_t>(a)), 1);
    map.bins.add(bin_code(row, static_cast<int64_t>(std::floor(-A / width_))), 1);
  } else {
    map.sum_A.add(A);
    map.bins.add(bin_code(row, static_cast<int64_t>(a)), 2);
  }
  return true;
}

/* ---------------------------------------------------------------------- */

void EnergyMap::clear()
{
  for (auto &map : labels_) {
    map.count = 0;
    map.sum_D = map.sum_D2 = map.sum_A = map.sum_A2 = map.sum_absA = RunningSum();
    map.bins.clear();
  }
}

/* ----------------------------------------------------------------------
   of each label: count, five sums of two doubles, number of bins, code and halves of each bin
------------------------------------------------------------------------- */

static int64_t word_of(double x)
{
  int64_t word;
  std::memcpy(&word, &x, sizeof(word));
  return word;
}

static double double_of(int64_t word)
{
  double x;
  std::memcpy(&x, &word, sizeof(x));
  return x;
}

std::vector<int64_t> EnergyMap::pack() const
{
  std::vector<int64_t> words;
  for (const auto &map : labels_) {
    words.push_back(map.count);
    for (const RunningSum *sum : {&map.sum_D, &map.sum_D2, &map.sum_A, &map.sum_A2, &map.sum_absA}) {
      words.push_back(word_of(sum->total));
      words.push_back(word_of(sum->lost));
    }
    words.push_back(map.bins.size());
    for (const auto &bin : map.bins.sorted()) {
      words.push_back(bin.code);
      words.push_back(bin.halves);
    }
  }
  return words;
}

void EnergyMap::merge(const std::vector<int64_t> &words)
{
  std::size_t at = 0;
  const auto need = [&](int64_t count) {
    if (count < 0 || static_cast<uint64_t>(count) > words.size() - at)
      throw std::runtime_error("a packed map that is cut off");
  };
  const auto demand = [](bool condition) {
    if (!condition) throw std::runtime_error("a packed map that contradicts itself");
  };
  constexpr int64_t MOST = INT64_C(1) << 60;    // pairs of a label: no sum of them overflows
  for (auto &map : labels_) {
    need(12);
    const int64_t count = words[at++];
    demand(count >= 0 && count <= MOST - map.count);
    map.count += count;
    for (RunningSum *sum : {&map.sum_D, &map.sum_D2, &map.sum_A, &map.sum_A2, &map.sum_absA})
      for (int part = 0; part < 2; part++, at++) {
        demand(std::isfinite(double_of(words[at])));
        sum->add(double_of(words[at]));
      }
    const int64_t num_bins = words[at++];
    need(num_bins);
    need(2 * num_bins);
    int64_t left = 2 * count;    // halves of pairs
    for (int64_t k = 0; k < num_bins; k++, at += 2) {
      demand(words[at + 1] > 0 && words[at + 1] <= left);
      left -= words[at + 1];
      map.bins.add(words[at], words[at + 1]);
    }
    demand(left == 0);
  }
  if (at != words.size()) throw std::runtime_error("a packed map of other labels");
}

void EnergyMap::merge(int label, LabelMap part)
{
  LabelMap &map = labels_[label];
  map.count += part.count;
  for (int k = 0; k < LabelMap::NUM_SUMS; k++) {
    map.sum(k).add(part.sum(k).total);
    map.sum(k).add(part.sum(k).lost);
  }
  for (const auto &bin : part.bins.sorted()) map.bins.add(bin.code, bin.halves);
}

/* ---------------------------------------------------------------------- */

std::string EnergyMap::text() const
{
  std::string out;
  for (const auto &map : labels_) {
    out += "label " + map.name + ' ' + std::to_string(map.count);
    for (const RunningSum *sum : {&map.sum_D, &map.sum_D2, &map.sum_A, &map.sum_A2, &map.sum_absA})
      out += ' ' + real_text(sum->value());
    out += ' ' + std::to_string(map.bins.size()) + '\n';
    for (const auto &bin : map.bins.sorted()) {
      const auto [d, a] = split_code(bin.code);
      out += std::to_string(d) + ' ' + std::to_string(a) + ' ' + std::to_string(bin.halves / 2);
      out += bin.halves % 2 ? ".5\n" : "\n";
    }
  }
  return out;
}

/* ---------------------------------------------------------------------- */

double EnergyMap::memory_usage() const
{
  double bytes = 0.0;
  for (const auto &map : labels_) bytes += sizeof(map) + map.bins.memory_usage();
  return bytes;
}

}    // namespace E3D
