#include <zip.h>

#include <memory>
#include <set>
#include <string_view>

#include "npy_parts.h"
#include "tangra/formats/input_file.h"
#include "tangra/formats/npz.h"
#include "tangra/formats/sizes.h"

namespace tangra::formats {
namespace {

struct Member {
  std::string key;
  zip_uint64_t index = 0;
  std::uint64_t bytes = 0;
};

struct CloseFile {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

class Archive {
 public:
  explicit Archive(const std::filesystem::path& path) : name_(path.string()) {
    const InputFile file(path);  // for its checks and messages
    file_size_ = file.size();
    if (file_size_ == 0) refuse(name_, "the file is empty", {}, "an .npz archive");
    int code = 0;
    archive_.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
    if (!archive_) {
      zip_error_t error;
      zip_error_init_with_code(&error, code);
      const std::string message = zip_error_strerror(&error);
      zip_error_fini(&error);
      refuse(name_, "this is not a sound .npz (zip) archive", message);
    }
    find_members();
  }

  const std::vector<Member>& members() const { return members_; }

  Array read(const Member& member) {
    const std::string where = name_ + ":" + member.key;
    const std::unique_ptr<zip_file_t, CloseFile> file(zip_fopen_index(archive_.get(), member.index, 0));
    if (!file) refuse(where, "the member cannot be opened", zip_strerror(archive_.get()));
    const ReadNext next = [&](std::span<std::byte> target) { read_next(*file, target, where); };
    const NpyHeader header = parse_npy_header(next, member.bytes, where);
    const std::uint64_t bytes = member.bytes - header.data_offset;
    ReadAt read = [&](std::uint64_t, std::span<std::byte> target) { next(target); };
    std::vector<std::byte> all;
    if (header.fortran && header.shape.rank() > 1) {  // its columns are not taken in one go
      all.resize(bytes);
      next(all);
      read = [&](std::uint64_t offset, std::span<std::byte> target) {
        std::memcpy(target.data(), all.data() + offset, target.size());
      };
    }
    Array array = read_npy_data(header, 0, header.shape.empty() ? 1 : header.shape[0], read, where);
    std::byte extra;
    if (zip_fread(file.get(), &extra, 1) != 0) {  // only at its end the checksum is compared
      refuse(where, "the member is damaged", zip_file_strerror(file.get()));
    }
    return array;
  }

 private:
  struct Discard {
    void operator()(zip_t* archive) const { zip_discard(archive); }
  };

  void find_members() {
    std::set<std::string> seen;
    const zip_int64_t count = zip_get_num_entries(archive_.get(), 0);
    for (zip_int64_t i = 0; i < count; ++i) {
      zip_stat_t status;
      if (zip_stat_index(archive_.get(), static_cast<zip_uint64_t>(i), 0, &status) != 0) {
        refuse(name_, "a member of the archive cannot be looked at", zip_strerror(archive_.get()));
      }
      std::string key = (status.valid & ZIP_STAT_NAME) != 0 ? status.name : "";
      if (!key.ends_with(".npy")) continue;
      key.resize(key.size() - 4);
      check(status, name_ + ":" + key);
      if (!seen.insert(key).second) refuse(name_ + ":" + key, "two members have this name");
      members_.push_back({std::move(key), static_cast<zip_uint64_t>(i), status.size});
    }
  }

  void check(const zip_stat_t& status, const std::string& where) const {
    constexpr zip_uint64_t needed =
        ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if ((status.valid & needed) != needed) refuse(where, "the archive does not tell the size of this member");
    if (status.encryption_method != ZIP_EM_NONE) refuse(where, "the member is encrypted");
    const bool stored = status.comp_method == ZIP_CM_STORE;
    if (!stored && status.comp_method != ZIP_CM_DEFLATE) {
      refuse(where, "the member is compressed in an unknown way",
             "method " + std::to_string(status.comp_method), "0 (stored) or 8 (deflate)");
    }
    const std::uint64_t most = stored ? status.comp_size : status.comp_size * deflate_ratio;
    if (status.comp_size > file_size_ || status.size > most) {
      refuse(where, "the member claims to be larger than it can be", std::to_string(status.size) + " bytes",
             "what a file of " + std::to_string(file_size_) + " bytes can hold");
    }
  }

  static void read_next(zip_file_t& file, std::span<std::byte> target, const std::string& where) {
    while (!target.empty()) {
      const zip_int64_t count = zip_fread(&file, target.data(), target.size());
      if (count < 0) refuse(where, "the member is damaged", zip_file_strerror(&file));
      if (count == 0) refuse(where, "the member ends too early");
      target = target.subspan(static_cast<std::size_t>(count));
    }
  }

  std::string name_;
  std::uint64_t file_size_ = 0;
  std::unique_ptr<zip_t, Discard> archive_;
  std::vector<Member> members_;
};

std::string listed(const std::vector<Member>& members) {
  constexpr std::size_t most = 20;
  std::string text;
  for (std::size_t i = 0; i < members.size() && i < most; ++i) text += (i > 0 ? ", " : "") + members[i].key;
  return members.size() > most ? text + ", ..." : text.empty() ? "no arrays at all" : text;
}

}  // namespace

std::vector<std::string> npz_keys(const std::filesystem::path& path) {
  const Archive archive(path);
  std::vector<std::string> keys;
  for (const Member& member : archive.members()) keys.push_back(member.key);
  return keys;
}

NamedArrays read_npz(const std::filesystem::path& path) {
  Archive archive(path);
  NamedArrays arrays;
  for (const Member& member : archive.members()) arrays.emplace_back(member.key, archive.read(member));
  return arrays;
}

Array read_npz(const std::filesystem::path& path, const std::string& key) {
  Archive archive(path);
  for (const Member& member : archive.members()) {
    if (member.key == key) return archive.read(member);
  }
  refuse(path.string() + ":" + key, "the archive has no array of this name", listed(archive.members()));
}

}  // namespace tangra::formats
