#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "formats/files.h"
#include "support/support.h"
#include "tangra/data/data_set.h"
#include "tangra/formats/npy.h"
#include "tangra/formats/npz.h"

namespace tangra::data {
namespace {

using test::counting;
using test::from_hex;
using Range = std::pair<Index, Index>;

std::string write(const test::TemporaryFolder& folder, const std::string& name, const Array& array) {
  formats::write_npy(folder / name, array);
  return folder / name;
}

Array floats(const Shape& shape, const std::vector<float>& values) {
  Tensor<float> tensor(shape);
  std::copy(values.begin(), values.end(), tensor.begin());
  return Array(tensor);
}

Error refused(const DataSpec& spec) {
  return test::error_of([&] { load(spec); });
}

TEST(Load, TakesFilesAsTheyAreButBytesAndIntegersInFloat64) {
  const test::TemporaryFolder folder;
  for (const DType type :
       {DType::float16, DType::float32, DType::float64, DType::int8, DType::int16, DType::int32, DType::int64,
        DType::uint16, DType::uint32, DType::uint64, DType::boolean}) {
    const Array raw = counting(type, Shape{3, 5});
    const DataSet set = load({.source = write(folder, "a.npy", raw)});
    const bool narrow = type == DType::float16 || type == DType::float32;
    EXPECT_EQ(set.inputs.type(), narrow ? DType::float32 : DType::float64) << name_of(type);
    EXPECT_EQ(set.inputs.shape(), raw.shape());
    for (Index i = 0; i < 15; ++i) EXPECT_EQ(set.inputs.converted<double>()[i], raw.converted<double>()[i]);
    EXPECT_EQ(set.description, "values as they are; all 3 samples");
    EXPECT_FALSE(set.labels.has_value());
  }
  const DataSet bytes = load({.source = write(folder, "a.npy", counting(DType::uint8, Shape{51, 5}))});
  EXPECT_EQ(bytes.inputs.as<double>()[254], 254.0 / 255);
  EXPECT_EQ(bytes.description, "divided by 255; all 51 samples");
}

TEST(Load, ScalesAndNormalisesByChannel) {
  const test::TemporaryFolder folder;
  const std::string file = write(folder, "a.npy", counting(DType::uint8, Shape{2, 3, 2, 2}));
  const DataSet set = load({.source = file, .scale = 0.5, .normalize = "1,2,3:4,5,6"});
  const auto values = set.inputs.as<double>();
  for (Index i = 0; i < 24; ++i) {
    const double channel = static_cast<double>(i / 4 % 3);
    EXPECT_EQ(values[static_cast<std::size_t>(i)],
              (static_cast<double>(i) * 0.5 - (channel + 1)) / (channel + 4));
  }
  EXPECT_EQ(set.description,
            "multiplied by 0.5; normalised by mean 1,2,3 and deviation 4,5,6; all 2 samples");
  EXPECT_EQ(load({.source = file, .normalize = "0.5:0.25"}).inputs.as<double>()[7], (7 / 255.0 - 0.5) / 0.25);
  EXPECT_EQ(refused({.source = file, .normalize = "1,2:3,4"}).kind(), ErrorKind::input);
  for (const char* text : {"", "1", "1:0", "1:-1", "1,2:1", "a:1", "1:nan", "1,:1,1", "1:1:1", "1:1 "}) {
    EXPECT_EQ(refused({.source = file, .normalize = text}).kind(), ErrorKind::usage) << text;
  }
  for (const double scale : {0.0, std::nan(""), HUGE_VAL}) {
    EXPECT_EQ(refused({.source = file, .scale = scale}).kind(), ErrorKind::usage);
  }
}

TEST(Load, NormalisesColumns) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "a.csv", "u,v\n1,10\n3,30\n");
  const DataSet set = load({.source = folder / "a.csv", .normalize = "1,10:2,20"});
  ASSERT_EQ(set.inputs.type(), DType::float64);
  const auto values = set.inputs.as<double>();
  EXPECT_EQ(std::vector<double>(values.begin(), values.end()), (std::vector<double>{0, 0, 1, 1}));
}

