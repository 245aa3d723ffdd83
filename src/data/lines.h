// Files of lines.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/record_stream.h"
#include "rsd/core/result.h"

namespace rsd {

struct TextLine {
  std::string_view text;
  std::size_t number = 0;  // from 1
};

// What becomes of a line that `take` has no use for; the error names path and line. An error of its
// own ends the reading.
using OnBadLine = std::function<Result<void>(const Error& error)>;

struct LineOptions {
  RecordStream::Arrays arrays = RecordStream::Arrays::kAreLines;
  OnBadLine on_bad_line;  // empty: the first is the error of the whole
};

// Calls `take` for each line that isn't blank, without its end (Windows' too) and without a byte
// order mark; an error of it is told with "<path>:<line>: " before it, and so is invalid UTF-8. The
// file is read line by line. kNotFound when it can't be opened, kRuntime when reading breaks off,
// kInvalidInput when it has no such line, or is compressed.
Result<void> for_each_line(const std::string& path,
                           const std::function<Result<void>(const TextLine& line)>& take,
                           const LineOptions& options = {});

// What stands between white space.
std::vector<std::string_view> split_fields(std::string_view line);

// For error messages: in quotes, cut to a width.
std::string in_quotes(std::string_view text);

}  // namespace rsd
