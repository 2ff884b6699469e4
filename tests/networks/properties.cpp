#include "networks/properties.h"

#include <gtest/gtest.h>

#include "load/onnx/run.h"
#include "networks/rounding.h"
#include "support/networks.h"
#include "support/support.h"
#include "tangra/verify/verify.h"

namespace tangra::test::networks {

template <class T>
Tensor<T> outputs_of(const SharedGraph& graph, Tensor<T> samples) {
  std::vector<Tensor<T>> inputs;
  inputs.push_back(std::move(samples));
  return onnx::run<T>(graph, std::move(inputs)).front().clone();
}

template <class T>
void expect_same(const Tensor<T>& a, const Tensor<T>& b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (Index k = 0; k < a.size(); ++k) ASSERT_EQ(a[k], b[k]) << what << ", entry " << k;
}

void expect_every_way_agrees(const SharedGraph& graph, const Tensor<double>& samples,
                             const std::string& reduce) {
  const verify::Problem problem =
      verify::problem_of(graph, samples.clone(), graph->outputs[0], kernel::parse_reduction(reduce));
  const TestContext test;
  const verify::VerifyOptions options;
  const auto result = verify::verify(problem, verify::default_methods(options), options, test.context);
  EXPECT_TRUE(result.agree) << reduce << ": " << result.first_failure;
  EXPECT_EQ(result.methods.size(), 4U);
  EXPECT_LE(10 * result.entries_excluded, graph->parameter_count() * samples.shape()[0]) << reduce;
}

namespace {

/// A part of the kernel of sample i with itself: [planes, full, full], out of that of all samples.
template <class T>
Tensor<T> own_block(const Tensor<T>& part, const factors::RowLayout& layout, Index i, Index count) {
  const Index full = layout.full;
  Tensor<T> block(Shape{layout.planes, full, full});
  for (Index entry = 0; entry < block.size(); ++entry) {
    const Index b = entry % full, a = entry / full % full, plane = entry / full / full;
    block[entry] = part[((plane * count + i) * full + a) * count * full + i * full + b];
  }
  return block;
}

template <class T>
void expect_within(const Tensor<T>& a, const Tensor<T>& b, const Tensor<double>& bounds,
                   const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  ASSERT_EQ(a.size(), bounds.size()) << what;
  for (Index k = 0; k < a.size(); ++k) ASSERT_NEAR(a[k], b[k], bounds[k]) << what << ", entry " << k;
}

factors::RowLayout layout_of(const SharedGraph& graph, const std::string& reduce) {
  return kernel::lower(kernel::parse_reduction(reduce), graph->shape(graph->outputs[0])).layout;
}

}  // namespace

template <class T>
void expect_samples_alone(const SharedGraph& graph, const Tensor<T>& samples, const std::string& reduce,
                          const Orders& orders) {
  const Index count = samples.shape()[0];
  const auto outputs = outputs_of(graph, samples.clone());
  const TestContext test;
  const auto layout = layout_of(graph, reduce);
  std::vector<std::optional<factors::Order>> all(orders.begin(), orders.end());
  all.emplace_back();
  for (const auto& order : all) {
    const KernelOptions options{
        .reduce = reduce, .order = order, .counts = factors::SampleCounts{.rows = count, .columns = 0}};
    const auto kernels = kernel_of<T>(graph, samples, nullptr, options, test.context);
    for (Index i = 0; i < count; ++i) {
      const auto sample = differentiate::rows_of(samples, i, i + 1);
      const std::string what = (order ? std::string(factors::name_of(*order)) : "orders as picked") +
                               ", sample " + std::to_string(i) + ", ";
      if (!order) {
        expect_same(outputs_of(graph, sample.clone()), differentiate::rows_of(outputs, i, i + 1),
                    what + "output");
      }
      const auto alone = kernel_of<T>(graph, sample, nullptr, options, test.context);
      for (std::size_t part = 0; part < kernels.names.size(); ++part) {
        expect_same(alone.parts[part], own_block(kernels.parts[part], layout, i, count),
                    what + kernels.names[part]);
      }
    }
  }
}

template <class T>
void expect_samples_near(const SharedGraph& graph, const Tensor<T>& samples, const std::string& reduce) {
  const Index count = samples.shape()[0];
  const TestContext test;
  const auto kernels = kernel_of<T>(graph, samples, nullptr, {.reduce = reduce}, test.context);
  for (Index i = 0; i < count; ++i) {
    const auto sample = differentiate::rows_of(samples, i, i + 1);
    const auto alone = kernel_of<T>(graph, sample, nullptr, {.reduce = reduce}, test.context);
    const auto bounds =
        rounding_bounds(graph, sample, reduce, {&kernels.report.plan, &alone.report.plan}, test.context);
    for (std::size_t part = 0; part < kernels.names.size(); ++part) {
      expect_within(alone.parts[part], own_block(kernels.parts[part], layout_of(graph, reduce), i, count),
                    bounds[part], "sample " + std::to_string(i) + ", " + kernels.names[part]);
    }
  }
}

template <class T>
void expect_orders_agree(const SharedGraph& graph, const Tensor<T>& samples, const std::string& reduce) {
  const TestContext test;
  const KernelOptions by_rows{.reduce = reduce, .order = factors::Order::explicit_rows};
  const auto rows = kernel_of<T>(graph, samples, nullptr, by_rows, test.context);
  for (const factors::Order order : every_order) {
    const auto other = kernel_of<T>(graph, samples, nullptr, {.reduce = reduce, .order = order}, test.context);
    const auto bounds =
        rounding_bounds(graph, samples, reduce, {&rows.report.plan, &other.report.plan}, test.context);
    for (std::size_t part = 0; part < rows.names.size(); ++part) {
      expect_within(other.parts[part], rows.parts[part], bounds[part],
                    std::string(factors::name_of(order)) + " of " + rows.names[part] + ", " + reduce);
    }
  }
}

void expect_no_trace_of_threads(const SharedGraph& graph, const Tensor<float>& samples,
                                const std::string& reduce) {
  const KernelOptions options{.reduce = reduce, .block_samples = 2};
  const TestContext one(1);
  const auto expected = kernel_of<float>(graph, samples, nullptr, options, one.context);
  for (const int threads : {2, 5}) {
    const TestContext more(threads);
    const auto found = kernel_of<float>(graph, samples, nullptr, options, more.context);
    for (std::size_t part = 0; part < expected.names.size(); ++part) {
      expect_same(found.parts[part], expected.parts[part], expected.names[part] + " of " + reduce);
    }
  }
}

template void expect_samples_alone<float>(const SharedGraph&, const Tensor<float>&, const std::string&,
                                          const Orders&);
template void expect_samples_alone<double>(const SharedGraph&, const Tensor<double>&, const std::string&,
                                           const Orders&);
template void expect_samples_near<float>(const SharedGraph&, const Tensor<float>&, const std::string&);
template void expect_samples_near<double>(const SharedGraph&, const Tensor<double>&, const std::string&);
template void expect_orders_agree<float>(const SharedGraph&, const Tensor<float>&, const std::string&);
template void expect_orders_agree<double>(const SharedGraph&, const Tensor<double>&, const std::string&);
template void expect_same<float>(const Tensor<float>&, const Tensor<float>&, const std::string&);
template void expect_same<double>(const Tensor<double>&, const Tensor<double>&, const std::string&);
template Tensor<float> outputs_of<float>(const SharedGraph&, Tensor<float>);
template Tensor<double> outputs_of<double>(const SharedGraph&, Tensor<double>);

}  // namespace tangra::test::networks