TEST(Load, Selects) {
  const test::TemporaryFolder folder;
  const std::string file = write(folder, "a.npy", counting(DType::float32, Shape{11, 2}));
  const DataSet set = load({.source = file, .n = 3, .samples = Range{4, 9}});
  test::expect_same(set.inputs, counting(DType::float32, Shape{11, 2}).rows(4, 7));
  EXPECT_EQ((std::vector<Index>{set.begin, set.end, set.total}), (std::vector<Index>{4, 7, 11}));
  EXPECT_EQ(set.files, std::vector<std::string>{file});
  EXPECT_EQ(refused({.source = file, .n = 12}).kind(), ErrorKind::input);
  EXPECT_EQ(refused({.source = file, .n = 6, .samples = Range{4, 9}}).kind(), ErrorKind::input);
  EXPECT_EQ(refused({.source = file, .samples = Range{4, 12}}).kind(), ErrorKind::input);
  for (const Index n : {0, -1}) EXPECT_EQ(refused({.source = file, .n = n}).kind(), ErrorKind::usage);
  for (const Range& range : {Range{4, 4}, Range{5, 4}, Range{-1, 4}}) {
    EXPECT_EQ(refused({.source = file, .samples = range}).kind(), ErrorKind::usage);
  }
  EXPECT_EQ(refused({.source = write(folder, "b.npy", counting(DType::float32, Shape{0, 2}))}).kind(),
            ErrorKind::input);
  EXPECT_EQ(refused({.source = write(folder, "b.npy", counting(DType::float32, Shape{}))}).kind(),
            ErrorKind::input);
}

TEST(Load, PutsChannelsToTheFront) {
  const test::TemporaryFolder folder;
  const std::string file = write(folder, "a.npy", counting(DType::float64, Shape{2, 3, 5, 2}));
  const DataSet set = load({.source = file, .nhwc = true});
  ASSERT_EQ(set.inputs.shape(), (Shape{2, 2, 3, 5}));
  for (Index n = 0; n < 2; ++n) {
    for (Index c = 0; c < 2; ++c) {
      for (Index p = 0; p < 15; ++p) {
        EXPECT_EQ(set.inputs.as<double>()[static_cast<std::size_t>((n * 2 + c) * 15 + p)],
                  static_cast<double>((n * 15 + p) * 2 + c));
      }
    }
  }
  EXPECT_NE(set.description.find("NHWC"), std::string::npos);
  EXPECT_EQ(refused({.source = "digits", .nhwc = true}).kind(), ErrorKind::usage);
  EXPECT_EQ(
      refused({.source = write(folder, "b.npy", counting(DType::int8, Shape{4, 4})), .nhwc = true}).kind(),
      ErrorKind::input);
}

TEST(Load, PointsAtTheFirstEntryThatIsNotFinite) {
  const test::TemporaryFolder folder;
  std::vector<float> values(24, 1.0F);
  values[20] = std::nanf("");
  values[22] = HUGE_VALF;
  const std::string file = write(folder, "a.npy", floats(Shape{4, 2, 3}, values));
  for (const std::optional<Range>& range : {std::optional<Range>(), std::optional<Range>(Range{2, 4})}) {
    const Error error = refused({.source = file, .samples = range});
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_EQ(error.complaint().got, "NaN");
    EXPECT_NE(std::string(error.what()).find("(3, 0, 2)"), std::string::npos) << error.what();
  }
  EXPECT_EQ(load({.source = file, .n = 3}).inputs.size(), 18);
}

TEST(Load, TellsWhereScalingLeavesTheFloatingNumbers) {
  const test::TemporaryFolder folder;
  const std::string file = write(folder, "a.npy", floats(Shape{2, 2}, {0, 0, 2.5F, 1}));
  const Error error = refused({.source = file, .scale = 1e300});
  EXPECT_EQ(error.kind(), ErrorKind::input);
  EXPECT_NE(std::string(error.what()).find("scaled beyond what float32 can hold"), std::string::npos)
      << error.what();
  EXPECT_EQ(error.complaint().got, "2.5, which becomes infinity");
  EXPECT_NE(error.complaint().cure.find("--scale"), std::string::npos);
  EXPECT_NE(std::string(error.what()).find("(1, 0)"), std::string::npos) << error.what();
  EXPECT_EQ(refused({.source = "digits", .scale = 1e308}).complaint().what,
            "an input is scaled beyond what float64 can hold");
  EXPECT_EQ(load({.source = "digits", .n = 1, .scale = 1e100}).inputs.as<double>()[3], 13e100);
  EXPECT_NE(refused({.source = file, .normalize = "0:1e-300"}).complaint().cure.find("--normalize"),
            std::string::npos);
}

