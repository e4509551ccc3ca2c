// Typed access to the strings of a model file; what is missing or ill-formed is an error that names the key.
#ifndef E3D_ENGINE_METADATA_H
#define E3D_ENGINE_METADATA_H

#include <map>
#include <string>
#include <vector>

namespace e3d::engine {

class Metadata {
 public:
  Metadata(const std::map<std::string, std::string> &strings, const std::string &origin) :
      strings_(strings), origin_(origin)
  {
  }

  const std::string &text(const std::string &key) const;
  std::string choice(const std::string &key, const std::vector<std::string> &allowed) const;
  std::vector<std::string> words(const std::string &key) const;
  double real(const std::string &key) const;    // finite
  std::vector<double> reals(const std::string &key, std::size_t count) const;
  int integer(const std::string &key, int low, int high) const;    // within [low, high]
  std::vector<int> integers(const std::string &key, std::size_t count, int low, int high) const;

  [[noreturn]] void fail(const std::string &what) const;

 private:
  const std::map<std::string, std::string> &strings_;
  const std::string &origin_;
};

}    // namespace e3d::engine

#endif
