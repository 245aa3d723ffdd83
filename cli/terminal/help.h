// Help pages, and messages about a command line that can't be parsed.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <string>

namespace rsd::cli {

// The group of the options that every command has; it stands last.
inline constexpr const char* kCommonGroup = "Common";

class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const override;
};

// The command as it is typed: "rsd model inspect".
std::string full_name(const CLI::App& command);

// The error in one line, and where help is found.
std::string usage_message(const CLI::App& program, const CLI::ParseError& error);

}  // namespace rsd::cli
