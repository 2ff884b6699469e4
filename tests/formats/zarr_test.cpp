#include "tangra/formats/zarr/zarr.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "formats/files.h"
#include "support/support.h"
#include "tangra/formats/zarr/crc32c.h"
#include "tangra/formats/zarr/new_folder.h"

namespace tangra::formats {
namespace {

std::span<const std::byte> bytes_of_text(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST(Crc32c, AsRfc3720HasIt) {
  std::string rising;
  for (char byte = 0; byte < 32; ++byte) rising += byte;
  for (const auto sum : {crc32c, crc32c_by_tables}) {
    EXPECT_EQ(sum(bytes_of_text("123456789")), 0xE3069283U);
    EXPECT_EQ(sum(bytes_of_text(std::string(32, '\0'))), 0x8A9136AAU);
    EXPECT_EQ(sum(bytes_of_text(std::string(32, '\xff'))), 0x62A8AB43U);
    EXPECT_EQ(sum(bytes_of_text(rising)), 0x46DD794EU);
    EXPECT_EQ(sum({}), 0U);
  }
}

TEST(Crc32c, InstructionAndTablesAgreeOnEveryLength) {
  std::string bytes;
  for (unsigned k = 0; k < 100; ++k) {
    EXPECT_EQ(crc32c(bytes_of_text(bytes)), crc32c_by_tables(bytes_of_text(bytes))) << k;
    bytes += static_cast<char>(k * k + 77);
  }
}

ZarrHeader small_header(DType type = DType::float32) {
  return {.type = type,
          .shape = {5, 3},
          .chunk = {2, 3},
          .dimension_names = {"samples", "samples2"},
          .attributes = {{"tangra.triangle", "full"}, {"words", "Grüße \"\\\n"}}};
}

/// The entries 1, 2, .. of a chunk.
template <class T>
std::vector<std::byte> chunk_of(Index elements) {
  std::vector<T> entries(static_cast<std::size_t>(elements));
  for (std::size_t k = 0; k < entries.size(); ++k) entries[k] = static_cast<T>(k + 1);
  std::vector<std::byte> bytes(entries.size() * sizeof(T));
  std::memcpy(bytes.data(), entries.data(), bytes.size());
  return bytes;
}

TEST(Zarr, WhatIsWrittenIsRead) {
  for (const DType type : {DType::float32, DType::float64}) {
    const test::TemporaryFolder folder;
    write_zarr_array(folder.path(), small_header(type));
    ASSERT_TRUE(is_zarr(folder.path()));
    const ZarrArray array(folder.path());
    EXPECT_EQ(array.header().type, type);
    EXPECT_EQ(array.header().shape, (Shape{5, 3}));
    EXPECT_EQ(array.header().chunk, (Shape{2, 3}));
    EXPECT_EQ(array.header().chunks(0), 3);
    EXPECT_EQ(array.header().dimension_names, small_header().dimension_names);
    EXPECT_EQ(array.header().attributes, small_header().attributes);
    EXPECT_TRUE(std::isnan(array.header().fill));
    const auto entries = type == DType::float32 ? chunk_of<float>(6) : chunk_of<double>(6);
    array.write(std::array<Index, 2>{2, 0}, entries);
    std::vector<std::byte> read;
    EXPECT_EQ(array.read(std::array<Index, 2>{2, 0}, read), ZarrArray::Found::sound);
    EXPECT_EQ(read, entries);
    EXPECT_EQ(array.read(std::array<Index, 2>{1, 0}, read), ZarrArray::Found::absent);
    EXPECT_TRUE(std::filesystem::is_regular_file(folder / "c/2/0"));
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder / "c/2"), {}), 1);
    array.flush();
  }
}

/// Bytes of the format, written by hand: 1, 2 as float32 and their checksum, which another program computed.
TEST(Zarr, AChunkHasItsBytesInTheOrderOfTheFormat) {
  const test::TemporaryFolder folder;
  ZarrHeader header = small_header();
  header.shape = header.chunk = {1, 2};
  write_zarr_array(folder.path(), header);
  ZarrArray(folder.path()).write(std::array<Index, 2>{0, 0}, chunk_of<float>(2));
  EXPECT_EQ(test::read_bytes(folder / "c/0/0"), test::from_hex("00 00 80 3f 00 00 00 40 b1 c9 c0 28"));
}

/// The parts of a kernel, each with more chunks than may wait for the disk at a time.
TEST(Zarr, ArraysSideBySideKeepToTheLimitOfOpenFiles) {
  const test::TemporaryFolder folder;
  ZarrHeader header = small_header();
  header.shape = {40, 3};
  std::vector<ZarrArray> arrays;
  for (int part = 0; part < 10; ++part) {
    const std::filesystem::path own = folder / std::to_string(part);
    std::filesystem::create_directory(own);
    write_zarr_array(own, header);
    if (part == 0) {
      arrays.emplace_back(own);
    } else {
      arrays.emplace_back(own, ZarrArray(arrays.front()));
    }
  }
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  for (const rlim_t limit : {rlim_t{100}, rlim_t{16}}) {  // above and below what one array has under way
    rlimit low = before;
    low.rlim_cur = limit;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    for (Index chunk = 0; chunk < 20; ++chunk) {
      for (const ZarrArray& array : arrays) EXPECT_NO_THROW(array.write(std::array<Index, 2>{chunk, 0}, chunk_of<float>(6)));
    }
    EXPECT_NO_THROW(arrays.front().flush());
    ::setrlimit(RLIMIT_NOFILE, &before);
  }
}

