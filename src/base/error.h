#pragma once
#include <stdexcept>
#include <string>

namespace tangra {

/// What went wrong, as far as a caller has to act differently.
enum class ErrorKind {
  usage,        ///< the request contradicts itself or is not understood
  input,        ///< a file, a shape or a value is not what it has to be
  unsupported,  ///< a network uses something that is not supported
  memory,       ///< the work does not fit into the memory budget
  numerics,     ///< a computation did not reach what was promised
  interrupted,  ///< the caller asked to stop
  internal,     ///< our own fault
};

/// The parts of an error message. Empty parts are left out.
struct Complaint {
  std::string what;      ///< one sentence without a full stop: what is wrong
  std::string where;     ///< file, node, layer or argument
  std::string got;       ///< what was found ...
  std::string expected;  ///< ... and what was needed
  std::string cure;      ///< what the user can do
};

/// The only exception that the library throws on purpose.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const Complaint& complaint);
  ErrorKind kind() const noexcept { return kind_; }
  const Complaint& complaint() const noexcept { return complaint_; }

 private:
  ErrorKind kind_;
  Complaint complaint_;
};

/// Throws an Error of kind `internal` where one of our own promises is broken.
[[noreturn]] void broken_promise(const char* promise, const char* file, int line);

}  // namespace tangra

/// Checks a promise of our own code; never used for what a user can cause.
#define TANGRA_ENSURE(condition) \
  ((condition) ? static_cast<void>(0) : ::tangra::broken_promise(#condition, __FILE__, __LINE__))
