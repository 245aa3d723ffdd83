// The flags of a command, one statement each.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <utility>
#include <vector>

#include "options/option_checks.h"

namespace rsd::cli {

struct Flag {
  std::string names;  // separated by commas: "-m,--model"
  std::string type;   // of its value, as the help shows it: "FILE"
  std::string help;
};

// Adds flags to one group of a command's help. Each flag fills a variable, which must outlive the
// command. The help shows the variable's value at the time of the call as the default; empty texts
// and lists have none. The option is returned for rare settings, such as required().
class Flags {
 public:
  // Without a name, the group is the one that CLI11 lists first, "Options".
  explicit Flags(CLI::App& command, std::string group = "")
      : command_(command), group_(std::move(group)) {}

  // A number or a text. A std::optional has no default; a std::vector takes all values that follow
  // the flag.
  template <class Value>
  CLI::Option& add(const Flag& flag, Value& value, const CLI::Validator& check = {}) {
    CLI::Option& option = *command_.add_option(flag.names, value, flag.help);
    constexpr bool kIsOptional = requires {
      value.has_value();
    };
    if constexpr (!kIsOptional) option.capture_default_str();
    option.check(check)->type_name(flag.type);
    return grouped(option);
  }

  // One value per flag; the flag may be given several times.
  template <class Value>
  CLI::Option& add_repeated(const Flag& flag, std::vector<Value>& values,
                            const CLI::Validator& check = {}) {
    CLI::Option& option = add(flag, values, check);
    option.allow_extra_args(false);
    return option;
  }

  // Values that are separated by commas. The check sees them one by one.
  template <class Value>
  CLI::Option& add_list(const Flag& flag, std::vector<Value>& values,
                        const CLI::Validator& check = {}) {
    CLI::Option& option = add_repeated(flag, values, check);
    option.delimiter(',');
    return option;
  }

  // No value: the variable becomes true.
  CLI::Option& add_switch(const std::string& names, const std::string& help, bool& value);

 private:
  CLI::Option& grouped(CLI::Option& option) const;

  CLI::App& command_;
  std::string group_;
};

}  // namespace rsd::cli
