#include "terminal/help.h"

#include <algorithm>
#include <sstream>
#include <string_view>

namespace rsd::cli {
namespace {

constexpr std::size_t kWidth = 100;
constexpr std::size_t kTextColumn = 30;

// "-m, --model FILE"
std::string names_and_type(const CLI::Option& option) {
  std::string text;
  for (const auto& name : option.get_snames())
    text += (text.empty() ? "-" : ", -") + name;
  for (const auto& name : option.get_lnames()) {
    // main.cpp takes llama.cpp's spelling with one dash.
    text += (text.empty() ? "" : ", ") + std::string(name == "ngl" ? "-" : "--") + name;
  }
  if (option.get_type_size() == 0) return text;
  if (const std::string type = option.get_type_name(); !type.empty()) text += " " + type;
  return text;
}

std::string text_and_default(const CLI::Option& option) {
  std::string text = option.get_description();
  std::string preset = option.get_default_str();
  if (preset.starts_with('[') && preset.ends_with(']'))
    preset = preset.substr(1, preset.size() - 2);
  if (!preset.empty()) text += " (default: " + preset + ")";
  if (option.get_required()) text += " (required)";
  return text;
}

// "  HEAD    text", the text wrapped in its own column.
std::string entry(const std::string& head, const std::string& text) {
  std::string lines = "  " + head;
  const std::string margin = "\n" + std::string(kTextColumn, ' ');
  if (lines.size() + 2 > kTextColumn) {
    lines += margin;
  } else {
    lines.resize(kTextColumn, ' ');
  }
  std::istringstream words(text);
  std::size_t column = kTextColumn;
  for (std::string word; words >> word;) {
    if (column > kTextColumn && column + 1 + word.size() > kWidth) {
      lines += margin;
      column = kTextColumn;
    }
    if (column > kTextColumn) {
      lines += ' ';
      ++column;
    }
    lines += word;
    column += word.size();
  }
  return lines + "\n";
}

std::string list_of_options(const CLI::App& app) {
  auto groups = app.get_groups();
  std::ranges::stable_partition(groups, [](const auto& group) { return group != kCommonGroup; });
  std::string text;
  for (const auto& group : groups) {
    const auto options =
        app.get_options([&](const CLI::Option* option) { return option->get_group() == group; });
    if (group.empty() || options.empty()) continue;  // options without a group are hidden
    text += "\n" + group + ":\n";
    for (const CLI::Option* option : options)
      text += entry(names_and_type(*option), text_and_default(*option));
  }
  return text;
}

std::string list_of_commands(const CLI::App& app) {
  const auto commands = app.get_subcommands({});
  if (commands.empty()) return "";
  std::string text = "\nCommands:\n";
  for (const CLI::App* command : commands)
    text += entry(command->get_name(), command->get_description());
  return text;
}

// The command that was chosen, as deep as it goes.
const CLI::App& chosen(const CLI::App& program) {
  const CLI::App* command = &program;
  while (!command->get_subcommands().empty())
    command = command->get_subcommands().front();
  return *command;
}

std::string commands_of(const CLI::App& app) {
  std::string names;
  for (const CLI::App* command : app.get_subcommands({}))
    names += (names.empty() ? "" : ", ") + command->get_name();
  return names;
}

std::string not_understood(const CLI::App& command, const std::string& word) {
  if (word.starts_with('-')) return "the option " + word + " is unknown";
  if (command.get_subcommands({}).empty()) return "the argument \"" + word + "\" is not expected";
  return "\"" + word + "\" is no command of " + full_name(command) + "; it has " +
         commands_of(command);
}

std::string config_file(const CLI::App& program) {
  return program.get_config_ptr()->as<std::string>();
}

std::string bad_config(const CLI::App& program, std::string_view what) {
  constexpr std::string_view kMark = "INI was not able to parse ";
  if (!what.starts_with(kMark)) return config_file(program) + ": " + std::string(what);
  what.remove_prefix(kMark.size());
  if (what.ends_with(".++")) what.remove_suffix(3);  // stands for the section itself
  return config_file(program) + ": \"" + std::string(what) + "\" is no option of a command";
}

std::string sentence(const CLI::App& program, const CLI::ParseError& error) {
  const CLI::App& command = chosen(program);
  const bool lacks = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  if (lacks || dynamic_cast<const CLI::ExtrasError*>(&error)) {
    // An unknown word is more often the cause than the option that is missing.
    const auto rest = program.remaining(/*recurse=*/true);
    if (!rest.empty()) return not_understood(command, rest.front());
  }
  if (lacks && !command.get_subcommands({}).empty()) {
    return full_name(command) + " needs a command: " + commands_of(command);
  }
  if (dynamic_cast<const CLI::FileError*>(&error)) {
    return "the config file " + config_file(program) + " can't be read";
  }
  if (dynamic_cast<const CLI::ConfigError*>(&error)) return bad_config(program, error.what());
  return error.what();
}

}  // namespace

std::string HelpFormatter::make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const {
  const std::string commands = list_of_commands(*app);
  const std::string footer = app->get_footer();
  return app->get_description() + "\n\nUsage: " + full_name(*app) +
         (commands.empty() ? "" : " COMMAND") + " [OPTION...]\n" + commands +
         list_of_options(*app) + (footer.empty() ? "" : "\n" + footer + "\n");
}

std::string full_name(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return (parent ? full_name(*parent) + " " : "") + command.get_name();
}

std::string usage_message(const CLI::App& program, const CLI::ParseError& error) {
  return "rsd: error: " + sentence(program, error) + "\nSee " + full_name(chosen(program)) +
         " --help\n";
}

}  // namespace rsd::cli
