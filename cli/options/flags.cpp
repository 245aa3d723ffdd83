#include "options/flags.h"

namespace rsd::cli {

CLI::Option& Flags::add_switch(const std::string& names, const std::string& help, bool& value) {
  return grouped(*command_.add_flag(names, value, help));
}

CLI::Option& Flags::grouped(CLI::Option& option) const {
  if (!group_.empty()) option.group(group_);
  return option;
}

}  // namespace rsd::cli
