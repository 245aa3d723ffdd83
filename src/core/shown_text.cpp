#include "rsd/core/shown_text.h"

#include "core/code_points.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Embeddings, overrides and isolates: characters after them may be shown in another order.
bool turns_direction(char32_t c) {
  return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

// A line with a limited number of characters.
class Line {
 public:
  explicit Line(std::size_t max_chars) : max_chars_(max_chars) {}

  // Returns false if there was no room; the line then ends in "…".
  bool append(std::string_view character) {
    if (n_chars_ == max_chars_) {
      text_.resize(last_);
      text_ += "…";
      return false;
    }
    last_ = text_.size();
    text_ += character;
    ++n_chars_;
    return true;
  }
  bool is_empty() const { return text_.empty(); }
  std::string take() { return std::move(text_); }

 private:
  std::size_t max_chars_;
  std::size_t n_chars_ = 0;
  std::size_t last_ = 0;  // start of the last character, which "…" may replace
  std::string text_;
};

}  // namespace

std::string shown_text(std::string_view foreign, std::size_t max_chars) {
  RSD_CHECK(max_chars >= 1, "no room for the mark of a cut text");
  Line line(max_chars);
  bool gap = false;
  while (!foreign.empty()) {
    const std::size_t length = sequence_length(foreign);
    const std::string_view sequence = foreign.substr(0, length == 0 ? 1 : length);
    foreign.remove_prefix(sequence.size());
    const char32_t code_point = length == 0 ? 0xFFFD : decode(sequence);
    if (is_space_or_control(code_point)) {
      gap = true;
      continue;
    }
    if (gap && !line.is_empty() && !line.append(" ")) break;
    gap = false;
    const bool is_shown = length > 0 && !turns_direction(code_point);
    if (!line.append(is_shown ? sequence : kReplacement)) break;
  }
  return line.take();
}

}  // namespace rsd
