#pragma once
#include <string>

namespace tangra::formats {

/// Throws Error(input); `where` is the file, or file:key. The other parts are those of Complaint.
[[noreturn]] void refuse(const std::string& where, const std::string& what, const std::string& got = {},
                         const std::string& expected = {}, const std::string& cure = {});

/// The same for what the system refused (`code` is errno): with its words, and what helps against a full disk and the like.
[[noreturn]] void refuse_system(const std::string& where, const std::string& what, int code);

}  // namespace tangra::formats
