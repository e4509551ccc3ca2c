#include "memory.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <sys/mman.h>

namespace e3d::engine {

void Memory::Free::operator()(void *p) const
{
  std::free(p);
}

Memory::Memory(std::size_t bytes)
{
  constexpr std::size_t line = 64, large = std::size_t(2) << 20;
  const std::size_t unit = bytes >= large / 2 ? large : line,
                    rounded = (bytes + line + unit - 1) / unit * unit;
  piece_.reset(std::aligned_alloc(unit, rounded));
  if (!piece_) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
  if (unit == large) madvise(piece_.get(), rounded, MADV_HUGEPAGE);    // a wish, no more
#endif
  std::memset(piece_.get(), 0, rounded);
  bytes_ = rounded;
}

}    // namespace e3d::engine
