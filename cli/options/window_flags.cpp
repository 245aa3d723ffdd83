#include "options/window_flags.h"

#include <string>

#include "options/flags.h"

namespace rsd::cli {
void add_window_options(CLI::App& command, WindowFlags& options) {
  Flags flags(command, "Long lists");
  const WindowOptions defaults;
  WindowChoice& choice = options.choice;
  const auto count = whole_number(1, kMaxCount);
  const auto at_least_two = whole_number(2, kMaxCount);
  flags.add({"--window", "W",
             "Lists of more than W candidates are ranked in windows of W; without it only lists "
             "whose texts don't fit one prompt together, in windows of up to " +
                 std::to_string(defaults.size)},
            choice.size, at_least_two);
  flags.add({"--window-method", "NAME",
             "sliding (from the end to the front), top-down (all against one of the first "
             "window), tournament (groups, whose first go on), calibrated (all beside one "
             "of the first window, which makes their scores comparable; one encoding each) or "
             "relevance (the W most relevant ones, for models that read relevance). "
             "Default: sliding where an option of windows is given, and for ar and exact; "
             "else relevance for such models, and calibrated for others"},
            options.method, not_empty());
  flags.add({"--stride", "S",
             "How far in front of a window the next one begins (sliding; default: W / 2)"},
            choice.stride, count);
  flags.add({"--passes", "N", "Over the whole list (sliding; default: 1)"}, choice.passes, count);
  flags.add({"--pivot", "N",
             "How many of the first window stand above the one that all others are compared with "
             "(top-down, calibrated; default: W / 2)"},
            choice.pivot, count);
  flags.add({"--pool", "N",
             "How many are ranked again: of those that beat the pivot, else those that follow in "
             "the first window, too (top-down; default: all that beat it)"},
            choice.pool, at_least_two);
  flags.add({"--advance", "N",
             "Candidates of a group that go on (tournament; default: --top-n or 10, at most W / "
             "2)"},
            choice.advance, count);
}

Result<WindowChoice> window_choice(const WindowFlags& flags) {
  WindowChoice choice = flags.choice;
  if (flags.method.empty()) return choice;
  const auto method = parse_window_method(flags.method);
  if (!method) return method.error();
  choice.method = *method;
  return choice;
}

}  // namespace rsd::cli