TEST(Zarr, ADamagedChunkIsKnown) {
  const test::TemporaryFolder folder;
  write_zarr_array(folder.path(), small_header());
  const ZarrArray array(folder.path());
  constexpr std::array<Index, 2> place{0, 0};
  array.write(place, chunk_of<float>(6));
  const std::string bytes = test::read_bytes(folder / "c/0/0");
  std::vector<std::byte> read;
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    test::write_bytes(folder / "c/0/0", bytes.substr(0, length));
    EXPECT_EQ(array.read(place, read), ZarrArray::Found::damaged) << length;
  }
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    test::write_bytes(folder / "c/0/0", damaged);
    EXPECT_EQ(array.read(place, read), ZarrArray::Found::damaged) << bit;
  }
  test::write_bytes(folder / "c/0/0", std::string(bytes.size(), '\0'));  // what a power cut may leave
  EXPECT_EQ(array.read(place, read), ZarrArray::Found::damaged);
  test::write_bytes(folder / "c/0/0", bytes);
  EXPECT_EQ(array.read(place, read), ZarrArray::Found::sound);
}

TEST(Zarr, ALeftoverOfACrashIsOverwritten) {
  const test::TemporaryFolder folder;
  write_zarr_array(folder.path(), small_header());
  std::filesystem::create_directories(folder / "c/0");
  test::write_bytes(folder / "c/0/.0.part", std::string(1000, 'x'));
  const ZarrArray array(folder.path());
  array.write(std::array<Index, 2>{0, 0}, chunk_of<float>(6));
  EXPECT_FALSE(std::filesystem::exists(folder / "c/0/.0.part"));
  std::vector<std::byte> read;
  EXPECT_EQ(array.read(std::array<Index, 2>{0, 0}, read), ZarrArray::Found::sound);
}

TEST(Zarr, SaysWhenTheDiskTakesNoMore) {
  const test::TemporaryFolder folder;
  write_zarr_array(folder.path(), small_header());
  const ZarrArray array(folder.path());
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit limited{10, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limited);
  const Error error = test::error_of([&] { array.write(std::array<Index, 2>{0, 0}, chunk_of<float>(6)); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(error.kind(), ErrorKind::input);
  EXPECT_EQ(error.complaint().where, folder / "c/0/0");
  EXPECT_EQ(error.complaint().what, "the chunk cannot be written completely");
  EXPECT_TRUE(std::filesystem::is_empty(folder / "c/0"));
}

TEST(Zarr, ReadsWhatOtherProgramsWrite) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "zarr.json",
                    R"({"zarr_format": 3, "node_type": "array", "shape": [3], "data_type": "float32",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}}, "fill_value": 0.5,
    "codecs": [{"name": "bytes", "configuration": {"endian": "big"}}],
    "attributes": {"a": [1, 2]}, "storage_transformers": [], "extra": {"must_understand": false}})");
  test::write_bytes(folder / "c.1", test::from_hex("3f 80 00 00 40 00 00 00"));
  const ZarrArray array(folder.path());
  EXPECT_EQ(array.header().fill, 0.5);
  EXPECT_FALSE(array.header().checked);
  EXPECT_EQ(array.header().attributes, (ZarrAttributes{{"a", "[1,2]"}}));
  std::vector<std::byte> read;
  ASSERT_EQ(array.read(std::array<Index, 1>{1}, read), ZarrArray::Found::sound);
  EXPECT_EQ(read, chunk_of<float>(2));
}

/// What reading says of a zarr.json in which `from` became `to`.
std::string refusal(const std::string& from, const std::string& to) {
  const test::TemporaryFolder folder;
  write_zarr_array(folder.path(), small_header());
  std::string text = test::read_bytes(folder / "zarr.json");
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  test::write_bytes(folder / "zarr.json", text.replace(at, from.size(), to));
  const Error error = test::error_of([&] { ZarrArray{folder.path()}; });
  EXPECT_EQ(error.kind(), ErrorKind::input);
  EXPECT_EQ(error.complaint().where, folder / "zarr.json");
  return error.what();
}

