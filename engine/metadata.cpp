#include "metadata.h"

#include "errors.h"

#include <cmath>
#include <cstdlib>
#include <sstream>

namespace e3d::engine {

namespace {

  // The whole word as a number, by the rules of C's strtod in the C locale; false if it is none.
  bool to_real(const std::string &word, double &value)
  {
    std::istringstream stream(word);
    stream.imbue(std::locale::classic());
    stream >> value;
    return !stream.fail() && stream.peek() == std::istringstream::traits_type::eof() && std::isfinite(value);
  }

  bool to_integer(const std::string &word, int low, int high, int &value)
  {
    std::istringstream stream(word);
    stream.imbue(std::locale::classic());
    long long wide = 0;
    stream >> wide;
    if (stream.fail() || stream.peek() != std::istringstream::traits_type::eof() || wide < low || wide > high)
      return false;
    value = static_cast<int>(wide);
    return true;
  }

}    // namespace

void Metadata::fail(const std::string &what) const
{
  throw Error("'" + origin_ + "': " + what + "; export the model again with 'e3d export'");
}

const std::string &Metadata::text(const std::string &key) const
{
  const auto found = strings_.find(key);
  if (found == strings_.end()) fail("the metadata key '" + key + "' is missing");
  return found->second;
}

std::string Metadata::choice(const std::string &key, const std::vector<std::string> &allowed) const
{
  const std::string &value = text(key);
  std::string list;
  for (const std::string &word : allowed) {
    if (value == word) return value;
    list += (list.empty() ? "" : " or ") + word;
  }
  fail("expected " + list + " for the metadata key '" + key + "', got '" + value + "'");
}

std::vector<std::string> Metadata::words(const std::string &key) const
{
  std::istringstream stream(text(key));
  std::vector<std::string> out;
  for (std::string word; stream >> word;) out.push_back(word);
  return out;
}

std::vector<double> Metadata::reals(const std::string &key, std::size_t count) const
{
  const auto list = words(key);
  if (list.size() != count)
    fail("expected " + std::to_string(count) + " numbers for the metadata key '" + key + "', got " +
         std::to_string(list.size()));
  std::vector<double> out(count);
  for (std::size_t k = 0; k < count; k++)
    if (!to_real(list[k], out[k]))
      fail("the metadata key '" + key + "' holds '" + list[k] + "', which is no number");
  return out;
}

double Metadata::real(const std::string &key) const
{
  return reals(key, 1)[0];
}

std::vector<int> Metadata::integers(const std::string &key, std::size_t count, int low, int high) const
{
  const auto list = words(key);
  if (list.size() != count)
    fail("expected " + std::to_string(count) + " whole numbers for the metadata key '" + key + "', got " +
         std::to_string(list.size()));
  std::vector<int> out(count);
  for (std::size_t k = 0; k < count; k++)
    if (!to_integer(list[k], low, high, out[k]))
      fail("expected whole numbers from " + std::to_string(low) + " to " + std::to_string(high) +
           " for the metadata key '" + key + "', got '" + list[k] + "'");
  return out;
}

int Metadata::integer(const std::string &key, int low, int high) const
{
  return integers(key, 1, low, high)[0];
}

}    // namespace e3d::engine
