#include "window_flags.h"

#include <cstdint>

#include "option_checks.h"

namespace rsd::cli {
namespace {

constexpr std::uint64_t kMaxCount = 1'000'000;

}  // namespace

void add_window_options(CLI::App& command, WindowFlags& flags) {
  const std::string group = "Long lists";
  const WindowOptions defaults;
  command
      .add_option("--window", flags.choice.size,
                  "Lists of more than W candidates are ranked in windows of W; without it only "
                  "lists that don't fit one prompt, in windows of " +
                      std::to_string(defaults.size))
      ->check(whole_number(2, kMaxCount))
      ->type_name("W")
      ->group(group);
  command
      .add_option("--window-method", flags.method,
                  "sliding (from the end to the front), top-down (all against one of the first "
                  "window) or tournament (groups, whose first go on)")
      ->check(not_empty())
      ->capture_default_str()
      ->type_name("NAME")
      ->group(group);
  command
      .add_option("--stride", flags.choice.stride,
                  "How far in front of a window the next one begins (sliding; default: W / 2)")
      ->check(whole_number(1, kMaxCount))
      ->type_name("S")
      ->group(group);
  command.add_option("--passes", flags.choice.passes, "Over the whole list (sliding; default: 1)")
      ->check(whole_number(1, kMaxCount))
      ->type_name("N")
      ->group(group);
  command
      .add_option("--pivot", flags.choice.pivot,
                  "How many of the first window stand above the one that all others are compared "
                  "with (top-down; default: W / 2)")
      ->check(whole_number(1, kMaxCount))
      ->type_name("N")
      ->group(group);
  command
      .add_option("--pool", flags.choice.pool,
                  "How many are ranked again: of those that beat the pivot, else those that follow "
                  "in the first window, too (top-down; default: all that beat it)")
      ->check(whole_number(2, kMaxCount))
      ->type_name("N")
      ->group(group);
  command
      .add_option("--advance", flags.choice.advance,
                  "Candidates of a group that go on (tournament; default: --top-n or 10, at most "
                  "W / 2)")
      ->check(whole_number(1, kMaxCount))
      ->type_name("N")
      ->group(group);
}

Result<WindowChoice> window_choice(const WindowFlags& flags) {
  const auto method = parse_window_method(flags.method);
  if (!method) return method.error();
  WindowChoice choice = flags.choice;
  choice.method = *method;
  return choice;
}

}  // namespace rsd::cli
