#include "data/answer_table.h"

#include <algorithm>

#include "data/fixed_decimals.h"
#include "data/shorten.h"

namespace rsd {
namespace {

constexpr std::size_t kColumns = 100;
constexpr std::size_t kMaxIdColumns = 40;
constexpr std::size_t kMinTextColumns = 30;
constexpr std::size_t kMarkColumns = 1;
constexpr std::string_view kGap = "  ";
constexpr std::string_view kVerified = "✓";

std::string left(const std::string& text, std::size_t columns) {
  return text + std::string(columns - std::min(columns, count_chars(text)), ' ');
}

std::string right(const std::string& text, std::size_t columns) {
  return std::string(columns - std::min(columns, count_chars(text)), ' ') + text;
}

// As many of the last items as fit, after "…" if some are left out; at least the newest, cut if
// necessary.
std::string last_items(const std::vector<std::string>& history, std::size_t columns) {
  if (history.empty()) return {};
  const std::string separator = " | ";
  const std::string mark = "…" + separator;
  std::string shown = shorten(history.back(), columns - count_chars(mark));
  std::size_t first = history.size() - 1;
  for (; first > 0; --first) {
    const std::string longer = shorten(history[first - 1], columns) + separator + shown;
    const std::size_t room = first > 1 ? columns - count_chars(mark) : columns;
    if (count_chars(longer) > room) break;
    shown = longer;
  }
  return first > 0 ? mark + shown : shown;
}

std::string heading(const Request& request) {
  const std::string id = shorten(request.id, kMaxIdColumns);
  const std::size_t columns = kColumns - count_chars(id) - kGap.size();
  return id + std::string(kGap) +
         (request.task == Task::kPassage ? shorten(request.query, columns)
                                         : last_items(request.history, columns));
}

struct Widths {
  std::size_t rank;
  std::size_t id;
  std::size_t input;
  std::size_t text;
};

Widths measure(const Request& request) {
  Widths widths{.rank = 4, .id = 2, .input = 5, .text = 0};
  const std::size_t digits = std::to_string(request.candidates.size()).size();
  widths.rank = std::max(widths.rank, digits);
  widths.input = std::max(widths.input, digits);
  for (const Candidate& candidate : request.candidates) {
    widths.id = std::max(widths.id, count_chars(shorten(candidate.id, kMaxIdColumns)));
  }
  const std::size_t used = widths.rank + kMarkColumns + widths.id + widths.input + 4 * kGap.size();
  widths.text = used + kMinTextColumns < kColumns ? kColumns - used : kMinTextColumns;
  return widths;
}

struct Row {
  std::string rank;
  std::string_view mark;
  std::string id;
  std::string input;
  std::string text;
};

std::string format_row(const Widths& widths, const Row& row) {
  const std::string gap(kGap);
  return right(row.rank, widths.rank) + gap + left(std::string(row.mark), kMarkColumns) + gap +
         left(row.id, widths.id) + gap + right(row.input, widths.input) + gap + row.text + "\n";
}

std::string count(std::size_t n, const std::string& noun) {
  return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
}

std::string left_out(const Answer& answer) {
  const std::size_t n_left_out = answer.ranking.size() - listed_positions(answer).size();
  return n_left_out > 0 ? count(n_left_out, "candidate") + " left out as irrelevant, " : "";
}

std::string summary(const Answer& answer) {
  const std::string budget =
      answer.budget ? " (budget " + std::to_string(*answer.budget) + ")" : "";
  const std::string cut =
      answer.truncated_candidates > 0 ? count(answer.truncated_candidates, "text") : "no text";
  const std::string windows =
      answer.windows ? count(answer.windows->count, "window") + " of up to " +
                           std::to_string(answer.windows->size) + " (" + answer.windows->method +
                           "), the first " + std::to_string(answer.windows->confirmed_prefix) +
                           " confirmed in theirs, "
                     : "";
  return shorten(answer.decoder, kMaxIdColumns) + budget + ": " + windows +
         count(answer.encodings, "encoding") + ", " + count(answer.tokens_encoded, "token") + ", " +
         std::to_string(answer.verified_prefix) + " of " + std::to_string(answer.ranking.size()) +
         " verified, " + cut + " cut, " + (answer.truncated_query ? "the query cut, " : "") +
         (answer.deadline_hit ? "deadline hit, " : "") + left_out(answer) +
         fixed_decimals(answer.total_ms, 1) + " ms (prefill " +
         fixed_decimals(answer.prefill_ms, 1) + ", decode " + fixed_decimals(answer.decode_ms, 1) +
         ", agent " + fixed_decimals(answer.agent_ms, 1) + ")\n";
}

}  // namespace

std::string format_answer_table(const Request& request, const Answer& answer) {
  const Widths widths = measure(request);
  std::string table = heading(request) + "\n";
  table += format_row(widths, {"rank", kVerified, "id", "input", "text"});
  for (const Position position : listed_positions(answer)) {
    const ItemId item = answer.ranking.at(position);
    const Candidate& candidate = request.candidates[item.slot()];
    table += format_row(widths, {.rank = std::to_string(position.slot() + 1),
                                 .mark = position.slot() < answer.verified_prefix ? kVerified : "",
                                 .id = shorten(candidate.id, kMaxIdColumns),
                                 .input = std::to_string(item.slot() + 1),
                                 .text = shorten(candidate.text, widths.text)});
  }
  return table + summary(answer) + "\n";
}

}  // namespace rsd
