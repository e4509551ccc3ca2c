// Memory that ends where its contents end: a read or write one byte beyond is seen, by AddressSanitizer on the heap and
// by the processor at a page without access.
#ifndef E3D_TESTS_EXACT_MEMORY_H
#define E3D_TESTS_EXACT_MEMORY_H

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

// A copy of some numbers on the heap, without the room to grow that a vector may have.

template <typename T> class ExactArray {
 public:
  explicit ExactArray(std::size_t size, T value = T()) : data_(new T[size]), size_(size)
  {
    for (std::size_t k = 0; k < size; k++) data_[k] = value;
  }
  ExactArray(const std::vector<T> &values) : ExactArray(values.size())
  {
    for (std::size_t k = 0; k < size_; k++) data_[k] = values[k];
  }

  T *data() { return data_.get(); }
  const T *data() const { return data_.get(); }
  T &operator[](std::size_t k) { return data_[k]; }
  const T &operator[](std::size_t k) const { return data_[k]; }
  std::size_t size() const { return size_; }

 private:
  std::unique_ptr<T[]> data_;
  std::size_t size_;
};

// A copy of a text that ends at the end of a page, or starts at the start of one; the pages around it may not be touched.

class GuardedText {
 public:
  enum Place { AT_START, AT_END };

  GuardedText(const std::string &text, Place place)
  {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t inner = (text.size() / page + 1) * page;
    size_ = inner + 2 * page;
    void *memory = mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("mmap");
    base_ = static_cast<char *>(memory);
    if (mprotect(base_ + page, inner, PROT_READ | PROT_WRITE) != 0) throw std::runtime_error("mprotect");
    data_ = base_ + page + (place == AT_END ? inner - text.size() : 0);
    std::memcpy(data_, text.data(), text.size());
  }
  ~GuardedText() { munmap(base_, size_); }
  GuardedText(const GuardedText &) = delete;
  GuardedText &operator=(const GuardedText &) = delete;

  const char *data() const { return data_; }

 private:
  char *base_, *data_;
  std::size_t size_;
};

#endif
