#include "report/results.h"

#include <limits>

namespace tangra::test {

run::Provenance provenance() {
  return {.version = "1.2.3",
          .machine = "An old processor, 2 cores",
          .simd_target = "AVX2",
          .threads = 2,
          .memory_budget = std::size_t{4} << 30,
          .model_fingerprint = 0xabc,
          .data_fingerprints = {0x123456789abcdef0U},
          .seconds = {{"load", 0.25}, {"contraction", 0.75}},
          .total_seconds = 1,
          .peak_bytes = std::size_t{3} << 20};
}

run::ModelSummary model_summary() {
  return {.name = "chain",
          .text = "Chain(Dense(2 => 2, sigmoid), Dense(2 => 1))",
          .input = Shape{2},
          .output_name = "output",
          .output = Shape{1},
          .parameters = 1234567,
          .frozen = 3};
}

run::DataSummary data_summary() {
  return {.name = "digits",
          .description = "divided by 16",
          .samples = 3,
          .shape = Shape{1, 8, 8},
          .labels = true};
}

run::SummaryResult summary_result() {
  run::SummaryResult result;
  result.model = model_summary();
  result.layers = {{.name = "0",
                    .op = "Dense",
                    .shape = Shape{2},
                    .parameters = {"0.weight", "0.bias"},
                    .parameter_count = 6}};
  result.parameters = {{.name = "0.weight",
                        .layer = "0",
                        .shape = Shape{2, 2},
                        .type = DType::float32,
                        .count = 4,
                        .bytes = 16,
                        .trainable = true,
                        .why = "the weight of a Dense layer"},
                       {.name = "0.bias",
                        .layer = "0",
                        .shape = Shape{2},
                        .type = DType::float32,
                        .count = 2,
                        .bytes = 8,
                        .trainable = false,
                        .why = "matches --buffers"}};
  result.parameter_bytes = 24;
  result.activation_bytes = 2048;
  return result;
}

run::ArraysResult arrays_result() {
  Tensor<double> values(Shape{2, 2});
  for (Index i = 0; i < 4; ++i) values[i] = static_cast<double>(i) - 1.5;
  run::ArraysResult result;
  result.command = "jacobian";
  result.model = model_summary();
  result.data = data_summary();
  result.arrays.push_back({"jacobian:0.weight", Array(values)});
  result.notes = {"full form"};
  result.precision = "float64";
  result.provenance = provenance();
  return result;
}

run::KernelResult kernel_result() {
  run::KernelResult result;
  result.requested.model.text = model_summary().text;
  result.requested.data.source = "digits";
  result.requested.data.n = 3;
  result.requested.reduce = "trace";
  result.requested.by = run::By::layer;
  result.model = model_summary();
  result.data = data_summary();
  result.reduce = "trace";
  result.conventions = "K[i,j] = sum over a of K[i,a,j,a]";
  result.method = "structured";
  result.precision = "float32";
  result.shape = Shape{3, 3};
  result.axes = {"samples", "samples2"};
  result.parts = {"0", "1", "total"};
  result.part_traces = {10, 30, 40};
  result.plan = {{.parameter = "0.weight with its bias",
                  .part = "0",
                  .order = "both Grams",
                  .reason = "cheaper",
                  .multiply_adds = 66,
                  .total_multiply_adds = 396,
                  .bytes = 1024,
                  .seconds = 0.25,
                  .orders = {{.order = "explicit rows", .multiply_adds = 4000, .bytes = 4096},
                             {.order = "both Grams", .multiply_adds = 396, .bytes = 1024}}}};
  result.expected = {{.step = "reverse", .multiply_adds = 100, .bytes = 2048, .seconds = 0.25},
                     {.step = "contraction", .multiply_adds = 396, .bytes = 1024, .seconds = 0.5}};
  result.block_samples = 128;
  result.multiply_adds = 396;
  result.statistics = {.trace = 40,
                       .smallest_diagonal = 9.09461,
                       .largest_diagonal = 14.229333,
                       .largest_entry = 14.229333,
                       .corner = {{14.229333, 11.1088}, {11.1088, 9.09461}}};
  result.measured_error = verify::MeasuredError{.largest_relative = 1.5e-7,
                                                .rms = 1e-7,
                                                .largest_entry = 14,
                                                .samples = {0, 1},
                                                .samples2 = {},
                                                .parameters = {},
                                                .entries = 4,
                                                .near_kinks = 2};
  result.out = "K.npz";
  result.provenance = provenance();
  return result;
}

run::VerifyRunResult verify_result(bool agree) {
  run::VerifyRunResult result;
  result.model = model_summary();
  result.data = data_summary();
  result.reduce = "full";
  result.provenance = provenance();
  result.result.agree = agree;
  result.result.methods = {"structured", "jacobian", "differences"};
  for (const char* parameter : {"0.weight", "0.bias", "total"}) {
    const bool wrong = !agree && std::string(parameter) != "0.weight";
    result.result.pairs.push_back({.parameter = parameter,
                                   .first = "structured",
                                   .second = "jacobian",
                                   .what = "kernel",
                                   .difference = wrong ? std::numeric_limits<double>::quiet_NaN() : 1.25e-15,
                                   .bound = 2.5e-12,
                                   .worst_ratio = 0.1,
                                   .largest_difference = 1.5e-15,
                                   .largest_entry = 14.5,
                                   .plane = 0,
                                   .row = 1,
                                   .column = 2,
                                   .agree = !wrong});
  }
  result.result.steps = 4321;
  result.result.steps_skipped = 17;
  if (!agree) {
    result.result.first_failure = "0.bias: structured and jacobian part";
    result.result.failed_parameter = "0.bias";
    result.result.odd_one_out = "structured";
  }
  return result;
}

run::TrainResult train_result(bool diverged) {
  run::TrainResult result;
  result.requested.optimizer = {.method = train::Method::gd, .rate = 0.5, .momentum = 0.9};
  result.requested.epochs = diverged ? 60 : 40;
  result.requested.batch_size = 64;
  result.requested.out = "W.safetensors";
  result.requested.checkpoint_every = 10;
  result.model = model_summary();
  result.data = data_summary();
  result.test = data_summary();
  result.loss = "half the squared distance of 1 to one-hot labels, mean over samples";
  result.precision = "float32";
  result.bound = run::RateBound{.largest_eigenvalue = 20, .bound = 0.19, .samples = 2, .converged = false,
                                .formula = "2 (1 + momentum) / lambda"};
  for (Index epoch = 0; epoch <= 40; ++epoch) {
    result.scores.push_back({.epoch = epoch, .steps = 2 * epoch, .train = {6.0, 2, 3}, .test = train::Score{1.5, 3, 3}});
  }
  result.kernel = "trace of 1 on 3 training samples";
  result.moments = {{.epoch = 0, .alignment = 1, .alignment_centred = 1, .trace = 3, .eigenvalues = {2, 1}},
                    {.epoch = 40, .distance = 0.125, .alignment = 0.96, .labels = 0.5, .trace = 4, .eigenvalues = {3, 1}}};
  if (diverged) result.divergence = train::Divergence{.epoch = 41, .step = 81, .what = "the loss is not a finite number"};
  if (!diverged) result.out = "W.safetensors";
  result.resumed_from = 20;
  result.last_checkpoint = 40;
  result.provenance = provenance();
  return result;
}

run::LineariseResult linearise_result() {
  run::LineariseResult result;
  result.model = model_summary();
  result.data = data_summary();
  result.test = data_summary();
  result.loss = "half the squared distance of 1 to one-hot labels, mean over samples";
  result.precision = "float64";
  result.bound = {.largest_eigenvalue = 2, .bound = 1, .samples = 3, .converged = true, .formula = "2 / lambda"};
  result.rate = 0.25;
  const run::LinearisedView start{.network = {6, 1, 3}, .linearised = {6, 1, 3}};
  const run::LinearisedView end{.network = {3, 2, 3}, .linearised = {1.5, 3, 3}, .distance = 0.125, .moved = 0.5};
  result.moments = {{.step = 0, .time = 0, .train = start, .test = start}, {.step = 1000, .time = 250, .train = end, .test = end}};
  result.largest_distance = 0.125;
  result.largest_distance_test = 0.126;
  result.kernel_distance = 0.0625;
  result.parameter_distance = 0.03125;
  result.out = "F.npz";
  result.provenance = provenance();
  return result;
}

run::SpectrumResult spectrum_result() {
  run::SpectrumResult result;
  result.source = "K.npy";
  result.shape = Shape{4, 4};
  result.spectrum.size = 4;
  result.spectrum.eigenvalues = {100, 1, 1e-3, -1e-9};
  result.spectrum.rounding_bound = 1e-6;
  result.spectrum.rounding_bound_from = "n eps |K| = 1e-6";
  result.spectrum.verdict = "semidefinite within rounding";
  result.spectrum.advice = "K is definite or not: rounding hides which";
  result.spectrum.within_rounding = 1;
  result.spectrum.condition = std::numeric_limits<double>::infinity();
  result.spectrum.trace = 101.001;
  result.spectrum.frobenius = 100.005;
  result.spectrum.effective_rank = 1.02;
  result.spectrum.entropy_rank = 1.06;
  result.spectrum.stable_rank = 1.0001;
  result.provenance = provenance();
  return result;
}

}  // namespace tangra::test
