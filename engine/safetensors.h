// Reader of the safetensors layout: named arrays and strings, no code.
//
// Eight bytes with the length of a header, the header (JSON: name -> dtype, shape, range of bytes), the bytes
// of the arrays. No number of the file is believed before it is compared with what is there, so that a
// damaged file ends in a message. Layout: https://huggingface.co/docs/safetensors
#ifndef E3D_ENGINE_SAFETENSORS_H
#define E3D_ENGINE_SAFETENSORS_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace e3d::engine {

struct Tensor {
  std::string dtype;                  // as the file names it: F32, F64, I32, ...
  std::vector<std::int64_t> shape;    // () for a single number
  std::int64_t count = 1;             // product of the shape
  std::size_t begin = 0, end = 0;     // bytes in `Safetensors::data`

  std::string shape_text() const;    // "(64, 352)"
};

struct Safetensors {
  std::string origin;    // name of the file, for messages
  std::map<std::string, std::string> metadata;
  std::map<std::string, Tensor> tensors;
  std::vector<unsigned char> data;    // what follows the header

  // Numbers of a tensor of any real dtype, widened to double; throws Error for other dtypes, NaN and
  // infinity.
  std::vector<double> reals(const std::string &name) const;

  // Numbers of a tensor of dtype I32 or I64.
  std::vector<std::int64_t> integers(const std::string &name) const;
};

// Throws Error, whose text begins with 'origin'.
Safetensors parse_safetensors(const unsigned char *bytes, std::size_t size, const std::string &origin);

Safetensors read_safetensors(const std::string &path);

}    // namespace e3d::engine

#endif
