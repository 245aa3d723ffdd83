// A file for --config. Its first line has the arguments beside it: "rank --budget 2".
#include <CLI/App.hpp>
#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "cli/program.h"
#include "cli/terminal/help.h"
#include "fuzz/memory_file.h"
#include "fuzz/target.h"

namespace rsd::fuzz {

void take_input(std::string_view input) {
  const std::size_t line_end = std::min(input.find('\n'), input.size());
  const MemoryFile file(input.substr(std::min(line_end + 1, input.size())));
  std::istringstream words{std::string(input.substr(0, line_end))};
  std::vector<std::string> arguments{"--config", file.path()};
  for (std::string word; words >> word;)
    if (!word.starts_with("--config")) arguments.push_back(word);  // reads no other file
  std::ranges::reverse(arguments);  // the order that CLI11 takes them in
  CLI::App app;
  cli::Selected selected;
  cli::describe_program(app, selected);
  try {
    app.parse(arguments);
    require(selected.run != nullptr, "a command was chosen");
  } catch (const CLI::ParseError& refused) {
    const bool is_asked = refused.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
    if (!is_asked) require(!cli::usage_message(app, refused).empty(), "an error has a message");
  }
}

}  // namespace rsd::fuzz
