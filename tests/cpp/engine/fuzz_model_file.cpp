// Arbitrary bytes as a model file: Error or a model, nothing else. An entry for libFuzzer, and with
// E3D_FUZZ_ALONE a program of its own that damages a good file in random ways for so many seconds:
//   fuzz_model_file [seconds] [seed]
#include "errors.h"
#include "folded_model.h"
#include "safetensors.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
  try {
    const auto file = e3d::engine::read_model_file(e3d::engine::parse_safetensors(data, size, "fuzz"));
    if (file.types() < 8 && file.channels < 64) e3d::engine::fold(file);
  } catch (const e3d::engine::Error &) {
  }
  return 0;
}

#if defined(E3D_FUZZ_ALONE)
#include "random_model.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace {

using Bytes = std::vector<unsigned char>;

// Some seeds: every kind of radial basis and of pair term.
std::vector<Bytes> seeds()
{
  std::vector<Bytes> out;
  for (int k = 0; k < 4; k++) {
    ModelShape shape;
    shape.spline = k & 1;
    shape.zbl = k & 2;
    shape.l_max = 1;
    shape.scalars = shape.width = 3;
    shape.channels = 2;
    out.push_back(RandomModel(shape).writer.bytes());
  }
  return out;
}

void damage(Bytes &bytes, std::mt19937_64 &random)
{
  static const char *const words[] = {"0",
                                      "9",
                                      "-1",
                                      "1e9",
                                      "[",
                                      "]",
                                      "{",
                                      "}",
                                      "\"",
                                      ",",
                                      ":",
                                      "null",
                                      "18446744073709551615",
                                      "F64",
                                      "F16",
                                      "I64",
                                      "NaN",
                                      "\\u0000",
                                      "e3d-weights/2"};
  std::uint64_t header = 0;
  if (bytes.size() >= 8) std::memcpy(&header, bytes.data(), 8);
  const std::size_t near =
      std::min<std::size_t>(bytes.size(), header + 8 < header ? bytes.size() : header + 8);
  const std::size_t place =
      bytes.empty() ? 0 : random() % (random() % 4 ? std::max<std::size_t>(near, 1) : bytes.size());
  switch (random() % 7) {
    case 0: bytes.resize(place); break;
    case 1: bytes.resize(bytes.size() + random() % 100); break;
    case 2:
      if (place < bytes.size()) bytes[place] = static_cast<unsigned char>(random());
      break;
    case 3:
      if (place < bytes.size()) bytes[place] ^= static_cast<unsigned char>(1u << random() % 8);
      break;
    case 4: {
      const char *word = words[random() % (sizeof words / sizeof *words)];
      for (std::size_t k = 0; word[k] && place + k < bytes.size(); k++)
        bytes[place + k] = static_cast<unsigned char>(word[k]);
      break;
    }
    case 5: {    // a piece moves, and the length of the header with it
      const std::size_t from = bytes.empty() ? 0 : random() % bytes.size(),
                        count = std::min<std::size_t>(random() % 40, bytes.size() - from);
      const Bytes piece(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                        bytes.begin() + static_cast<std::ptrdiff_t>(from + count));
      bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(place), piece.begin(), piece.end());
      header += count;
      if (bytes.size() >= 8) std::memcpy(bytes.data(), &header, 8);
      break;
    }
    default: {
      const std::size_t count = std::min<std::size_t>(random() % 20, bytes.size() - place);
      bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(place),
                  bytes.begin() + static_cast<std::ptrdiff_t>(place + count));
      header -= count;
      if (bytes.size() >= 8 && random() % 2) std::memcpy(bytes.data(), &header, 8);
    }
  }
}

}    // namespace

int main(int argc, char **argv)
{
  const double seconds = argc > 1 ? std::atof(argv[1]) : 5.0;
  std::mt19937_64 random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  const auto good = seeds();
  for (const Bytes &bytes : good) LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  const auto start = std::chrono::steady_clock::now();
  long count = 0;
  while (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < seconds)
    for (int k = 0; k < 100; k++, count++) {
      Bytes bytes = good[random() % good.size()];
      for (std::uint64_t n = 1 + random() % 4; n; n--) damage(bytes, random);
      LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    }
  std::printf("%ld damaged files\n", count);
  return 0;
}
#endif
