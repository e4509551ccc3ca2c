// Models of any shape with random weights, as files in memory. Their tensor products have random entries: the
// algebra of the engine does not need them to be equivariant.
#ifndef E3D_TESTS_RANDOM_MODEL_H
#define E3D_TESTS_RANDOM_MODEL_H

#include "model_file.h"
#include "safetensors.h"

#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

struct ModelShape {
  unsigned seed = 1;
  int l_max = 2, layers = 2, scalars = 8, channels = 5;
  int scalar_depth = 1, latent_depth = 1, readout_depth = 1, width = 6;
  bool spline = false, zbl = false, per_type = false, coupling = true, cutoffs = false;
  std::vector<int> track = {};    // components between the layers; empty: those of the harmonics
  int types = 2;
  double r_max = 4.5;
};

// A safetensors file, written the plain way.
class FileWriter {
 public:
  std::map<std::string, std::string> metadata;

  void add(const std::string &name, const std::vector<std::int64_t> &shape,
           const std::vector<double> &numbers)
  {
    put(name, "F64", shape, numbers.data(), numbers.size() * 8);
  }
  void add(const std::string &name, const std::vector<std::int64_t> &shape,
           const std::vector<std::int32_t> &numbers)
  {
    put(name, "I32", shape, numbers.data(), numbers.size() * 4);
  }
  void remove(const std::string &name) { tensors_.erase(name); }

  std::vector<unsigned char> bytes() const
  {
    std::string header = "{\"__metadata__\":{", data;
    for (const auto &item : metadata) {
      if (header.back() != '{') header += ",";
      header += "\"" + item.first + "\":\"" + item.second + "\"";
    }
    header += "}";
    for (const auto &item : tensors_) {
      const Stored &t = item.second;
      header += ",\"" + item.first + "\":{\"dtype\":\"" + t.dtype + "\",\"shape\":[";
      for (std::size_t d = 0; d < t.shape.size(); d++) header += (d ? "," : "") + std::to_string(t.shape[d]);
      header += "],\"data_offsets\":[" + std::to_string(data.size()) + "," +
          std::to_string(data.size() + t.bytes.size()) + "]}";
      data += t.bytes;
    }
    header += "}";
    std::vector<unsigned char> out(8);
    const std::uint64_t length = header.size();
    std::memcpy(out.data(), &length, 8);
    out.insert(out.end(), header.begin(), header.end());
    out.insert(out.end(), data.begin(), data.end());
    return out;
  }

 private:
  struct Stored {
    std::string dtype;
    std::vector<std::int64_t> shape;
    std::string bytes;
  };
  std::map<std::string, Stored> tensors_;

  void put(const std::string &name, const char *dtype, const std::vector<std::int64_t> &shape,
           const void *data, std::size_t size)
  {
    Stored &t = tensors_[name];
    t.dtype = dtype;
    t.shape = shape;
    t.bytes.assign(static_cast<const char *>(data), size);
  }
};

class RandomModel {
 public:
  explicit RandomModel(const ModelShape &shape) : s_(shape), random_(shape.seed)
  {
    const int irreps = s_.l_max + 1, J = irreps * irreps, weights = s_.channels * irreps;
    auto &meta = writer.metadata;
    std::string names, cutoffs, shifts, scales, track;
    for (int t = 0; t < s_.types; t++) {
      names += (t ? " " : "") + std::string(1, static_cast<char>('A' + t));
      shifts += " " + std::to_string(s_.per_type ? -1.5 - t : 0.0);
      scales += " 1.0";
    }
    for (int p = 0; p < s_.types * s_.types; p++)
      cutoffs += " " + std::to_string(s_.cutoffs ? s_.r_max * (1.0 - 0.07 * p) : s_.r_max);
    meta = {{"format", "e3d-weights/1"},
            {"architecture", "allegro/1"},
            {"type_names", names},
            {"type_elements", names},
            {"r_max", std::to_string(s_.r_max)},
            {"cutoffs", cutoffs},
            {"shifts", shifts},
            {"scales", scales},
            {"decomposition", "rescaled"},
            {"model_dtype", "float64"},
            {"l_max", std::to_string(s_.l_max)},
            {"num_layers", std::to_string(s_.layers)},
            {"num_scalar_features", std::to_string(s_.scalars)},
            {"num_tensor_features", std::to_string(s_.channels)},
            {"pair_term", s_.zbl ? "zbl" : "none"}};
    const int radial_width = 8;
    meta["radial_width"] = std::to_string(radial_width);
    if (s_.spline) {
      meta["radial_basis"] = "spline";
      meta["num_splines"] = "7";
      meta["spline_span"] = "4";
      numbers("radial.spline", {s_.types, s_.types, radial_width, 7}, 1.0);
    } else {
      meta["radial_basis"] = "bessel";
      meta["radial_cutoff_power"] = "6.0";
      writer.add("radial.roots", {5}, std::vector<double>{1.0, 2.0, 3.1, 4.0, 5.0});
      linear("radial.basis", 5, radial_width);
      numbers("radial.centre", {s_.types, radial_width / 2}, 1.0);
      numbers("radial.neighbour", {s_.types, radial_width / 2}, 1.0);
    }
    network("scalar_network", s_.scalar_depth, radial_width, s_.scalars);
    linear("projection", s_.scalars, s_.scalars + weights);
    linear("tensor_weight", s_.scalars, weights);
    writer.add("layer_norm", {1}, std::vector<double>{0.3});
    std::vector<double> scale(s_.types, 0.4);
    if (s_.per_type)
      for (int t = 0; t < s_.types; t++) scale[t] += 0.1 * t;
    writer.add("edge_scale", {s_.types}, scale);
    for (int n = 0; n < s_.layers; n++) {
      const std::string name = "layers." + std::to_string(n);
      const int in = components(n), out = components(n + 1);
      track += (n ? " " : "") + std::to_string(in);
      product(name + ".product", in, J, out);
      network(name + ".latent", s_.latent_depth, s_.scalars * (n + 1) + s_.channels,
              s_.scalars + (n + 1 < s_.layers ? weights : 0));
    }
    meta["tensor_components"] = track + " 1";
    network("readout", s_.readout_depth, s_.scalars * (s_.layers + 1), 1);
    if (s_.zbl) {
      meta["zbl_prefactor"] = "7.1998225";
      meta["zbl_cutoff_power"] = "6.0";
      std::vector<double> charge;
      for (int t = 0; t < s_.types; t++) charge.push_back(1.0 + 5.0 * t);
      writer.add("zbl.charge", {s_.types}, charge);
    }
  }

