#include "tangra/base/context.h"

#include <cstdio>
#include <limits>
#include <string>
#include <utility>

#include "tangra/base/error.h"
#include "tangra/base/memory_needs.h"

namespace tangra {

std::size_t MemoryLedger::available() const {
  if (budget_ == 0) return std::numeric_limits<std::size_t>::max();
  const std::size_t used = in_use();
  return used < budget_ ? budget_ - used : 0;
}

void MemoryLedger::take(std::size_t bytes, std::string_view purpose) {
  const std::size_t now = in_use_.fetch_add(bytes) + bytes;
  if (budget_ != 0 && now > budget_) {
    in_use_.fetch_sub(bytes);
    throw Error(ErrorKind::memory, {.what = "the memory budget is too small for " + std::string(purpose),
                                    .where = "--memory", .got = "a budget of " + human_bytes(budget_),
                                    .expected = "at least " + enough_bytes(now), .cure = {}});
  }
  std::size_t peak = peak_.load();
  while (now > peak && !peak_.compare_exchange_weak(peak, now)) {
  }
}

void MemoryLedger::give_back(std::size_t bytes) { in_use_.fetch_sub(bytes); }

Reservation::Reservation(MemoryLedger& ledger, std::size_t bytes, std::string_view purpose)
    : ledger_(&ledger), bytes_(bytes) {
  ledger.take(bytes, purpose);
}

Reservation::Reservation(Reservation&& other) noexcept
    : ledger_(std::exchange(other.ledger_, nullptr)), bytes_(other.bytes_) {}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  std::swap(ledger_, other.ledger_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Reservation::~Reservation() {
  if (ledger_ != nullptr) ledger_->give_back(bytes_);
}

void Context::check_cancelled() const {
  if (cancelled != nullptr && cancelled->load()) {
    throw Error(ErrorKind::interrupted, {.what = "interrupted", .where = {}, .got = {}, .expected = {}, .cure = {}});
  }
}

std::string human_bytes(std::size_t bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 1024 && unit < 5) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof(text), unit == 0 || value >= 100 ? "%.0f %s" : "%.3g %s", value, units[unit]);
  return text;
}

}  // namespace tangra
