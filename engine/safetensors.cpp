#include "safetensors.h"

#include "errors.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <set>
#include <sys/stat.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers of a file are copied as they are");

namespace e3d::engine {

namespace {

  constexpr std::size_t max_header = 100u << 20;    // as the reference implementation
  constexpr std::size_t max_file = std::size_t(4) << 30;
  const char advice[] = "; copy the file again, or export the model again with 'e3d export'";

  const std::map<std::string, std::size_t> bytes_of_dtype = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},
      {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},     {"F64", 8},     {"I64", 8}, {"U64", 8}};

  class Parser {
   public:
    explicit Parser(const std::string &origin) : origin_(origin) {}

    Safetensors parse(const unsigned char *bytes, std::size_t size)
    {
      if (size < 8) fail("it has " + std::to_string(size) + " bytes, too few for a safetensors file");
      std::uint64_t length;
      std::memcpy(&length, bytes, 8);
      if (length > max_header || length > size - 8)
        fail("its header should have " + std::to_string(length) + " bytes, but the file has " +
             std::to_string(size - 8) + " behind the first eight");
      Safetensors out;
      out.origin = origin_;
      const char *text = reinterpret_cast<const char *>(bytes) + 8;
      read_header(text, text + length, size - 8 - length, out);
      out.data.assign(bytes + 8 + length, bytes + size);
      return out;
    }

   private:
    using Json = nlohmann::json;
    const std::string &origin_;

    [[noreturn]] void fail(const std::string &what) const
    {
      throw Error("'" + origin_ + "': " + what + advice);
    }

    void read_header(const char *begin, const char *end, std::size_t data_size, Safetensors &out) const
    {
      const Json header = read_json(begin, end);
      if (!header.is_object()) fail("its header is not a JSON object");
      for (const auto &[name, entry] : header.items()) {
        if (name == "__metadata__")
          read_metadata(entry, out.metadata);
        else
          out.tensors.emplace(name, read_tensor(name, entry, data_size));
      }
      check_ranges(out.tensors, data_size);
    }

    // JSON in which no object holds a name twice, and which is no deeper than a header needs.
    Json read_json(const char *begin, const char *end) const
    {
      std::vector<std::set<std::string>> names;
      bool twice = false, deep = false;
      const auto watch = [&](int depth, Json::parse_event_t event, Json &value) {
        if (event == Json::parse_event_t::object_start) names.emplace_back();
        if (event == Json::parse_event_t::object_end && !names.empty()) names.pop_back();
        if (event == Json::parse_event_t::key && !names.empty())
          twice |= !names.back().insert(value.get<std::string>()).second;
        deep |= depth > 4;
        return !deep;
      };
      Json header;
      try {
        header = Json::parse(begin, end, watch);
      } catch (const Json::exception &error) {
        fail(std::string("its header is not JSON (") + error.what() + ")");
      }
      if (twice) fail("its header holds a name twice");
      if (deep) fail("its header is nested too deeply");
      return header;
    }

    void read_metadata(const Json &entry, std::map<std::string, std::string> &metadata) const
    {
      if (!entry.is_object()) fail("its __metadata__ is not an object");
      for (const auto &[key, value] : entry.items()) {
        if (!value.is_string()) fail("the metadata key '" + key + "' is not a string");
        metadata.emplace(key, value.get<std::string>());
      }
    }

    Tensor read_tensor(const std::string &name, const Json &entry, std::size_t data_size) const
    {
      const std::string who = "the tensor '" + name + "'";
      if (!entry.is_object()) fail(who + " is not described by an object");
      for (const char *key : {"dtype", "shape", "data_offsets"})
        if (!entry.contains(key)) fail(who + " has no '" + key + "'");
      const Json &dtype = entry["dtype"], &shape = entry["shape"], &range = entry["data_offsets"];
      if (!dtype.is_string()) fail(who + " has a dtype that is not a string");
      Tensor tensor;
      tensor.dtype = dtype.get<std::string>();
      const auto known = bytes_of_dtype.find(tensor.dtype);
      if (known == bytes_of_dtype.end()) fail(who + " has the unknown dtype '" + tensor.dtype + "'");
      if (!shape.is_array()) fail(who + " has a shape that is not a list");
      std::uint64_t count = 1;
      for (const Json &extent : shape) {
        if (!extent.is_number_unsigned()) fail(who + " has a shape that is not made of whole numbers");
        const std::uint64_t n = extent.get<std::uint64_t>();
        if (n > data_size || (n != 0 && count > data_size / n)) fail(who + " is larger than the file");
        count *= n;
        tensor.shape.push_back(static_cast<std::int64_t>(n));
      }
      tensor.count = static_cast<std::int64_t>(count);
      if (!range.is_array() || range.size() != 2 || !range[0].is_number_unsigned() ||
          !range[1].is_number_unsigned())
        fail(who + " has data_offsets that are not two whole numbers");
      const std::uint64_t first = range[0].get<std::uint64_t>(), last = range[1].get<std::uint64_t>();
      if (first > last || last > data_size)
        fail(who + " should lie in bytes " + std::to_string(first) + " to " + std::to_string(last) + " of " +
             std::to_string(data_size));
      if (last - first != count * known->second)
        fail(who + " of shape " + tensor.shape_text() + " and dtype " + tensor.dtype + " needs " +
             std::to_string(count * known->second) + " bytes, not " + std::to_string(last - first));
      tensor.begin = first;
      tensor.end = last;
      return tensor;
    }

    // No gap, no overlap, nothing behind the last tensor: bytes that nobody describes may be anything.
    void check_ranges(const std::map<std::string, Tensor> &tensors, std::size_t data_size) const
    {
      std::vector<std::pair<std::size_t, std::size_t>> ranges;
      for (const auto &item : tensors) ranges.emplace_back(item.second.begin, item.second.end);
      std::sort(ranges.begin(), ranges.end());
      std::size_t end = 0;
      for (const auto &range : ranges) {
        if (range.first != end) fail("its tensors overlap or leave gaps at byte " + std::to_string(end));
        end = range.second;
      }
      if (end != data_size) fail(std::to_string(data_size - end) + " bytes at its end belong to no tensor");
    }
  };

  template <typename Number> Number number_at(const unsigned char *bytes, std::int64_t index)
  {
    Number value;
    std::memcpy(&value, bytes + index * static_cast<std::int64_t>(sizeof(Number)), sizeof(Number));
    return value;
  }

}    // namespace

