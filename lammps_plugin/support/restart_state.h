/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_RESTART_STATE_H
#define E3D_RESTART_STATE_H

#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace E3D {

/* What a fix puts in a restart file: texts, numbers and lists, each list with its length, behind the
   length of the whole. LAMMPS hands the bytes back without saying how many they are. */

class RestartWriter {
 public:
  void put(int64_t number) { append(&number, sizeof(number)); }
  void put(const std::string &text)
  {
    put(static_cast<int64_t>(text.size()));
    append(text.data(), text.size());
  }
  void put(const char *text) { put(std::string(text)); }
  template <typename T> void put(const std::vector<T> &list)
  {
    put(static_cast<int64_t>(list.size()));
    append(list.data(), list.size() * sizeof(T));
  }

  int64_t size() const { return static_cast<int64_t>(bytes_.size() + sizeof(int64_t)); }

  // as Modify::read_restart wants it; false, and nothing written, if it is larger than an int says
  bool write(std::FILE *fp) const
  {
    if (size() > INT_MAX) return false;
    const int total = static_cast<int>(size());
    const auto length = static_cast<int64_t>(bytes_.size());
    std::fwrite(&total, sizeof(total), 1, fp);
    std::fwrite(&length, sizeof(length), 1, fp);
    std::fwrite(bytes_.data(), 1, bytes_.size(), fp);
    return true;
  }

 private:
  std::string bytes_;
  void append(const void *data, std::size_t bytes)
  {
    if (bytes) bytes_.append(static_cast<const char *>(data), bytes);
  }
};

/* Reads what RestartWriter wrote, in the same order; throws std::runtime_error at its end. */

class RestartReader {
 public:
  explicit RestartReader(const char *buffer) : at_(buffer), left_(sizeof(int64_t)) { left_ = number(); }

  int64_t number()
  {
    int64_t value;
    take(&value, sizeof(value));
    return value;
  }
  std::string text()
  {
    const std::vector<char> letters = list<char>();
    return {letters.begin(), letters.end()};
  }
  template <typename T> std::vector<T> list()
  {
    const int64_t size = number();
    if (size < 0 || size > left_ / static_cast<int64_t>(sizeof(T))) cut_off();
    std::vector<T> values(size);
    take(values.data(), size * static_cast<int64_t>(sizeof(T)));
    return values;
  }

 private:
  const char *at_;
  int64_t left_;

  [[noreturn]] static void cut_off() { throw std::runtime_error("it is cut off"); }
  void take(void *data, int64_t bytes)
  {
    if (bytes > left_) cut_off();
    if (bytes) std::memcpy(data, at_, bytes);
    at_ += bytes;
    left_ -= bytes;
  }
};

}    // namespace E3D

#endif