TEST(Zarr, RefusesWhatItCannotRead) {
  const auto expect = [](const std::string& from, const std::string& to, const std::string& part) {
    const std::string message = refusal(from, to);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  expect("\"zarr_format\": 3", "\"zarr_format\": 2", "zarr_format");
  expect("\"array\"", "\"group\"", "node_type");
  expect("\"array\"", "\"scalar\"", "node_type");
  expect("float32", "complex64", "data_type");
  expect("regular", "rectilinear", "chunk_grid");
  expect("default", "v2", "chunk_key_encoding");
  expect("crc32c", "gzip", "without compression");
  expect("\"bytes\"", "\"sharding_indexed\"", "without shards");
  expect("little", "middle", "endian");
  expect("\"NaN\"", "\"nothing\"", "fill_value");
  expect("\"attributes\"", "\"new_field\"", "new_field");
  expect("\"shape\"", "\"shap\"", "shap");
  expect("\"samples2\"", "\"samples2\", \"more\"", "dimension_names");
  expect("{", std::string(100000, '['), "nested");
  expect("\"attributes\": {", "\"attributes\": {\"a\":" + std::string(70, '[') + std::string(70, ']') + ",",
         "nested");
}

TEST(Zarr, RefusesLengthsThatCannotBe) {
  for (const char* lengths :
       {"-5", "5.5", "\"5\"", "4611686018427387904, 4611686018427387904", "99999999999999999999"}) {
    EXPECT_FALSE(refusal("5,", std::string(lengths) + ",").empty());
  }
  EXPECT_FALSE(refusal("2,", "0,").empty());     // a chunk without entries
  EXPECT_FALSE(refusal("2,", "2, 2,").empty());  // more axes than the array has
}

TEST(Zarr, SurvivesDamageOfItsMetadata) {
  const test::TemporaryFolder folder;
  write_zarr_array(folder.path(), small_header());
  const std::string bytes = test::read_bytes(folder / "zarr.json");
  const auto read = [&] { ZarrArray{folder.path()}; };
  // The last byte is a line break.
  test::expect_refused_prefixes(folder / "zarr.json", bytes.substr(0, bytes.size() - 1), read);
  test::expect_survives_flips(folder / "zarr.json", bytes, bytes.size(), read);
}

TEST(Zarr, NamesOfPartsBecomeNamesOfFolders) {
  EXPECT_EQ(zarr_node_name("0.weight"), "0.weight");
  EXPECT_EQ(zarr_node_name("/conv1/Conv"), "%2Fconv1%2FConv");
  EXPECT_EQ(zarr_node_name("a%2Fb"), "a%252Fb");
  EXPECT_EQ(zarr_node_name(".."), "%2E.");
  EXPECT_EQ(zarr_node_name("__init"), "%5F_init");
  EXPECT_EQ(zarr_node_name("zarr.json"), "%7Aarr.json");
  EXPECT_EQ(zarr_node_name("a\nb\\"), "a%0Ab%5C");
  EXPECT_EQ(zarr_node_name("Schicht übrig"), "Schicht übrig");
}

TEST(NewFolder, AppearsAsAWholeOrNotAtAll) {
  const test::TemporaryFolder folder;
  { const NewFolder made(folder / "a"); }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  for (const char* word : {"first", "second"}) {
    NewFolder made(folder / "a");
    test::write_bytes(made.path() / word, word);
    made.commit();
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "a/first")) << "the folder of before is gone";
  EXPECT_EQ(test::read_bytes(folder / "a/second"), "second");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(FolderLock, IsHeldByOne) {
  const test::TemporaryFolder folder;
  {
    const FolderLock lock(folder.path());
    const Error error = test::error_of([&] { const FolderLock second(folder.path()); });
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_NE(std::string(error.what()).find("another run"), std::string::npos);
  }
  const FolderLock again(folder.path());
}

/// zarr-python reads what is written here, and refuses a damaged chunk.
TEST(Zarr, OpensInZarrPython) {
  if (std::system("python3 -c 'import zarr; assert zarr.__version__ >= \"3\"' 2>/dev/null") != 0) {
    GTEST_SKIP() << "python3 has no zarr of version 3";
  }
  const test::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "total");
  write_zarr_group(folder.path(), {{"tangra.reduce", "trace"}});
  write_zarr_array(folder / "total", small_header());
  const ZarrArray array(folder / "total");
  array.write(std::array<Index, 2>{0, 0}, chunk_of<float>(6));
  array.write(std::array<Index, 2>{2, 0}, chunk_of<float>(6));
  test::write_bytes(folder / "check.py", R"(
import math, sys, zarr
group = zarr.open_group(sys.argv[1], mode="r")
assert dict(group.attrs) == {"tangra.reduce": "trace"}
k = group["total"]
assert k.shape == (5, 3) and k.chunks == (2, 3) and str(k.dtype) == "float32", k
assert k.metadata.dimension_names == ("samples", "samples2")
assert k.attrs["tangra.triangle"] == "full"
assert k[:2].tolist() == [[1, 2, 3], [4, 5, 6]]
assert k[4].tolist() == [1, 2, 3]
assert all(math.isnan(x) for x in k[2:4].ravel())
path = sys.argv[1] + "/total/c/0/0"
with open(path, "r+b") as chunk:
    chunk.write(b"\x01")
try:
    k[:2]
except ValueError:
    pass
else:
    raise SystemExit("a damaged chunk was read")
)");
  const std::string command =
      "python3 '" + (folder / "check.py").string() + "' '" + folder.path().string() + "'";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace tangra::formats
