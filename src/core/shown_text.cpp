#include "rsd/core/shown_text.h"

#include <utility>

#include "core/code_points.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

// What stands for what isn't shown, and at the end of a text that is cut.
struct Marks {
  std::string_view replacement;
  std::string_view cut;
  std::size_t cut_chars;
};

constexpr Marks kMarks{.replacement = "\xEF\xBF\xBD", .cut = "…", .cut_chars = 1};
constexpr Marks kAsciiMarks{.replacement = "?", .cut = "...", .cut_chars = 3};

// Marks, embeddings, overrides and isolates, after which text may be shown in another order; and
// what is there without being seen.
bool turns_or_hides(char32_t c) {
  const auto is_within = [c](char32_t first, char32_t last) { return first <= c && c <= last; };
  return c == 0xAD || c == 0x61C || c == 0x200B || is_within(0x200E, 0x200F) ||
         is_within(0x202A, 0x202E) || is_within(0x2060, 0x206F) || c == 0xFEFF ||
         is_within(0xE0000, 0xE007F);
}

// A line with a limited number of characters.
class Line {
 public:
  Line(std::size_t max_chars, const Marks& marks) : max_chars_(max_chars), marks_(marks) {}

  // Returns false if there was no room; the line then ends in "…".
  bool append(std::string_view character) {
    if (n_chars_ == max_chars_) {
      text_.resize(end_of_cut_);
      text_ += marks_.cut;
      return false;
    }
    text_ += character;
    ++n_chars_;
    if (n_chars_ + marks_.cut_chars <= max_chars_) end_of_cut_ = text_.size();
    return true;
  }
  bool is_empty() const { return text_.empty(); }
  std::string take() { return std::move(text_); }

 private:
  const std::size_t max_chars_;
  const Marks& marks_;
  std::size_t n_chars_ = 0;
  std::size_t end_of_cut_ = 0;  // as far as there is room for the mark after it
  std::string text_;
};

}  // namespace

std::string shown_text(std::string_view foreign, std::size_t max_chars, Letters letters) {
  const bool is_ascii = letters == Letters::kAscii;
  const Marks& marks = is_ascii ? kAsciiMarks : kMarks;
  RSD_CHECK(max_chars >= marks.cut_chars, "no room for the mark of a cut text");
  Line line(max_chars, marks);
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
    const bool is_shown =
        length > 0 && !turns_or_hides(code_point) && (!is_ascii || code_point < 0x80);
    if (!line.append(is_shown ? sequence : marks.replacement)) break;
  }
  return line.take();
}

}  // namespace rsd