TEST(Load, RefusesIntegersThatFloat64CannotHold) {
  const test::TemporaryFolder folder;
  const auto loaded = [&](std::int64_t value) {
    const Array array(DType::int64, Shape{2, 1}, [&](std::span<std::byte> target) {
      const std::array<std::int64_t, 2> values{1, value};
      std::memcpy(target.data(), values.data(), sizeof(values));
    });
    return load({.source = write(folder, "a.npy", array)}).inputs.as<double>()[1];
  };
  EXPECT_EQ(loaded(std::int64_t{1} << 53), 0x1p53);
  EXPECT_EQ(loaded(-(std::int64_t{1} << 62)), -0x1p62);
  EXPECT_EQ(loaded(std::numeric_limits<std::int64_t>::min()), -0x1p63);
  for (const std::int64_t value : {(std::int64_t{1} << 53) + 1, -(std::int64_t{1} << 53) - 1,
                                   std::numeric_limits<std::int64_t>::max()}) {
    const Error error = test::error_of([&] { loaded(value); });
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_EQ(error.complaint().got, std::to_string(value));
    EXPECT_NE(std::string(error.what()).find("float64 cannot hold"), std::string::npos) << error.what();
  }
}

TEST(Load, FindsTheArrayInAnArchive) {
  const test::TemporaryFolder folder;
  const Array x = counting(DType::float32, Shape{3, 2});
  const Array y = counting(DType::int64, Shape{3});
  formats::write_npz(folder / "one.npz", {{"anything", x}});
  formats::write_npz(folder / "two.npz", {{"y", y}, {"inputs", x}});
  formats::write_npz(folder / "both.npz", {{"x", x}, {"X", x}});
  formats::write_npz(folder / "none.npz", {{"a", x}, {"b", x}});
  test::expect_same(load({.source = folder / "one.npz"}).inputs, x);
  test::expect_same(load({.source = folder / "two.npz"}).inputs, x);
  const DataSet set = load({.source = (folder / "none.npz").string() + ":b",
                            .n = 2,
                            .labels_file = (folder / "two.npz").string() + ":y"});
  test::expect_same(set.inputs, x.rows(0, 2));
  EXPECT_EQ(set.labels, (std::vector<Index>{0, 1}));
  for (const char* name : {"both.npz", "none.npz", "none.npz:c", "absent.npz:c"}) {
    EXPECT_EQ(refused({.source = folder / name}).kind(), ErrorKind::input) << name;
  }
}

TEST(Load, TellsTheFormatByTheContentWhereTheNameDoesNot) {
  const test::TemporaryFolder folder;
  const Array x = counting(DType::float32, Shape{3, 2});
  test::expect_same(load({.source = write(folder, "plain", x)}).inputs, x);
  formats::write_npz(folder / "archive", {{"x", x}});
  test::expect_same(load({.source = folder / "archive"}).inputs, x);
  for (const char* bytes : {"", "hello", "\x1f\x8b"}) {
    test::write_bytes(folder / "other", bytes);
    EXPECT_EQ(refused({.source = folder / "other"}).kind(), ErrorKind::input);
  }
}

TEST(Load, TakesTheLabelsBesideIdxPictures) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "my-images.idx3-ubyte",
                    from_hex("00000803 00000003 00000001 00000002 000102030405"));
  const std::string file = folder / "my-images.idx3-ubyte";
  EXPECT_FALSE(load({.source = file}).labels.has_value());
  test::write_bytes(folder / "my-labels.idx1-ubyte.gz", test::gzipped(from_hex("00000801 00000003 070809")));
  const DataSet set = load({.source = file, .samples = Range{1, 3}});
  EXPECT_EQ(set.inputs.shape(), (Shape{2, 1, 1, 2}));
  EXPECT_EQ(set.inputs.as<double>()[0], 2 / 255.0);
  EXPECT_EQ(set.labels, (std::vector<Index>{8, 9}));
  EXPECT_EQ(set.files.size(), 2U);
  test::write_bytes(folder / "my-labels.idx1-ubyte.gz", test::gzipped(from_hex("00000801 00000002 0708")));
  EXPECT_NE(std::string(refused({.source = file}).what()).find("do not belong together"), std::string::npos);
}

TEST(Load, TakesLabelsForAllOrForTheSelected) {
  const test::TemporaryFolder folder;
  const std::string file = write(folder, "x.npy", counting(DType::float32, Shape{5, 2}));
  const auto labels = [&](const std::string& name) {
    return load({.source = file, .samples = Range{2, 5}, .labels_file = folder / name}).labels;
  };
  write(folder, "all.npy", counting(DType::int32, Shape{5}));
  EXPECT_EQ(labels("all.npy"), (std::vector<Index>{2, 3, 4}));
  test::write_bytes(folder / "some.csv", "label\n7\n0\n1e1\n");
  EXPECT_EQ(labels("some.csv"), (std::vector<Index>{7, 0, 10}));
  test::write_bytes(folder / "some", from_hex("00000801 00000003 070809"));
  EXPECT_EQ(labels("some"), (std::vector<Index>{7, 8, 9}));
  write(folder, "four.npy", counting(DType::int32, Shape{4}));
  write(folder, "wide.npy", counting(DType::int32, Shape{5, 2}));
  write(folder, "halves.npy", floats(Shape{3}, {0, 0.5F, 1}));
  write(folder, "negative.npy", floats(Shape{3}, {0, -1, 1}));
  write(folder, "nan.npy", floats(Shape{3}, {0, std::nanf(""), 1}));
  for (const char* name : {"four.npy", "wide.npy", "halves.npy", "negative.npy", "nan.npy", "absent.npy"}) {
    EXPECT_EQ(test::error_of([&] { labels(name); }).kind(), ErrorKind::input) << name;
  }
}

