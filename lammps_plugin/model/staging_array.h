/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_STAGING_ARRAY_H
#define E3D_STAGING_ARRAY_H

#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

namespace E3D {

/* Where the memory of staging arrays comes from: plain memory, or memory that a GPU copies from while the
   processor goes on. Two functions, so that it crosses the boundary between the libraries. */

struct HostMemory {
  void *(*allocate)(std::size_t bytes);    // nullptr where there is none
  void (*release)(void *memory);
};

inline HostMemory plain_memory()
{
  return {std::malloc, std::free};
}

/* Numbers on their way to a model. Grows geometrically and never shrinks, so that steps after the first
   few allocate nothing. What it held is lost when it grows; T has no constructor. */

template <typename T> class StagingArray {
 public:
  explicit StagingArray(HostMemory memory = plain_memory()) : memory_(memory) {}
  ~StagingArray() { clear(); }
  StagingArray(const StagingArray &) = delete;
  StagingArray &operator=(const StagingArray &) = delete;
  StagingArray(StagingArray &&other) noexcept :
      memory_(other.memory_), data_(std::exchange(other.data_, nullptr)),
      capacity_(std::exchange(other.capacity_, 0))
  {
  }

  // room for n numbers; throws std::bad_alloc
  void require(std::size_t n)
  {
    if (n <= capacity_) return;
    clear();
    const std::size_t wanted = n + n / 16 + 64;
    data_ = static_cast<T *>(memory_.allocate(wanted * sizeof(T)));
    if (!data_) throw std::bad_alloc();
    capacity_ = wanted;
  }

  T *data() { return data_; }
  const T *data() const { return data_; }
  T &operator[](std::size_t k) { return data_[k]; }
  const T &operator[](std::size_t k) const { return data_[k]; }
  std::size_t capacity() const { return capacity_; }

 private:
  HostMemory memory_;
  T *data_ = nullptr;
  std::size_t capacity_ = 0;

  void clear()
  {
    if (data_) memory_.release(data_);
    data_ = nullptr;
    capacity_ = 0;
  }
};

}    // namespace E3D

#endif
