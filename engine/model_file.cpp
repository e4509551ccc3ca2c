#include "model_file.h"

#include "errors.h"
#include "metadata.h"
#include "safetensors.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace e3d::engine {

namespace {

  constexpr int max_width = 1 << 14;    // of a network or of the channels
  constexpr int max_types = 1 << 10;
  constexpr int max_layers = 16;    // as the kernels have room for
  constexpr int max_depth = 64;

  class Reader {
   public:
    explicit Reader(const Safetensors &file) : file_(file), meta_(file.metadata, file.origin) {}

    ModelFile read()
    {
      check_format();
      out_.origin = file_.origin;
      out_.metadata = file_.metadata;
      read_contract();
      out_.l_max = meta_.integer("l_max", 0, 3);
      out_.layers = meta_.integer("num_layers", 1, max_layers);
      out_.scalars = meta_.integer("num_scalar_features", 1, max_width);
      out_.channels = meta_.integer("num_tensor_features", 1, max_width);
      read_radial();
      const int weights = out_.channels * (out_.l_max + 1);
      out_.scalar_network = network("scalar_network", radial_width_, out_.scalars);
      out_.projection = linear("projection", out_.scalars, out_.scalars + weights);
      out_.tensor_weight = linear("tensor_weight", out_.scalars, weights);
      out_.layer_norm = per_type("layer_norm");
      out_.edge_scale = per_type("edge_scale");
      read_layers(weights);
      out_.readout = network("readout", out_.scalars * (out_.layers + 1), 1);
      read_pair_term();
      check_nothing_is_left();
      return std::move(out_);
    }

   private:
    const Safetensors &file_;
    const Metadata meta_;
    ModelFile out_;
    int radial_width_ = 0;
    std::set<std::string> used_;

    void check_format() const
    {
      const auto found = file_.metadata.find("format");
      if (found == file_.metadata.end())
        throw Error("'" + file_.origin +
                    "' is a safetensors file, but no model of e3d: it has no metadata key 'format'; "
                    "make one with 'e3d export MODEL OUT.safetensors'");
      if (found->second != "e3d-weights/1")
        throw Error("'" + file_.origin + "': expected the format e3d-weights/1, got '" + found->second +
                    "'; update e3d-lmp, or export the model again with this version");
      const std::string &architecture = meta_.text("architecture");
      if (architecture != "allegro/1")
        throw Error("'" + file_.origin +
                    "': expected the architecture allegro/1 (nequip-allegro 0.8), got '" + architecture +
                    "', which this engine does not know; update e3d-lmp");
    }

    void read_contract()
    {
      out_.type_names = meta_.words("type_names");
      out_.type_elements = meta_.words("type_elements");
      const std::size_t n = out_.type_names.size();
      if (n == 0 || n > max_types)
        meta_.fail("expected 1 to " + std::to_string(max_types) + " types, got " + std::to_string(n));
      if (std::set<std::string>(out_.type_names.begin(), out_.type_names.end()).size() != n)
        meta_.fail("the metadata key 'type_names' holds a name twice");
      if (out_.type_elements.size() != n)
        meta_.fail("expected " + std::to_string(n) + " type_elements, got " +
                   std::to_string(out_.type_elements.size()));
      out_.r_max = meta_.real("r_max");
      out_.cutoffs = meta_.reals("cutoffs", n * n);
      out_.shifts = meta_.reals("shifts", n);
      out_.scales = meta_.reals("scales", n);
      for (double cutoff : out_.cutoffs)
        if (!(cutoff > 0.0 && cutoff <= out_.r_max && cutoff < 1e6))
          meta_.fail("the metadata key 'cutoffs' must hold positive lengths within r_max");
      out_.decomposition = meta_.choice("decomposition", {"cohesive", "rescaled"});
      out_.model_dtype = meta_.choice("model_dtype", {"float32", "float64"});
    }

