#include "errors.h"

#include <nanobind/nanobind.h>

#include <array>
#include <cctype>
#include <string>
#include <utility>

#include "tangra/base/error.h"

namespace tangra::python {
namespace {

/// Options whose arguments in Python are not called as they are.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> renamed{{
    {"--force", "overwrite=True"},
    {"--resume", "resume=True"},
    {"--tangent", "tangents"},
    {"--cotangent", "cotangents"},
    {"--n takes fewer samples", "x[:n] takes fewer samples"},
    {"-o", "out"},
}};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    const std::size_t end = at + from.size();
    const bool whole = (at == 0 || !std::isalnum(static_cast<unsigned char>(text[at - 1]))) &&
                       (end == text.size() || !std::isalnum(static_cast<unsigned char>(text[end])));
    if (whole) text.replace(at, from.size(), to);
  }
}

/// Messages name options of the command line: "--input-form" is input_form here.
std::string in_python(std::string text) {
  for (const auto& [from, to] : renamed) replace_all(text, from, to);
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool option = text.compare(at, 2, "--") == 0 && (at == 0 || text[at - 1] == ' ' || text[at - 1] == '(') &&
                        at + 2 < text.size() && std::islower(static_cast<unsigned char>(text[at + 2])) != 0;
    if (!option) {
      result += text[at];
      continue;
    }
    for (at += 2; at < text.size() && (std::islower(static_cast<unsigned char>(text[at])) != 0 || text[at] == '-'); ++at) {
      result += text[at] == '-' ? '_' : text[at];
    }
    --at;
  }
  return result;
}

PyObject* exception_for(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
    case ErrorKind::input:
      return PyExc_ValueError;
    case ErrorKind::unsupported:
      return PyExc_NotImplementedError;
    case ErrorKind::memory:
      return PyExc_MemoryError;
    case ErrorKind::numerics:
      return PyExc_ArithmeticError;
    case ErrorKind::interrupted:
      return PyExc_KeyboardInterrupt;
    case ErrorKind::internal:
      break;
  }
  return PyExc_RuntimeError;
}

}  // namespace

void translate_errors() {
  nanobind::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const Error& error) {
      PyErr_SetString(exception_for(error.kind()), in_python(error.what()).c_str());
    }
  });
}

}  // namespace tangra::python
