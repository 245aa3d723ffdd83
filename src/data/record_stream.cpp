#include "data/record_stream.h"

#include <algorithm>
#include <array>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {
namespace {

using Traits = std::char_traits<char>;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kWhiteSpace = " \t\r\v\f\n";

// Of bytes that need not be UTF-8 yet.
bool is_empty(std::string_view line) {
  return line.find_first_not_of(kWhiteSpace) == std::string_view::npos;
}

bool is_white_space(char c) {
  return kWhiteSpace.find(c) != std::string_view::npos;
}

enum class LineEnd { kWhole, kTooLong, kNoLine, kBroken };

// Appends the rest of the line without its end. A line of more than `max_bytes` is skipped.
LineEnd read_line(std::istream& stream, std::size_t max_bytes, std::string& line) {
  std::array<char, 1 << 16> chunk;
  const bool has_beginning = !line.empty();
  for (bool first = true, too_long = false;; first = false) {
    stream.getline(chunk.data(), chunk.size());
    if (stream.bad()) return LineEnd::kBroken;
    if (stream.eof() && stream.gcount() == 0 && first && !has_beginning) return LineEnd::kNoLine;

    const bool chunk_is_full = stream.fail() && !stream.eof();
    const bool line_feed_was_read = !stream.fail() && !stream.eof();
    const auto count = static_cast<std::size_t>(stream.gcount()) - (line_feed_was_read ? 1 : 0);
    too_long = too_long || line.size() > max_bytes || count > max_bytes - line.size();
    if (too_long) {
      line.clear();
    } else {
      line.append(chunk.data(), count);
    }
    if (!chunk_is_full) return too_long ? LineEnd::kTooLong : LineEnd::kWhole;
    stream.clear();
  }
}

// Finds the end of an array's element, byte by byte.
class ElementScan {
 public:
  // True if `c` ends the element: a comma, or the array's closing bracket.
  bool ends_at(char c) {
    if (in_string_) {
      if (is_escaped_) {
        is_escaped_ = false;
      } else if (c == '\\') {
        is_escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
      return false;
    }
    if (depth_ == 0 && (c == ',' || c == ']')) return true;
    if (c == '"') in_string_ = true;
    if (c == '[' || c == '{') ++depth_;
    if ((c == ']' || c == '}') && depth_ > 0) --depth_;
    return false;
  }

 private:
  std::size_t depth_ = 0;
  bool in_string_ = false;
  bool is_escaped_ = false;
};

}  // namespace

std::optional<std::string> foreign_format(std::string_view head) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kCompressed = {
      {{"\x1F\x8B", "gzip"},
       {"\x28\xB5\x2F\xFD", "zstd"},
       {"BZh", "bzip2"},
       {"\xFD\x37zXZ", "xz"},
       {"PK\x03\x04", "zip"}}};
  for (const auto& [magic, name] : kCompressed) {
    if (head.starts_with(magic))
      return "this is compressed (" + std::string(name) + "); unpack it first";
  }
  if (head.starts_with("\xFF\xFE") || head.starts_with("\xFE\xFF"))
    return "this is UTF-16; it must be UTF-8";
  return std::nullopt;
}

RecordStream::RecordStream(std::unique_ptr<std::istream> stream, Options options)
    : stream_(std::move(stream)), options_(options) {
  RSD_CHECK(stream_ != nullptr, "a reader without a stream");
}

Error RecordStream::end(ErrorCode code, const std::string& what) {
  stream_.reset();  // so that a caller that continues after errors reaches the end
  return {code, what};
}

Error RecordStream::too_long(const char* what) const {
  return {ErrorCode::kInvalidInput, std::string(what) + " is longer than max_line_bytes, " +
                                        std::to_string(options_.max_bytes) + " bytes"};
}

Result<std::optional<std::string>> RecordStream::next() {
  while (stream_) {
    if (where_ == Where::kUnknown) {
      if (auto known = look_ahead(); !known) return known.error();
      continue;
    }
    if (where_ == Where::kInLines) return next_line();
    auto element = next_element();
    if (!element || element->has_value()) return element;
  }
  return std::optional<std::string>();
}

