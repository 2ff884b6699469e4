#include "tangra/base/error.h"

namespace tangra {
namespace {

/// Names of files may hold line breaks; a message may not break at one.
std::string on_one_line(const std::string& name) {
  std::string line;
  for (const char character : name) {
    if (character == '\n') line += "\\n";
    else if (character == '\r') line += "\\r";
    else line += character;
  }
  return line;
}

std::string message_of(const Complaint& complaint) {
  std::string text = complaint.where.empty() ? complaint.what : on_one_line(complaint.where) + ": " + complaint.what;
  if (!complaint.got.empty()) text += "; got " + on_one_line(complaint.got);
  if (!complaint.expected.empty()) text += (complaint.got.empty() ? "; expected " : ", expected ") + complaint.expected;
  if (!complaint.cure.empty()) text += ". " + complaint.cure;
  return text;
}

}  // namespace

Error::Error(ErrorKind kind, const Complaint& complaint)
    : std::runtime_error(message_of(complaint)), kind_(kind), complaint_(complaint) {}

void broken_promise(const char* promise, const char* file, int line) {
  throw Error(ErrorKind::internal,
              {.what = std::string("a promise of the program's own code is broken: ") + promise,
               .where = std::string(file) + ":" + std::to_string(line),
               .got = {},
               .expected = {},
               .cure = "This is a fault of tangra; please report it with the command that led here"});
}

}  // namespace tangra
