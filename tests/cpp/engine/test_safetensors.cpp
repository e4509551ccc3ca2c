// Files that are whole, and files that are damaged in every way one can think of: a message for each, never a
// crash.
#include "check.h"
#include "errors.h"
#include "random_model.h"

#include <cstdio>
#include <fstream>

using namespace e3d::engine;

namespace {

Safetensors parse(const std::vector<unsigned char> &bytes)
{
  return parse_safetensors(bytes.data(), bytes.size(), "some.file");
}

std::vector<unsigned char> with_header(const std::string &header, std::size_t data, std::uint64_t length)
{
  std::vector<unsigned char> out(8);
  std::memcpy(out.data(), &length, 8);
  out.insert(out.end(), header.begin(), header.end());
  out.resize(out.size() + data);
  return out;
}

std::vector<unsigned char> with_header(const std::string &header, std::size_t data = 0)
{
  return with_header(header, data, header.size());
}

std::string tensor(const std::string &shape, const std::string &range, const std::string &dtype = "F32")
{
  return "{\"a\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + range + "}}";
}

void test_whole_file()
{
  const Safetensors file = parse(with_header(
      "{\"__metadata__\":{\"k\":\"v\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
      "\"b\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[24,32]}}  ",
      32));
  CHECK(file.metadata.at("k") == "v");
  CHECK_EQUAL(file.tensors.at("a").count, 6);
  CHECK(file.tensors.at("a").shape_text() == "(2, 3)");
  CHECK_EQUAL(file.reals("a")[5], 0.0);
  CHECK_EQUAL(file.integers("b")[0], 0);
  CHECK_EQUAL(parse(with_header("{}")).tensors.size(), 0u);
}

void test_damaged_files()
{
  CHECK_MESSAGE(parse({}), "'some.file': it has 0 bytes");
  CHECK_MESSAGE(parse({1, 2, 3}), "it has 3 bytes");
  CHECK_MESSAGE(parse(with_header("{}", 0, 3)), "its header should have 3 bytes, but the file has 2");
  CHECK_MESSAGE(parse(with_header("{}", 0, ~0ull)), "its header should have 18446744073709551615 bytes");
  CHECK_MESSAGE(parse(with_header("{}", 300 << 20, 200 << 20)), "its header should have");
  CHECK_MESSAGE(parse(with_header("{")), "not JSON");
  CHECK_MESSAGE(parse(with_header("[1]")), "not a JSON object");
  CHECK_MESSAGE(parse(with_header("{\"a\":\xff}")), "not JSON");
  CHECK_MESSAGE(parse(with_header("{\"a\":1}")), "'a' is not described by an object");
  CHECK_MESSAGE(parse(with_header("{\"__metadata__\":[]}")), "__metadata__");
  CHECK_MESSAGE(parse(with_header("{\"__metadata__\":{\"k\":1}}")), "'k' is not a string");
  CHECK_MESSAGE(parse(with_header("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}")), "a name twice");
  CHECK_MESSAGE(parse(with_header("{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{}}}}}}")), "nested");
  CHECK_MESSAGE(parse(with_header(std::string(100000, '[') + std::string(100000, ']'))), "nested");
  CHECK_MESSAGE(parse(with_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4)), "has no 'data_offsets'");
  CHECK_MESSAGE(parse(with_header(tensor("[1]", "[0,4]", "F31"), 4)), "unknown dtype 'F31'");
  CHECK_MESSAGE(parse(with_header(tensor("[-1]", "[0,4]"), 4)), "whole numbers");
  CHECK_MESSAGE(parse(with_header(tensor("[1.0]", "[0,4]"), 4)), "whole numbers");
  CHECK_MESSAGE(parse(with_header(tensor("3", "[0,4]"), 4)), "not a list");
  CHECK_MESSAGE(parse(with_header(tensor("[1]", "[0,4,8]"), 4)), "two whole numbers");
  CHECK_MESSAGE(parse(with_header(tensor("[1]", "[4,0]"), 4)), "bytes 4 to 0 of 4");
  CHECK_MESSAGE(parse(with_header(tensor("[1]", "[0,18446744073709551615]"), 4)), "of 4");
  CHECK_MESSAGE(parse(with_header(tensor("[2]", "[0,4]"), 4)), "needs 8 bytes, not 4");
  CHECK_MESSAGE(parse(with_header(tensor("[4611686018427387904,4]", "[0,4]"), 4)), "larger than the file");
  CHECK_MESSAGE(parse(with_header(tensor("[3,3]", "[0,4]"), 4)), "larger than the file");
  CHECK_MESSAGE(parse(with_header(tensor("[99999999999999999999]", "[0,4]"), 4)), "whole numbers");
  CHECK_MESSAGE(parse(with_header(tensor("[1]", "[0,4]"), 5)), "1 bytes at its end");
  CHECK_MESSAGE(parse(with_header(tensor("[1]", "[1,5]"), 5)), "leave gaps");
  const std::string overlap = "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
                              "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}";
  CHECK_MESSAGE(parse(with_header(overlap, 3)), "overlap");
}

void test_numbers()
{
  auto bytes = with_header(tensor("[1]", "[0,4]"), 4);
  const float bad = std::nanf("");
  std::memcpy(bytes.data() + bytes.size() - 4, &bad, 4);
  CHECK_MESSAGE(parse(bytes).reals("a"), "number 0 of the tensor 'a' is NaN");
  CHECK_MESSAGE(parse(with_header(tensor("[1]", "[0,2]", "F16"), 2)).reals("a"), "as F32 or F64, got F16");
  CHECK_MESSAGE(parse(with_header(tensor("[1]", "[0,4]"), 4)).integers("a"), "as I32 or I64, got F32");
}

// Every prefix of a model file, and every byte of its header changed: Error or a file, nothing else.
void test_every_place()
{
  const auto whole = RandomModel(ModelShape()).writer.bytes();
  std::uint64_t header;
  std::memcpy(&header, whole.data(), 8);
  int refused = 0, read = 0;
  const auto attempt = [&](const std::vector<unsigned char> &bytes) {
    try {
      read_model_file(parse(bytes));
      read++;
    } catch (const Error &) {
      refused++;
    }
  };
  for (std::size_t size = 0; size < whole.size(); size += size < header + 8 ? 7 : 97)
    attempt({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
  CHECK_EQUAL(read, 0);
  for (std::size_t at = 0; at < header + 8; at++)
    for (unsigned char flip : {1, 16, 128}) {
      auto bytes = whole;
      bytes[at] ^= flip;
      attempt(bytes);
    }
  CHECK(refused > 1000);
}

void test_files_on_disk()
{
  CHECK_MESSAGE(read_safetensors("no/such/file.safetensors"), "No such file or directory");
  CHECK_MESSAGE(read_safetensors("/"), "it is not a file");
  const std::string path = "test_safetensors.tmp";
  const auto whole = RandomModel(ModelShape()).writer.bytes();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char *>(whole.data()), static_cast<std::streamsize>(whole.size()));
  CHECK_EQUAL(read_model_file(read_safetensors(path)).layers, 2);
  std::remove(path.c_str());
}

}    // namespace

int main()
{
  test_whole_file();
  test_damaged_files();
  test_numbers();
  test_every_place();
  test_files_on_disk();
  return check::failures();
}