// True if further bytes could make `ahead_` a byte order mark, or the mark of another format.
bool RecordStream::may_become_mark() {
  constexpr std::size_t kLongestMark = 5;
  constexpr std::string_view kFirstBytes =
      "\x1F\x28\xFD\xFF\xFE\xEF"
      "BP";
  if (kFirstBytes.find(ahead_[0]) == std::string_view::npos) return false;
  if (ahead_.size() == kLongestMark || ahead_ == kByteOrderMark) return false;
  const int following = stream_->peek();
  return following != '\n' && following != Traits::eof();
}

// Reads bytes until the kind of input is known: lines, an array, or a foreign format.
Result<void> RecordStream::look_ahead() {
  if (options_.arrays == Arrays::kAreLines) {
    where_ = Where::kInLines;
    return {};
  }
  ahead_.clear();
  for (int c = stream_->get(); c != Traits::eof(); c = stream_->get()) {
    ahead_ += Traits::to_char_type(c);
    if (may_become_mark()) continue;
    if (ahead_ == kByteOrderMark) {
      ahead_.clear();
      continue;
    }
    if (const auto fault = foreign_format(ahead_)) {
      line_ = at_line_;
      return end(ErrorCode::kInvalidInput, *fault);
    }
    // White space is skipped only before the first other byte.
    const bool was_blank = ahead_.size() == 1 || is_white_space(ahead_[0]);
    if (was_blank && ahead_.back() == '[') {
      where_ = Where::kInArray;
      return {};
    }
    if (!was_blank || !is_white_space(ahead_.back())) break;
    if (ahead_.back() == '\n') {
      ++at_line_;
      ahead_.clear();
    }
  }
  if (stream_->bad()) {
    line_ = at_line_;
    return end(ErrorCode::kRuntime, "reading broke off");
  }
  if (is_empty(ahead_) && stream_->eof()) {
    stream_.reset();
    return {};
  }
  where_ = Where::kInLines;
  return {};
}

Result<std::optional<std::string>> RecordStream::next_line() {
  while (stream_) {
    std::string line = std::exchange(ahead_, {});
    const LineEnd line_end = read_line(*stream_, options_.max_bytes, line);
    if (line_end == LineEnd::kNoLine) break;
    line_ = place_ = at_line_++;
    if (line_end == LineEnd::kBroken) return end(ErrorCode::kRuntime, "reading broke off");
    if (line_end == LineEnd::kTooLong) return too_long("the line");
    if (line_ == 1) {
      if (const auto fault = foreign_format(line)) return end(ErrorCode::kInvalidInput, *fault);
    }
    // Files joined with `cat` have a byte order mark in the middle, too.
    if (line.starts_with(kByteOrderMark)) line.erase(0, kByteOrderMark.size());
    if (line.ends_with('\r')) line.pop_back();
    if (!is_empty(line)) return std::optional(std::move(line));
  }
  stream_.reset();
  return std::optional<std::string>();
}

// nullopt after the last element.
Result<std::optional<std::string>> RecordStream::next_element() {
  ElementScan scan;
  std::string element;
  bool is_too_long = false;
  line_ = at_line_;
  while (true) {
    const int next = stream_->get();
    if (stream_->bad()) return end(ErrorCode::kRuntime, "reading broke off");
    if (next == Traits::eof())
      return end(ErrorCode::kInvalidInput, "the file ends within the JSON array");
    const char c = Traits::to_char_type(next);
    const bool ends = scan.ends_at(c);
    if (ends && c == ']') where_ = Where::kUnknown;
    if (ends) break;
    if (c == '\n') ++at_line_;
    if (element.empty() && is_white_space(c)) {
      line_ = at_line_;
      continue;
    }
    is_too_long = is_too_long || element.size() == options_.max_bytes;
    if (!is_too_long) element += c;
  }
  const bool is_empty_array = element.empty() && where_ == Where::kUnknown && is_first_;
  is_first_ = where_ == Where::kUnknown;
  if (is_empty_array) return std::optional<std::string>();
  place_ = ++n_elements_;
  if (is_too_long) return too_long("the element");
  if (element.empty())
    return Error(ErrorCode::kInvalidInput, "broken JSON: a comma has no element beside it");
  return std::optional(std::move(element));
}

}  // namespace rsd
