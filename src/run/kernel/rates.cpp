#include "tangra/run/kernel/rates.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <limits>
#include <sstream>

#include "tangra/base/error.h"
#include "tangra/base/hash.h"
#include "tangra/formats/atomic_file.h"
#include "tangra/linalg/simd.h"
#include "tangra/run/session.h"

namespace tangra::run {
namespace {

std::filesystem::path cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != 0) return std::filesystem::path(cache) / "tangra";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != 0) return std::filesystem::path(home) / ".cache" / "tangra";
  return {};
}

/// One file for each machine, program and number of threads.
std::filesystem::path file_of(const Context& context) {
  const std::filesystem::path folder = cache_folder();
  if (folder.empty()) return {};
  Hash hash;
  hash.add(machine());
  hash.add(linalg::simd_target());
  hash.add(TANGRA_VERSION);
  hash.add(static_cast<std::uint64_t>(context.pool.size()));
  return folder / ("rates-" + hexadecimal(hash.value()) + ".txt");
}

void keep(const std::filesystem::path& path, const linalg::Rates& rates) {
  if (path.empty()) return;
  std::error_code ignored;
  std::filesystem::create_directories(path.parent_path(), ignored);
  std::ostringstream text;
  text << std::setprecision(std::numeric_limits<double>::max_digits10) << rates.float32_multiply_adds << ' '
       << rates.float64_multiply_adds << ' ' << rates.written_bytes << '\n';
  try {
    formats::AtomicFile file(path);
    file.append(std::string_view(text.view()));
    file.commit();
  } catch (const Error&) {  // a read-only or missing home: measured again next time
  }
}

}  // namespace

std::optional<linalg::Rates> kept_rates(const Context& context) {
  const std::filesystem::path path = file_of(context);
  if (path.empty()) return std::nullopt;
  std::ifstream file(path);
  linalg::Rates rates;
  file >> rates.float32_multiply_adds >> rates.float64_multiply_adds >> rates.written_bytes;
  const bool sound = file && rates.float32_multiply_adds > 0 && rates.float64_multiply_adds > 0 && rates.written_bytes > 0;
  return sound ? std::optional(rates) : std::nullopt;
}

linalg::Rates rates(const Context& context) {
  if (const auto kept = kept_rates(context)) return *kept;
  const linalg::Rates measured = linalg::measure_rates(context);
  keep(file_of(context), measured);
  return measured;
}

}  // namespace tangra::run