TEST(Load, TakesLabelsInMemory) {
  const Array x = counting(DType::float32, Shape{5, 2});
  const auto labels = [&](const Array& given) {
    return load({.source = "x", .samples = Range{2, 5}, .labels_file = "y", .array = x, .labels_array = given}).labels;
  };
  EXPECT_EQ(labels(counting(DType::int64, Shape{5})), (std::vector<Index>{2, 3, 4}));
  EXPECT_EQ(labels(counting(DType::int32, Shape{3})), (std::vector<Index>{0, 1, 2}));
  EXPECT_EQ(take_labels(counting(DType::int32, Shape{3}), "y", 3), (std::vector<Index>{0, 1, 2}));
  const Error error = test::error_of([&] { labels(counting(DType::int32, Shape{4})); });
  EXPECT_EQ(error.kind(), ErrorKind::input);
  EXPECT_EQ(error.complaint().where, "y");
  EXPECT_EQ(test::error_of([&] { labels(floats(Shape{3}, {0, -1, 1})); }).kind(), ErrorKind::input);
}

TEST(Load, SamplesInMemoryAreNotCopied) {
  const Array x = counting(DType::float64, Shape{5, 2});
  EXPECT_EQ(load({.source = "x", .array = x}).inputs.data(), x.data());
}

TEST(Load, TellsDataApartByTheFingerprint) {
  const test::TemporaryFolder folder;
  const std::string a = write(folder, "a.npy", counting(DType::float32, Shape{6, 2}));
  const std::string b = write(folder, "b.npy", counting(DType::float32, Shape{6, 1, 2}));
  const std::uint64_t first = load({.source = a}).fingerprint;
  EXPECT_EQ(load({.source = a}).fingerprint, first);
  EXPECT_NE(load({.source = b}).fingerprint, first);
  EXPECT_NE(load({.source = a, .scale = 2.0}).fingerprint, first);
  EXPECT_EQ(load({.source = a, .n = 5}).fingerprint, load({.source = a, .samples = Range{0, 5}}).fingerprint);
}

/// 10,000 rows of CIFAR: the label and all colours tell the batch.
std::string batch(int number) {
  std::string row(3073, static_cast<char>(number));
  std::string bytes;
  for (int i = 0; i < 10000; ++i) bytes += row;
  return bytes;
}

TEST(Cifar10, TakesAsManyBatchesAsAreNeeded) {
  const test::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "cifar10");
  test::write_bytes(folder / "cifar10/data_batch_1.bin", batch(1));
  test::write_bytes(folder / "cifar10/data_batch_2.bin", batch(2));
  const std::string place = folder.path();
  const DataSet set =
      load({.source = "cifar10", .data_dir = place, .samples = Range{9999, 10002}, .scale = 1.0});
  EXPECT_EQ(set.inputs.shape(), (Shape{3, 3, 32, 32}));
  EXPECT_EQ(set.labels, (std::vector<Index>{1, 2, 2}));
  EXPECT_EQ(set.inputs.as<double>()[3071], 1.0F);
  EXPECT_EQ(set.inputs.as<double>()[3072], 2.0F);
  EXPECT_EQ(set.total, 50000);
  const Error error = refused({.source = "cifar10", .data_dir = place});
  EXPECT_NE(error.complaint().where.find("data_batch_3.bin"), std::string::npos);
  EXPECT_NE(error.complaint().cure.find("--n 20000"), std::string::npos) << error.what();
  test::write_bytes(folder / "cifar10/data_batch_2.bin", std::string(3073, '\1'));
  EXPECT_EQ(refused({.source = "cifar10", .data_dir = place, .n = 10001}).kind(), ErrorKind::input);
  test::write_bytes(folder / "cifar10/test_batch_first1000.bin", std::string(2 * 3073, '\3'));
  const DataSet tests = load({.source = "cifar10:test", .data_dir = place});
  EXPECT_EQ(tests.labels, (std::vector<Index>{3, 3}));
  EXPECT_NE(tests.description.find("first 1000"), std::string::npos);
}

}  // namespace
}  // namespace tangra::data
