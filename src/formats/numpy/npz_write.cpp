#include <zip.h>

#include <cerrno>
#include <exception>
#include <list>
#include <memory>
#include <set>
#include <string>

#include "tangra/formats/atomic_file.h"
#include "tangra/formats/npy.h"
#include "tangra/formats/npz.h"
#include "tangra/formats/refuse.h"

namespace tangra::formats {
namespace {

/// What libzip writes to. It knows only C, so an exception waits here until it has returned.
struct Sink {
  AtomicFile& file;
  zip_uint64_t place = 0;
  zip_uint64_t end = 0;
  zip_error_t error{};
  std::exception_ptr thrown;
};

zip_int64_t fail(Sink& sink, int code, int system) {
  zip_error_set(&sink.error, code, system);
  return -1;
}

zip_int64_t write_to(Sink& sink, const void* data, zip_uint64_t length) {
  try {
    sink.file.pwrite(sink.place, std::span(static_cast<const std::byte*>(data), length));
  } catch (...) {
    sink.thrown = std::current_exception();
    return fail(sink, ZIP_ER_WRITE, EIO);
  }
  sink.place += length;
  sink.end = std::max(sink.end, sink.place);
  return static_cast<zip_int64_t>(length);
}

zip_int64_t sink_callback(void* state, void* data, zip_uint64_t length, zip_source_cmd_t command) {
  Sink& sink = *static_cast<Sink*>(state);
  switch (command) {
    case ZIP_SOURCE_SUPPORTS:
      return zip_source_make_command_bitmap(
          ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
          ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_BEGIN_WRITE, ZIP_SOURCE_COMMIT_WRITE,
          ZIP_SOURCE_ROLLBACK_WRITE, ZIP_SOURCE_SEEK_WRITE, ZIP_SOURCE_TELL_WRITE, ZIP_SOURCE_WRITE,
          ZIP_SOURCE_REMOVE, -1);
    case ZIP_SOURCE_STAT:
      return fail(sink, ZIP_ER_READ, ENOENT);  // there is nothing to read yet
    case ZIP_SOURCE_ERROR:
      return zip_error_to_data(&sink.error, data, length);
    case ZIP_SOURCE_BEGIN_WRITE:
    case ZIP_SOURCE_COMMIT_WRITE:
    case ZIP_SOURCE_ROLLBACK_WRITE:
    case ZIP_SOURCE_FREE:
      return 0;
    case ZIP_SOURCE_TELL_WRITE:
      return static_cast<zip_int64_t>(sink.place);
    case ZIP_SOURCE_SEEK_WRITE: {
      const zip_int64_t place =
          zip_source_seek_compute_offset(sink.place, sink.end, data, length, &sink.error);
      if (place < 0) return -1;
      sink.place = static_cast<zip_uint64_t>(place);
      return 0;
    }
    case ZIP_SOURCE_WRITE:
      return write_to(sink, data, length);
    default:
      return fail(sink, ZIP_ER_OPNOTSUPP, 0);
  }
}

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
using Archive = std::unique_ptr<zip_t, Discard>;

void add_member(zip_t* archive, const std::string& key, const std::string& header, const Array& array,
                const std::string& where) {
  zip_buffer_fragment_t parts[2] = {
      {reinterpret_cast<zip_uint8_t*>(const_cast<char*>(header.data())), header.size()},
      {reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(array.data())), array.bytes()}};
  zip_source_t* source = zip_source_buffer_fragment(archive, parts, array.bytes() > 0 ? 2 : 1, 0);
  if (source == nullptr) throw std::bad_alloc();
  const zip_int64_t index = zip_file_add(archive, (key + ".npy").c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    refuse(where, "the array cannot be added to the archive", zip_strerror(archive));
  }
  const auto place = static_cast<zip_uint64_t>(index);
  constexpr zip_uint16_t first_of_1980 = (1 << 5) | 1;
  if (zip_set_file_compression(archive, place, ZIP_CM_STORE, 0) != 0 ||
      zip_file_set_dostime(archive, place, 0, first_of_1980, 0) != 0) {
    refuse(where, "the array cannot be added to the archive", zip_strerror(archive));
  }
}

void check_names(const std::filesystem::path& path, const NamedArrays& arrays) {
  std::set<std::string> seen;
  for (const auto& [key, array] : arrays) {
    if (key.empty() || key.find('\0') != std::string::npos || key.size() > 60000) {
      refuse(path.string(), "an array in an archive needs a name",
             key.empty() ? "none" : "one that zip cannot hold");
    }
    if (!seen.insert(key).second) refuse(path.string() + ":" + key, "two arrays have this name");
  }
}

void write_archive(AtomicFile& file, const std::string& name, const NamedArrays& arrays) {
  Sink sink{.file = file, .thrown = {}};
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_function_create(sink_callback, &sink, &error);
  if (source == nullptr) throw std::bad_alloc();
  Archive archive(zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &error));
  if (!archive) {
    zip_source_free(source);
    refuse(name, "the archive cannot be begun", zip_error_strerror(&error));
  }
  std::list<std::string> headers;  // libzip reads them when it closes the archive
  for (const auto& [key, array] : arrays) {
    headers.push_back(npy_header(array.type(), array.shape()));
    add_member(archive.get(), key, headers.back(), array, name + ":" + key);
  }
  if (zip_close(archive.get()) != 0) {
    if (sink.thrown) std::rethrow_exception(sink.thrown);
    refuse(name, "the archive cannot be written", zip_strerror(archive.get()));
  }
  archive.release();
}

}  // namespace

void write_npz(const std::filesystem::path& path, const NamedArrays& arrays) {
  check_names(path, arrays);
  AtomicFile file(path);
  if (arrays.empty()) {
    // libzip writes no file at all for an empty archive: this is its end record alone.
    file.append(std::string("PK\5\6") + std::string(18, '\0'));
  } else {
    write_archive(file, path.string(), arrays);
  }
  file.commit();
}

}  // namespace tangra::formats
