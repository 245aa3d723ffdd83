#include "options/option_checks.h"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <system_error>

namespace rsd::cli {
namespace {

// The whole text as a number; false when it isn't one or doesn't fit.
template <class Number>
bool parse(const std::string& text, Number& number) {
  const char* end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, number);
  return failure == std::errc() && rest == end;
}

// A check without a name of its own: names would go into the help, beside the type.
template <class Accept>
CLI::Validator check(const std::string& allowed, const Accept& accept) {
  return CLI::Validator(
      [allowed, accept](std::string& text) -> std::string {
        return accept(text) ? "" : "must be " + allowed + ", not \"" + text + "\"";
      },
      "");
}

}  // namespace

CLI::Validator whole_number(std::int64_t min, std::uint64_t max) {
  const std::string allowed =
      "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
  return check(allowed, [min, max](const std::string& text) {
    if (std::int64_t number = 0; text.starts_with('-')) return parse(text, number) && number >= min;
    std::uint64_t number = 0;
    return parse(text, number) && number <= max &&
           (min <= 0 || number >= static_cast<std::uint64_t>(min));
  });
}

CLI::Validator positive_number(double max) {
  std::ostringstream allowed;
  allowed << "a number above 0, at most " << max;
  return check(allowed.str(), [max](const std::string& text) {
    double number = 0;
    return parse(text, number) && number > 0 && number <= max;  // not of NaN
  });
}

CLI::Validator number_up_to(double max) {
  std::ostringstream allowed;
  allowed << "a number from 0 to " << max;
  return check(allowed.str(), [max](const std::string& text) {
    double number = 0;
    return parse(text, number) && number >= 0 && number <= max;
  });
}

CLI::Validator not_empty() {
  return check("a path", [](const std::string& text) { return !text.empty(); });
}

CLI::Validator one_of(const std::vector<std::string>& names) {
  std::string allowed = "one of ";
  for (const auto& name : names)
    allowed += (name == names.front() ? "" : ", ") + name;
  return check(allowed,
               [names](const std::string& text) { return std::ranges::count(names, text) > 0; });
}

}  // namespace rsd::cli
