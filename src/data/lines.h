// Reads files line by line.
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

// Called for a line that `take` refuses; the error names path and line. Returning an error ends the
// reading.
using OnBadLine = std::function<Result<void>(const Error& error)>;

struct LineOptions {
  RecordStream::Arrays arrays = RecordStream::Arrays::kAreLines;
  OnBadLine on_bad_line;  // empty: the first bad line fails the whole
};

// Calls `take` for each line that isn't blank, without its line end (Windows' included) and byte
// order mark. Errors of `take`, and invalid UTF-8, are reported with the prefix "<path>:<line>: ".
// Holds one line at a time. kNotFound when the file can't be opened, kRuntime when reading breaks
// off, kInvalidInput when all lines are blank, or the file is compressed.
Result<void> for_each_line(const std::string& path,
                           const std::function<Result<void>(const TextLine& line)>& take,
                           const LineOptions& options = {});

// The parts of `text` between white space.
std::vector<std::string_view> split_fields(std::string_view line);

// Quotes `text` for error messages, cut to a width.
std::string in_quotes(std::string_view text);

}  // namespace rsd
