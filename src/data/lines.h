// Files of lines.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

// Calls `take` for each line that isn't blank, without its end (Windows' too) and without a byte
// order mark; an error of it is told with "<path>:<line>: " before it, and so is invalid UTF-8. The
// file is read line by line. kNotFound when it can't be opened, kRuntime when reading breaks off,
// kInvalidInput when it has no such line.
Result<void> for_each_line(const std::string& path,
                           const std::function<Result<void>(std::string_view line)>& take);

// What stands between white space.
std::vector<std::string_view> split_fields(std::string_view line);

// For error messages: in quotes, cut to a width.
std::string in_quotes(std::string_view text);

}  // namespace rsd
