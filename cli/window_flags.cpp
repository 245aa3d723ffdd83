#include "window_flags.h"

#include <algorithm>
#include <cstdint>

#include "option_checks.h"

namespace rsd::cli {
namespace {

constexpr std::uint64_t kMaxCount = 1'000'000;

Error unused(const std::string& option, const std::string& method) {
  return {ErrorCode::kInvalidArgument, option + " is not used by --window-method " + method};
}

}  // namespace

void add_window_options(CLI::App& command, WindowFlags& flags) {
  const std::string group = "Long lists";
  const WindowOptions defaults;
  command
      .add_option("--window", flags.window,
                  "Lists of more than W candidates are ranked in windows of W; without it only "
                  "lists that don't fit one prompt, in windows of " +
                      std::to_string(defaults.size))
      ->check(whole_number(2, kMaxCount))
      ->type_name("W")
      ->group(group);
  command
      .add_option("--window-method", flags.method,
                  "sliding (from the end to the front), top-down (all against the middle one of "
                  "the first window) or tournament (groups, whose first go on)")
      ->check(not_empty())
      ->capture_default_str()
      ->type_name("NAME")
      ->group(group);
  command
      .add_option("--stride", flags.stride,
                  "How far in front of a window the next one begins (sliding; default: W / 2)")
      ->check(whole_number(1, kMaxCount))
      ->type_name("S")
      ->group(group);
  command.add_option("--passes", flags.passes, "Over the whole list (sliding; default: 1)")
      ->check(whole_number(1, kMaxCount))
      ->type_name("N")
      ->group(group);
  command
      .add_option("--pool", flags.pool,
                  "How many of those that beat the middle one are ranked again, at most (top-down; "
                  "default: all)")
      ->check(whole_number(2, kMaxCount))
      ->type_name("N")
      ->group(group);
  command
      .add_option("--advance", flags.advance,
                  "Candidates of a group that go on (tournament; default: --top-n or 10, at most "
                  "W / 2)")
      ->check(whole_number(1, kMaxCount))
      ->type_name("N")
      ->group(group);
}

Result<WindowOptions> window_options(const WindowFlags& flags, std::optional<std::size_t> top_n) {
  const auto method = parse_window_method(flags.method);
  if (!method) return method.error();
  WindowOptions options{.method = *method};
  options.size = flags.window.value_or(options.size);
  if (*method != WindowMethod::kSliding) {
    if (flags.stride) return unused("--stride", flags.method);
    if (flags.passes) return unused("--passes", flags.method);
  }
  if (*method != WindowMethod::kTopDown && flags.pool) return unused("--pool", flags.method);
  if (*method != WindowMethod::kTournament && flags.advance)
    return unused("--advance", flags.method);
  options.stride = flags.stride.value_or(options.size / 2);
  options.passes = flags.passes.value_or(options.passes);
  options.pool = flags.pool;
  options.advance =
      flags.advance.value_or(std::min(top_n.value_or(options.advance), options.size / 2));
  if (auto sensible = check(options); !sensible) return sensible.error();
  return options;
}

}  // namespace rsd::cli