  FileWriter writer;

  e3d::engine::ModelFile file() const
  {
    const auto bytes = writer.bytes();
    return e3d::engine::read_model_file(e3d::engine::parse_safetensors(bytes.data(), bytes.size(), "random"));
  }

 private:
  const ModelShape s_;
  std::mt19937_64 random_;

  double uniform(double width)
  {
    return width * (2.0 * static_cast<double>(random_() >> 11) * 0x1p-53 - 1.0);
  }

  int components(int n) const
  {
    if (n == s_.layers) return 1;
    if (n == 0 || s_.track.empty()) return (s_.l_max + 1) * (s_.l_max + 1);
    return s_.track.at(static_cast<std::size_t>(n) - 1);
  }

  void numbers(const std::string &name, const std::vector<std::int64_t> &shape, double width)
  {
    std::int64_t count = 1;
    for (std::int64_t n : shape) count *= n;
    std::vector<double> out(static_cast<std::size_t>(count));
    for (double &x : out) x = uniform(width);
    writer.add(name, shape, out);
  }

  void linear(const std::string &name, int rows, int columns)
  {
    numbers(name + ".weight", {rows, columns}, 1.7);
    writer.add(name + ".gain", {}, std::vector<double>{1.0 / std::sqrt(static_cast<double>(rows))});
  }

  void network(const std::string &name, int depth, int in, int out)
  {
    writer.metadata[name + ".depth"] = std::to_string(depth);
    writer.metadata[name + ".width"] = std::to_string(s_.width);
    writer.metadata[name + ".activation"] = depth ? "silu" : "none";
    for (int k = 0; k <= depth; k++)
      linear(name + "." + std::to_string(k), k == 0 ? in : s_.width, k == depth ? out : s_.width);
  }

  void product(const std::string &name, int in, int environment, int out)
  {
    const int paths = 3;
    numbers(name + ".weights", {s_.coupling ? s_.channels : 1, paths}, 1.5);
    std::vector<std::int32_t> terms;
    std::vector<double> values;
    for (int p = 0; p < paths; p++)
      for (int i = 0; i < in; i++)
        for (int j = 0; j < environment; j++)
          for (int k = 0; k < out; k++)
            if (random_() % (static_cast<unsigned>(in) * 2u) < 2u) {
              terms.insert(terms.end(), {p, i, j, k});
              values.push_back(uniform(1.0));
            }
    if (values.empty()) {
      terms = {0, 0, 0, 0};
      values = {1.0};
    }
    writer.add(name + ".terms", {static_cast<std::int64_t>(values.size()), 4}, terms);
    writer.add(name + ".values", {static_cast<std::int64_t>(values.size())}, values);
  }
};

// Edges of some centres with random directions and lengths from `shortest` to `longest`.
struct RandomEdges {
  std::vector<std::int64_t> first = {0};
  std::vector<std::int32_t> centre_type, neighbour_type;
  std::vector<double> vector;

  RandomEdges(unsigned seed, const std::vector<int> &counts, int types, double shortest, double longest)
  {
    std::mt19937_64 random(seed);
    const auto uniform = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
    for (int count : counts) {
      centre_type.push_back(static_cast<std::int32_t>(random() % static_cast<unsigned>(types)));
      for (int e = 0; e < count; e++) {
        double v[3], square;
        do {
          square = 0;
          for (double &x : v) {
            x = 2.0 * uniform() - 1.0;
            square += x * x;
          }
        } while (square > 1.0 || square < 1e-3);
        const double r = shortest + (longest - shortest) * uniform();
        for (double x : v) vector.push_back(x * r / std::sqrt(square));
        neighbour_type.push_back(static_cast<std::int32_t>(random() % static_cast<unsigned>(types)));
      }
      first.push_back(first.back() + count);
    }
  }
};

#endif
