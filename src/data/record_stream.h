// Reads files of lines, or of one JSON array, one record at a time.
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

// Returns the lines that aren't blank, without line ends (Windows' included) and byte order marks.
// If arrays are enabled and the first line begins with '[', it returns the elements of that array,
// whatever their layout, and then continues after it. The rest of a record that is too long is
// skipped, not kept.
class RecordStream {
 public:
  enum class Arrays { kAreLines, kHaveRecords };
  struct Options {
    Arrays arrays = Arrays::kAreLines;
    std::size_t max_bytes = std::numeric_limits<std::size_t>::max();  // limit for a record
  };

  // `stream` must not be null.
  RecordStream(std::unique_ptr<std::istream> stream, Options options);

  // The next record; nullopt at the end, and after an error that ended the stream. kInvalidInput: a
  // record of more than `max_bytes`, after which reading can continue; an array that isn't closed,
  // or a file that is compressed or UTF-16, which end the stream. kRuntime: reading broke off.
  Result<std::optional<std::string>> next();

  std::size_t line() const noexcept { return line_; }  // where the last record begins, from 1
  std::size_t place() const noexcept {
    return place_;
  }  // the number of the line or element, from
     // 1
  // True if bytes can be read without waiting.
  bool has_buffered() const { return stream_ && stream_->rdbuf()->in_avail() > 0; }
  bool ended() const noexcept { return stream_ == nullptr; }

 private:
  // The context of the next bytes; unknown at the beginning and after an array.
  enum class Where { kUnknown, kInLines, kInArray };

  bool may_become_mark();
  Result<void> look_ahead();
  Result<std::optional<std::string>> next_line();
  Result<std::optional<std::string>> next_element();
  Error end(ErrorCode code, const std::string& what);
  Error too_long(const char* what) const;

  std::unique_ptr<std::istream> stream_;  // null after the end
  Options options_;
  Where where_ = Where::kUnknown;
  std::string ahead_;           // the beginning of the next line, read already
  std::size_t at_line_ = 1;     // the line of the next byte
  std::size_t n_elements_ = 0;  // in arrays so far
  bool is_first_ = true;        // the next element is the first of its array
  std::size_t line_ = 0;
  std::size_t place_ = 0;
};

// The error if the beginning of a file shows that it isn't UTF-8 text; else nullopt.
std::optional<std::string> foreign_format(std::string_view head);

}  // namespace rsd