    void read_radial()
    {
      RadialEmbedding &radial = out_.radial;
      const int types = out_.types();
      radial_width_ = meta_.integer("radial_width", 1, max_width);
      if (meta_.choice("radial_basis", {"bessel", "spline"}) == "bessel") {
        radial.basis = RadialBasis::bessel;
        if (radial_width_ % 2)
          meta_.fail("expected an even radial_width, got " + std::to_string(radial_width_));
        radial.cutoff_power = cutoff_power("radial_cutoff_power");
        radial.roots = vector("radial.roots");
        const int functions = static_cast<int>(radial.roots.size());
        radial.basis_weight = linear("radial.basis", functions, radial_width_);
        radial.centre = matrix("radial.centre", types, radial_width_ / 2);
        radial.neighbour = matrix("radial.neighbour", types, radial_width_ / 2);
      } else {
        radial.basis = RadialBasis::spline;
        radial.splines = meta_.integer("num_splines", 1, max_width);
        radial.span = meta_.integer("spline_span", 0, radial.splines);
        expect("radial.spline", {types, types, radial_width_, radial.splines});
        radial.spline_weight = as_matrix("radial.spline", types * types * radial_width_, radial.splines);
      }
    }

    void read_layers(int weights)
    {
      const auto dims =
          meta_.integers("tensor_components", static_cast<std::size_t>(out_.layers) + 1, 1, max_width);
      if (dims.front() != out_.components() || dims.back() != 1)
        meta_.fail("expected tensor_components from " + std::to_string(out_.components()) + " to 1, got '" +
                   meta_.text("tensor_components") + "'");
      for (int n = 0; n < out_.layers; n++) {
        out_.products.push_back(
            tensor_product("layers." + std::to_string(n) + ".product", dims[n], dims[n + 1]));
        const int outputs = out_.scalars + (n + 1 < out_.layers ? weights : 0);
        out_.latents.push_back(network("layers." + std::to_string(n) + ".latent",
                                       out_.scalars * (n + 1) + out_.channels, outputs));
      }
    }

    TensorProduct tensor_product(const std::string &name, int in, int out)
    {
      TensorProduct product;
      product.in = in;
      product.environment = out_.components();
      product.out = out;
      const Tensor &weights = find(name + ".weights");
      if (weights.shape.size() != 2 || weights.shape[1] < 1 ||
          (weights.shape[0] != 1 && weights.shape[0] != out_.channels))
        wrong_shape(name + ".weights", "(" + std::to_string(out_.channels) + " or 1, paths)");
      const int paths = static_cast<int>(std::min<std::int64_t>(weights.shape[1], max_width));
      expect(name + ".weights", {weights.shape[0], paths});
      const auto numbers = file_.reals(name + ".weights");
      product.path_weight = Matrix(paths, out_.channels);
      for (int p = 0; p < paths; p++)
        for (int u = 0; u < out_.channels; u++)
          product.path_weight(p, u) =
              numbers[(weights.shape[0] == 1 ? 0 : u) * static_cast<std::size_t>(paths) + p];

      const auto values = vector(name + ".values");
      expect(name + ".terms", {static_cast<std::int64_t>(values.size()), 4});
      const auto index = file_.integers(name + ".terms");
      const std::int64_t limit[4] = {paths, in, product.environment, out};
      std::set<std::vector<std::int64_t>> seen;
      for (std::size_t t = 0; t < values.size(); t++) {
        const std::int64_t *at = index.data() + 4 * t;
        for (int d = 0; d < 4; d++)
          if (at[d] < 0 || at[d] >= limit[d])
            damaged("the index " + std::to_string(at[d]) + " in '" + name + ".terms' is not below " +
                    std::to_string(limit[d]));
        if (!seen.insert({at, at + 4}).second) damaged("'" + name + ".terms' holds a term twice");
        product.terms.push_back({int(at[0]), int(at[1]), int(at[2]), int(at[3]), values[t]});
      }
      return product;
    }

