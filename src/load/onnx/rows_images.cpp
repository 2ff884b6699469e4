// Rows of the lowering table: operators on images with channels, (N, C, spatial).
#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/load/onnx/lowering.h"

namespace tangra::load::onnx {
namespace {

using Body = ValueId (*)(Lower&, ValueId image, const std::string& suffix);

/// More images of one sample than this are not taken one by one.
constexpr Index most_images = 1024;

/// Applies `body` to each image (C, spatial) of the first axis: in nearly all networks there is one for a
/// sample.
template <class Apply>
void each_image(Lower& call, const Apply& body) {
  Fact& x = call.in(0);
  if (x.shape.rank() < 2)
    call.refuse("the input is no image with channels", to_string(x.shape), "(N, C, ...)");
  const Place place = call.place(0);
  if (place && place->axis != 0) call.refuse_mixing("the samples must lie along the first axis");
  const Index images = x.shape[0];
  const Shape one = tail(x.shape);
  if (images == 1) {
    const ValueId y = body(call.value(x, one), std::string());
    return call.result(0, y, call.graph_shape(y).with_leading(1), place);
  }
  if (images < 1 || images > most_images) {
    call.refuse_mode("one sample holds too many images", std::to_string(images),
                     "1 to " + std::to_string(most_images));
  }
  const ValueId all = call.value(x, x.shape);
  std::vector<ValueId> results;
  Shape shape;
  for (Index k = 0; k < images; ++k) {
    const std::string suffix = "." + std::to_string(k);
    const ValueId slice = call.apply("Slice", {all},
                                     {{"axes", std::vector<Index>{0}},
                                      {"starts", std::vector<Index>{k}},
                                      {"ends", std::vector<Index>{k + 1}}},
                                     suffix + ".image");
    const ValueId y = body(call.shaped(slice, one), suffix);
    shape = call.graph_shape(y).with_leading(1);
    results.push_back(call.shaped(y, shape));
  }
  const ValueId y = call.apply("Concat", results, {{"axis", Index{0}}});
  shape[0] = images;
  call.result(0, y, shape, place);
}

ValueId parameter(Lower& call, std::size_t input) {
  Fact& fact = call.in(input);
  if (call.place(input)) call.refuse_mixing("the samples must be in the first input alone");
  return call.value(fact, fact.shape);
}

void check_outputs(Lower& call) {
  for (std::size_t k = 1; k < call.node.outputs.size(); ++k) {
    if (call.wants(k)) {
      call.refuse_mode("only the first result is computed", "output " + call.node.outputs[k] + " as well",
                       "one output");
    }
  }
}

void convolution(Lower& call) {
  const Attributes attributes = call.only({"auto_pad", "dilations", "group", "kernel_shape", "pads",
                                           "strides", "output_padding", "output_shape"});
  std::vector<ValueId> others{parameter(call, 1)};
  if (call.has(2)) others.push_back(parameter(call, 2));
  each_image(call, [&](ValueId image, const std::string& suffix) {
    std::vector<ValueId> inputs{image};
    inputs.insert(inputs.end(), others.begin(), others.end());
    return call.apply(call.node.op, inputs, attributes, suffix);
  });
}

void pooling(Lower& call) {
  check_outputs(call);
  if (call.node.attributes.integer("storage_order", 0) != 0) call.refuse_mode("storage_order 1 is not read");
  const Attributes attributes = call.only(
      {"auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "p", "pads", "strides"});
  each_image(call, [&](ValueId image, const std::string& suffix) {
    return call.apply(call.node.op, {image}, attributes, suffix);
  });
}

/// Statistics of one sample, by channel or group of channels.
void normalisation(Lower& call) {
  const std::vector<ValueId> others{parameter(call, 1), parameter(call, 2)};
  const Attributes attributes = call.only({"epsilon", "num_groups"});
  each_image(call, [&](ValueId image, const std::string& suffix) {
    return call.apply(call.node.op, {image, others[0], others[1]}, attributes, suffix);
  });
}

void response(Lower& call) {
  const Attributes attributes = call.only({"alpha", "beta", "bias", "size"});
  each_image(call, [&](ValueId image, const std::string& suffix) {
    return call.apply("LRN", {image}, attributes, suffix);
  });
}

/// By its running statistics each entry is treated by itself, so the samples may be anywhere but along the
/// channels. A use for every image would be wasteful: channels go to the front instead.
void batch_normalisation(Lower& call) {
  // Before version 14 more outputs than one are what says so (before 7, is_test).
  const bool training = call.opset < 14 ? call.opset >= 7 && call.node.outputs.size() > 1
                                        : call.node.attributes.integer("training_mode", 0) != 0;
  if (training) call.refuse_mixing("the normalisation is in training mode, by the statistics of the batch");
  check_outputs(call);
  if (call.node.attributes.integer("spatial", 1) == 0)
    call.refuse_mode("statistics by position (spatial = 0) are not read");
  Fact& x = call.in(0);
  if (x.shape.rank() < 1) call.refuse("the input has no channels", to_string(x.shape));
  const Place place = call.place(0);
  const Index channels = x.shape.rank() == 1 ? 0 : 1;
  if (place && place->axis == channels) call.refuse_mixing("the channels to normalise hold the samples");
  std::vector<ValueId> inputs{no_id};
  for (std::size_t k = 1; k < 5; ++k) {
    Fact& own = call.in(k);
    if (call.place(k)) call.refuse_mixing("the samples must be in the first input alone");
    inputs.push_back(call.value(own, own.shape));
  }
  const Attributes attributes = call.only({"epsilon"});
  if (channels == 0 || x.shape[0] == 1) {
    inputs[0] = call.value(x, channels == 0 ? x.shape : tail(x.shape));
    return call.result(0, call.apply("BatchNormalization", inputs, attributes), x.shape, place);
  }
  std::vector<Index> order(static_cast<std::size_t>(x.shape.rank()));
  for (std::size_t k = 0; k < order.size(); ++k) order[k] = static_cast<Index>(k);
  std::swap(order[0], order[1]);
  inputs[0] = call.apply("Transpose", {call.value(x, x.shape)}, {{"perm", order}}, ".channels");
  const ValueId y = call.apply("BatchNormalization", inputs, attributes, ".normalised");
  call.result(0, call.apply("Transpose", {y}, {{"perm", order}}), x.shape, place);
}

void regroup(Lower& call) {
  const Attributes attributes = call.only({"blocksize", "mode"});
  each_image(call, [&](ValueId image, const std::string& suffix) {
    return call.apply(call.node.op, {image}, attributes, suffix);
  });
}

/// The mean and 1 / sqrt(variance + epsilon) of a layer normalisation, where somebody asks for them.
void add_statistics(Lower& call, ValueId x, const Frame& frame, Index axis, const Place& place) {
  std::vector<Index> axes;
  for (Index a = axis; a < frame.shape.rank(); ++a) axes.push_back(a);
  const Attributes over{{"axes", axes}, {"keepdims", Index{1}}};
  const ValueId mean =
      call.apply("ReduceMean", {x}, over, call.wants(1) ? "" : ".mean", call.wants(1) ? 1 : 0);
  const Shape shape = frame.back(call.graph_shape(mean));
  if (call.wants(1)) call.result(1, mean, shape, place);
  if (!call.wants(2)) return;
  const ValueId centred = call.apply("Sub", {x, mean}, {}, ".centred");
  const ValueId variance =
      call.apply("ReduceMean", {call.apply("Mul", {centred, centred}, {}, ".square")}, over, ".variance");
  const ValueId epsilon = call.scalar(call.node.attributes.real("epsilon", 1e-5), ".epsilon");
  const ValueId deviation =
      call.apply("Sqrt", {call.apply("Add", {variance, epsilon}, {}, ".raised")}, {}, ".deviation");
  call.result(2, call.apply("Reciprocal", {deviation}, {}, "", 2), shape, place);
}

/// Over the axes from `axis` on.
void layer_normalisation(Lower& call) {
  Fact& x = call.in(0);
  const Index axis = call.axis(call.node.attributes.integer("axis", -1), x.shape.rank());
  const Place place = call.place(0);
  if (place && place->axis >= axis) call.refuse_mixing("it normalises across the samples");
  const Frame frame(x.shape, axis == 0);
  std::vector<ValueId> inputs{call.value(x, frame.shape)};
  for (std::size_t k = 1; k < call.count(); ++k) {
    if (call.has(k)) inputs.push_back(parameter(call, k));
  }
  Attributes attributes = call.only({"epsilon"});
  attributes.set("axis", frame.axis(axis));
  call.result(0, call.apply(call.node.op, inputs, attributes), x.shape, place);
  if (call.wants(1) || call.wants(2)) add_statistics(call, inputs[0], frame, frame.axis(axis), place);
}

}  // namespace

void add_image_rows(Rows& rows) {
  rows["Conv"] = {.lower = convolution};
  rows["ConvTranspose"] = {.lower = convolution};
  for (const char* op :
       {"MaxPool", "AveragePool", "LpPool", "GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool"}) {
    rows[op] = {.lower = pooling};
  }
  rows["InstanceNormalization"] = {.lower = normalisation};
  rows["GroupNormalization"] = {.lower = normalisation};
  rows["LRN"] = {.lower = response};
  rows["BatchNormalization"] = {.lower = batch_normalisation, .fixed = {3, 4}};
  rows["LayerNormalization"] = {.lower = layer_normalisation};
  rows["RMSNormalization"] = {.lower = layer_normalisation};
  rows["DepthToSpace"] = {.lower = regroup};
  rows["SpaceToDepth"] = {.lower = regroup};
}

}  // namespace tangra::load::onnx
