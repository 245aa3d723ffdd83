#include "options/window_flags.h"

#include <cstddef>
#include <cstdint>
#include <optional>

#include "options/option_checks.h"

namespace rsd::cli {
namespace {

constexpr std::uint64_t kMaxCount = 1'000'000;

}  // namespace

void add_window_options(CLI::App& command, WindowFlags& flags) {
  const std::string group = "Long lists";
  const WindowOptions defaults;
  const auto count = [&](const char* flag, std::optional<std::size_t>& value, std::uint64_t least,
                         const char* text) {
    return command.add_option(flag, value, text)
        ->check(whole_number(least, kMaxCount))
        ->type_name("N")
        ->group(group);
  };
  command
      .add_option(
          "--window", flags.choice.size,
          "Lists of more than W candidates are ranked in windows of W; without it only lists whose "
          "texts don't fit one prompt together, in windows of up to " +
              std::to_string(defaults.size))
      ->check(whole_number(2, kMaxCount))
      ->type_name("W")
      ->group(group);
  command
      .add_option("--window-method", flags.method,
                  "sliding (from the end to the front), top-down (all against one of the first "
                  "window), tournament (groups, whose first go on) or calibrated (all beside one "
                  "of the first window, which makes their scores comparable; one encoding each). "
                  "Default: sliding where an option of windows is given, and for ar and exact; "
                  "else calibrated")
      ->check(not_empty())
      ->type_name("NAME")
      ->group(group);
  count("--stride", flags.choice.stride, 1,
        "How far in front of a window the next one begins (sliding; default: W / 2)")
      ->type_name("S");
  count("--passes", flags.choice.passes, 1, "Over the whole list (sliding; default: 1)");
  count("--pivot", flags.choice.pivot, 1,
        "How many of the first window stand above the one that all others are compared with "
        "(top-down, calibrated; default: W / 2)");
  count("--pool", flags.choice.pool, 2,
        "How many are ranked again: of those that beat the pivot, else those that follow in the "
        "first window, too (top-down; default: all that beat it)");
  count("--advance", flags.choice.advance, 1,
        "Candidates of a group that go on (tournament; default: --top-n or 10, at most W / 2)");
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
