// Files of lines, or of one JSON array, a record at a time.
#pragma once

#include <cstddef>
#include <istream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "rsd/core/result.h"

namespace rsd {

// Gives the lines that aren't blank, without their ends (Windows' too) and byte order marks. Where
// the first of them begins with '[' and arrays are asked for, it gives the elements of that array
// instead, however they are laid out, and then goes on behind it. What is not wanted of a record
// that is too long is passed over, not kept.
class RecordStream {
 public:
  enum class Arrays { kAreLines, kHaveRecords };
  struct Options {
    Arrays arrays = Arrays::kAreLines;
    std::size_t max_bytes = std::numeric_limits<std::size_t>::max();  // of a record
  };

  // `stream` is not null.
  RecordStream(std::unique_ptr<std::istream> stream, Options options);

  // The next record; nullopt at the end, and behind an error that ended it. kInvalidInput: a record
  // of more than `max_bytes`, behind which reading can go on; an array that isn't closed, and a
  // file that is compressed or UTF-16, which are the end. kRuntime: reading broke off.
  Result<std::optional<std::string>> next();

  std::size_t line() const noexcept { return line_; }    // in which the last record begins, from 1
  std::size_t place() const noexcept { return place_; }  // the line, or an element's number, from 1
  // Bytes that can be had without waiting.
  bool has_buffered() const { return stream_ && stream_->rdbuf()->in_avail() > 0; }
  bool ended() const noexcept { return stream_ == nullptr; }

 private:
  // What the next bytes belong to; nothing is known at the beginning and behind an array.
  enum class Where { kUnknown, kInLines, kInArray };

  bool may_become_mark();
  Result<void> look_ahead();
  Result<std::optional<std::string>> next_line();
  Result<std::optional<std::string>> next_element();
  Error end(ErrorCode code, const std::string& what);
  Error too_long(const char* what) const;

  std::unique_ptr<std::istream> stream_;  // null behind the end
  Options options_;
  Where where_ = Where::kUnknown;
  std::string ahead_;           // of the next line: taken from the stream already
  std::size_t at_line_ = 1;     // of the next byte
  std::size_t n_elements_ = 0;  // of arrays, so far
  bool is_first_ = true;        // of its array is the next element
  std::size_t line_ = 0;
  std::size_t place_ = 0;
};

// Does text that can be a file's beginning tell that the rest isn't UTF-8? The fault, else nullopt.
std::optional<std::string> foreign_format(std::string_view head);

}  // namespace rsd
