#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "support/support.h"
#include "tangra/formats/npy.h"
#include "tangra/run/report_data.h"

namespace tangra::run {
namespace {

/// A symmetric kernel whose entry tells of which classes its samples are, and a file of labels.
class RunReport : public testing::Test {
 protected:
  static double entry(Index i, Index j) {
    return 10.0 * static_cast<double>(i % 3) + static_cast<double>(j % 3) + (i == j ? 0.5 : 0) - 4;
  }

  ReportSpec stored(Index n) {
    Tensor<double> k(Shape{n, n});
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < n; ++j) k[i * n + j] = entry(i, j) + entry(j, i);
    }
    formats::write_npy(folder / "K.npy", Array(k));
    std::ofstream labels(folder / "labels.csv");
    for (Index i = 0; i < n; ++i) labels << i % 3 << "\n";
    ReportSpec spec;
    spec.sources = {(folder / "K.npy").string()};
    spec.labels_file = (folder / "labels.csv").string();
    return spec;
  }

  test::TemporaryFolder folder;
};

TEST_F(RunReport, SortsSamplesByClass) {
  constexpr Index n = 31;
  const ReportResult result = run_report(stored(n));
  ASSERT_TRUE(result.runs.at(0).picture);
  const HeatMap& map = *result.runs[0].picture;
  ASSERT_EQ(map.width, n);
  // 11 samples of class 0 come first, then 10 of class 1, 10 of class 2, each in their own order.
  std::vector<Index> order;
  for (Index c = 0; c < 3; ++c) {
    for (Index i = c; i < n; i += 3) order.push_back(i);
  }
  for (Index y = 0; y < n; ++y) {
    for (Index x = 0; x < n; ++x) {
      const Index i = order[static_cast<std::size_t>(y)], j = order[static_cast<std::size_t>(x)];
      ASSERT_EQ(map.pixels[static_cast<std::size_t>(y * n + x)], entry(i, j) + entry(j, i));
    }
  }
  ASSERT_EQ(map.row_bands.size(), 3U);
  EXPECT_EQ(map.row_bands[1].label, 1);
  EXPECT_NEAR(map.row_bands[1].begin, 11.0 / 31, 1e-12);
  EXPECT_NEAR(map.row_bands[2].end, 1, 1e-12);
  ASSERT_TRUE(result.runs[0].spectrum);
  EXPECT_TRUE(result.runs[0].spectrum->labels);
}

TEST_F(RunReport, AveragesLargeKernelsIntoPixels) {
  constexpr Index n = 501;
  ReportSpec spec = stored(n);
  spec.labels_file.clear();
  spec.most_rows = 100;
  const ReportResult result = run_report(spec);
  const HeatMap& map = *result.runs.at(0).picture;
  EXPECT_FALSE(result.runs[0].spectrum);
  EXPECT_TRUE(map.row_bands.empty());
  ASSERT_LT(map.width, n);
  const Index pixels = map.width;
  std::vector<double> sums(static_cast<std::size_t>(pixels * pixels)), counts(sums.size());
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) {
      const auto place = static_cast<std::size_t>(i * pixels / n * pixels + j * pixels / n);
      sums[place] += entry(i, j) + entry(j, i);
      counts[place] += 1;
    }
  }
  for (std::size_t k = 0; k < sums.size(); ++k) ASSERT_NEAR(map.pixels[k], sums[k] / counts[k], 1e-12);
  EXPECT_LE(map.low, map.high);
}

TEST(WidthSlope, IsThatOfAPowerLaw) {
  std::vector<std::pair<Index, double>> values;
  for (const Index width : {10, 20, 40, 80}) {
    // Scatter by equal factors up and down leaves the means of the logarithms where they are.
    for (const double factor : {1.25, 0.8})
      values.emplace_back(width, 3 * factor * std::pow(static_cast<double>(width), -0.5));
  }
  const WidthSlope slope = slope_of(values);
  EXPECT_NEAR(slope.slope, -0.5, 1e-12);
  // sigma^2 = 8 ln(1.25)^2 / 6; x has variance sum (1.5, 0.5, ..)^2 ln(2)^2 = 5 ln(2)^2, two values each.
  EXPECT_NEAR(slope.error, std::sqrt(8.0 / 6 / 2 / 5) * std::log(1.25) / std::log(2.0), 1e-12);
}

TEST(RunInfiniteWidths, ChangeHiddenLayersOnly) {
  InfiniteSpec spec;
  spec.model.text = "Chain(Dense(64 => 5, relu), Dense(5=>7,erf), Dense(7 => 2))";
  spec.model.parameterization = "ntk";
  spec.data.source = "digits";
  spec.data.n = 6;
  spec.widths = {40, 20};
  spec.seeds = 2;
  const InfiniteResult result = run_infinite(spec);
  ASSERT_EQ(result.convergence.size(), 4U);
  EXPECT_EQ(result.convergence[0].first, 20);
  EXPECT_EQ(result.convergence[3].first, 40);
  ASSERT_TRUE(result.slope);
  // The same from a file, and of a network that is loaded already.
  const test::TemporaryFolder folder;
  std::ofstream(folder / "network.txt") << spec.model.text;
  InfiniteSpec other = spec;
  other.model.text = (folder / "network.txt").string();
  EXPECT_EQ(run_infinite(other).convergence, result.convergence);
  other.model.graph = load::shared_model(other.model);
  EXPECT_EQ(run_infinite(other).convergence, result.convergence);
  // The same as networks written out.
  spec.widths.clear();
  spec.compare = true;
  spec.model.text = "Chain(Dense(64 => 20, relu), Dense(20=>20,erf), Dense(20 => 2))";
  spec.model.seed = 1;
  EXPECT_EQ(result.convergence[1].second, run_infinite(spec).comparison->distance);
  spec.compare = false;
  spec.widths = {4};
  spec.model.text = "Chain(Dense(64 => 2))";
  EXPECT_EQ(test::error_of([&] { run_infinite(spec); }).kind(), ErrorKind::usage);
}

}  // namespace
}  // namespace tangra::run
