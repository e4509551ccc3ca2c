// Memory for numbers that vectors are loaded from.
#ifndef E3D_ENGINE_MEMORY_H
#define E3D_ENGINE_MEMORY_H

#include <cstddef>
#include <memory>

namespace e3d::engine {

// A piece of memory on cache lines, zeroed. From half of a large page (2 MB) on it begins with such a page
// and asks for more: tables are read at random places, and with pages of 4 kB a processor would look up
// addresses for much of its time.
class Memory {
 public:
  Memory() = default;
  explicit Memory(std::size_t bytes);    // throws std::bad_alloc

  void *get() const { return piece_.get(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(void *p) const;
  };
  std::unique_ptr<void, Free> piece_;
  std::size_t bytes_ = 0;
};

}    // namespace e3d::engine

#endif