std::string Tensor::shape_text() const
{
  std::string out = "(";
  for (std::size_t d = 0; d < shape.size(); d++) out += (d ? ", " : "") + std::to_string(shape[d]);
  return out + ")";
}

std::vector<double> Safetensors::reals(const std::string &name) const
{
  const Tensor &tensor = tensors.at(name);
  const bool wide = tensor.dtype == "F64";
  if (!wide && tensor.dtype != "F32")
    throw Error("'" + origin + "': expected the tensor '" + name + "' as F32 or F64, got " + tensor.dtype +
                advice);
  std::vector<double> out(static_cast<std::size_t>(tensor.count));
  const unsigned char *bytes = data.data() + tensor.begin;
  for (std::int64_t k = 0; k < tensor.count; k++) {
    out[k] = wide ? number_at<double>(bytes, k) : number_at<float>(bytes, k);
    if (!std::isfinite(out[k]))
      throw Error("'" + origin + "': number " + std::to_string(k) + " of the tensor '" + name + "' is " +
                  (std::isnan(out[k]) ? "NaN" : "infinite") +
                  "; did the training diverge? Take another checkpoint");
  }
  return out;
}

std::vector<std::int64_t> Safetensors::integers(const std::string &name) const
{
  const Tensor &tensor = tensors.at(name);
  const bool wide = tensor.dtype == "I64";
  if (!wide && tensor.dtype != "I32")
    throw Error("'" + origin + "': expected the tensor '" + name + "' as I32 or I64, got " + tensor.dtype +
                advice);
  std::vector<std::int64_t> out(static_cast<std::size_t>(tensor.count));
  const unsigned char *bytes = data.data() + tensor.begin;
  for (std::int64_t k = 0; k < tensor.count; k++)
    out[k] = wide ? number_at<std::int64_t>(bytes, k) : number_at<std::int32_t>(bytes, k);
  return out;
}

Safetensors parse_safetensors(const unsigned char *bytes, std::size_t size, const std::string &origin)
{
  return Parser(origin).parse(bytes, size);
}

Safetensors read_safetensors(const std::string &path)
{
  const auto fail = [&](const std::string &why) {
    return Error("cannot read the model file '" + path + "': " + why +
                 "; check the path, or make a model file with 'e3d export MODEL OUT.safetensors'");
  };
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) throw fail(std::strerror(errno));
  if (!S_ISREG(status.st_mode)) throw fail("it is not a file");
  if (status.st_size < 0 || static_cast<std::uint64_t>(status.st_size) > max_file)
    throw fail("it is larger than 4 GiB");
  const std::unique_ptr<std::FILE, int (*)(std::FILE *)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) throw fail(std::strerror(errno));
  std::vector<unsigned char> bytes(static_cast<std::size_t>(status.st_size));
  const std::size_t got = bytes.empty() ? 0 : std::fread(bytes.data(), 1, bytes.size(), file.get());
  if (got != bytes.size()) throw fail("it ends after " + std::to_string(got) + " bytes");
  return parse_safetensors(bytes.data(), bytes.size(), path);
}

}    // namespace e3d::engine
