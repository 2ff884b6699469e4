#pragma once
#include <string>

namespace tangra::formats {

/// Throws Error(input); `where` is the file, or file:key. The other parts are those of Complaint.
[[noreturn]] void refuse(const std::string& where, const std::string& what, const std::string& got = {},
                         const std::string& expected = {}, const std::string& cure = {});

}  // namespace tangra::formats