    void read_pair_term()
    {
      out_.has_zbl = meta_.choice("pair_term", {"none", "zbl"}) == "zbl";
      if (!out_.has_zbl) return;
      out_.zbl.charge = vector("zbl.charge");
      if (static_cast<int>(out_.zbl.charge.size()) != out_.types())
        wrong_shape("zbl.charge", "(" + std::to_string(out_.types()) + ")");
      for (double charge : out_.zbl.charge)
        if (!(charge >= 1.0 && charge < 200.0)) damaged("'zbl.charge' holds no nuclear charges");
      out_.zbl.prefactor = meta_.real("zbl_prefactor");
      out_.zbl.cutoff_power = cutoff_power("zbl_cutoff_power");
    }

    double cutoff_power(const std::string &key) const
    {
      const double p = meta_.real(key);
      if (!(p >= 2.0 && p <= 100.0))
        meta_.fail("expected a number from 2 to 100 for the metadata key '" + key + "'");
      return p;
    }

    // `name`.0, `name`.1, ...: width by width from `in` to `out`.
    Network network(const std::string &name, int in, int out)
    {
      Network network;
      const int depth = meta_.integer(name + ".depth", 0, max_depth);
      const int width = depth ? meta_.integer(name + ".width", 1, max_width) : 0;
      network.linear = meta_.choice(name + ".activation", {"silu", "none"}) == "none";
      for (int k = 0; k <= depth; k++)
        network.matrices.push_back(
            linear(name + "." + std::to_string(k), k == 0 ? in : width, k == depth ? out : width));
      return network;
    }

    // A weight matrix and its gain, which is a tensor of its own: both are kept as the model has rounded
    // them.
    Matrix linear(const std::string &name, int rows, int columns)
    {
      Matrix out = matrix(name + ".weight", rows, columns);
      expect(name + ".gain", {});
      const double gain = file_.reals(name + ".gain")[0];
      for (double &x : out.numbers) x *= gain;
      return out;
    }

    Matrix matrix(const std::string &name, int rows, int columns)
    {
      expect(name, {rows, columns});
      return as_matrix(name, rows, columns);
    }

    Matrix as_matrix(const std::string &name, int rows, int columns) const
    {
      Matrix out;
      out.rows = rows;
      out.columns = columns;
      out.numbers = file_.reals(name);
      return out;
    }

    std::vector<double> vector(const std::string &name)
    {
      const Tensor &tensor = find(name);
      if (tensor.shape.size() != 1 || tensor.count < 1 || tensor.count > (1 << 24)) wrong_shape(name, "(n)");
      return file_.reals(name);
    }

    std::vector<double> per_type(const std::string &name)
    {
      auto out = vector(name);
      const std::size_t types = out_.type_names.size();
      if (out.size() == 1) out.resize(types, out[0]);
      if (out.size() != types) wrong_shape(name, "(1) or (" + std::to_string(types) + ")");
      return out;
    }

    const Tensor &find(const std::string &name)
    {
      const auto found = file_.tensors.find(name);
      if (found == file_.tensors.end()) damaged("the tensor '" + name + "' is missing");
      used_.insert(name);
      return found->second;
    }

    void expect(const std::string &name, const std::vector<std::int64_t> &shape)
    {
      if (find(name).shape == shape) return;
      Tensor wanted;
      wanted.shape = shape;
      wrong_shape(name, wanted.shape_text());
    }

    [[noreturn]] void wrong_shape(const std::string &name, const std::string &wanted)
    {
      damaged("expected the tensor '" + name + "' with the shape " + wanted + ", got " +
              find(name).shape_text());
    }

    [[noreturn]] void damaged(const std::string &what) const { meta_.fail(what); }

    // A tensor that nobody read would be a part of the model that is left out in silence.
    void check_nothing_is_left() const
    {
      for (const auto &item : file_.tensors)
        if (!used_.count(item.first))
          damaged("the tensor '" + item.first + "' is not one of this architecture");
    }
  };

}    // namespace

ModelFile read_model_file(const Safetensors &file)
{
  return Reader(file).read();
}

}    // namespace e3d::engine
