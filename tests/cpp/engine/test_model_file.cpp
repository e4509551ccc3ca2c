// What a model file must hold: each thing that is missing or wrong is named.
#include "check.h"
#include "errors.h"
#include "random_model.h"

#include <functional>

using namespace e3d::engine;

namespace {

std::string refusal(const std::function<void(FileWriter &)> &change, const ModelShape &shape = ModelShape())
{
  RandomModel model(shape);
  change(model.writer);
  return check::thrown([&] { model.file(); });
}

void expect(const std::string &message, const std::string &part)
{
  if (message.find(part) == std::string::npos)
    check::fail(__FILE__, __LINE__, "'" + message + "' does not say '" + part + "'");
}

void test_metadata()
{
  const auto set = [](const char *key, const char *value) {
    return refusal([&](FileWriter &w) { w.metadata[key] = value; });
  };
  expect(refusal([](FileWriter &w) { w.metadata.erase("format"); }), "no model of e3d");
  expect(set("format", "e3d-weights/2"),
         "expected the format e3d-weights/1, got 'e3d-weights/2'; update e3d-lmp");
  expect(set("architecture", "allegro/2"),
         "expected the architecture allegro/1 (nequip-allegro 0.8), got 'allegro/2'");
  for (const char *key : {"type_names", "cutoffs", "shifts", "decomposition", "model_dtype", "l_max",
                          "num_layers", "readout.depth", "tensor_components", "radial_basis", "pair_term"})
    expect(refusal([&](FileWriter &w) { w.metadata.erase(key); }),
           std::string("the metadata key '") + key + "' is missing");
  expect(set("l_max", "4"), "expected whole numbers from 0 to 3");
  expect(set("num_layers", "1000000000"), "from 1 to 16");
  expect(set("num_scalar_features", "99999999999999999999"), "from 1 to 16384");
  expect(set("type_names", "A A"), "a name twice");
  expect(set("type_names", "A"), "type_elements");
  expect(set("cutoffs", "1 2 3"), "expected 4 numbers");
  expect(set("cutoffs", "1 2 3 x"), "'x', which is no number");
  expect(set("cutoffs", "1 2 3 nan"), "no number");
  expect(set("cutoffs", "1 2 -3 4"), "positive lengths within r_max");
  expect(set("cutoffs", "1 2 3 9"), "positive lengths within r_max");
  expect(set("decomposition", "perhaps"), "cohesive or rescaled");
  expect(set("model_dtype", "float16"), "float32 or float64");
  expect(set("tensor_components", "9 9 2"), "to 1");
  expect(set("scalar_network.activation", "mish"), "silu or none");
}

void test_tensors()
{
  expect(refusal([](FileWriter &w) { w.remove("projection.weight"); }),
         "the tensor 'projection.weight' is missing");
  expect(refusal([](FileWriter &w) { w.remove("readout.1.gain"); }), "'readout.1.gain' is missing");
  expect(refusal([](FileWriter &w) { w.add("layer_norm", {3}, std::vector<double>{1, 2, 3}); }),
         "expected the tensor 'layer_norm'");
  expect(refusal([](FileWriter &w) { w.add("readout.1.weight", {1, 6}, std::vector<double>(6)); }),
         "expected the tensor 'readout.1.weight' with the shape (6, 1), got (1, 6)");
  expect(refusal([](FileWriter &w) { w.add("edge_scale", {2}, std::vector<std::int32_t>{1, 2}); }),
         "as F32 or F64, got I32");
  expect(refusal([](FileWriter &w) { w.add("edge_scale", {2}, std::vector<double>{1, std::nan("")}); }),
         "'edge_scale' is NaN");
  expect(refusal([](FileWriter &w) { w.add("edge_scale", {2}, std::vector<double>{1, INFINITY}); }),
         "'edge_scale' is infinite");
  expect(refusal([](FileWriter &w) { w.add("extra", {1}, std::vector<double>{1}); }),
         "'extra' is not one of this architecture");
  const auto terms = [](std::vector<std::int32_t> t) {
    return refusal([&](FileWriter &w) {
      w.add("layers.1.product.terms", {static_cast<std::int64_t>(t.size() / 4), 4}, t);
      w.add("layers.1.product.values", {static_cast<std::int64_t>(t.size() / 4)},
            std::vector<double>(t.size() / 4, 1.0));
    });
  };
  expect(terms({0, 0, 0, 1}), "the index 1 in 'layers.1.product.terms' is not below 1");
  expect(terms({3, 0, 0, 0}), "is not below 3");
  expect(terms({0, -1, 0, 0}), "the index -1");
  expect(terms({0, 1, 0, 0, 0, 1, 0, 0}), "a term twice");
  ModelShape shape;
  shape.zbl = true;
  expect(refusal([](FileWriter &w) { w.add("zbl.charge", {2}, std::vector<double>{0.0, 1.0}); }, shape),
         "nuclear charges");
}

void test_shapes_are_read()
{
  ModelShape shape;
  shape.spline = shape.zbl = shape.per_type = true;
  shape.coupling = false;
  shape.l_max = 1;
  shape.layers = 3;
  shape.track = {7, 2};
  const ModelFile file = RandomModel(shape).file();
  CHECK_EQUAL(file.products[1].in, 7);
  CHECK_EQUAL(file.products[1].out, 2);
  CHECK_EQUAL(file.products[0].path_weight.columns, shape.channels);
  CHECK_EQUAL(file.products[0].path_weight(1, 0), file.products[0].path_weight(1, 3));
  CHECK_EQUAL(file.types(), 2);
  CHECK(file.has_zbl);
}

}    // namespace

int main()
{
  test_metadata();
  test_tensors();
  test_shapes_are_read();
  return check::failures();
}
