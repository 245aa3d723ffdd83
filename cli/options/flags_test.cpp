#include "options/flags.h"

#include <gmock/gmock.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace rsd::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The message of the parser; empty if it accepts the arguments.
std::string parse(CLI::App& command, std::vector<std::string> arguments) {
  std::ranges::reverse(arguments);  // the order that CLI11 takes them in
  try {
    command.parse(arguments);
  } catch (const CLI::ParseError& refused) {
    return refused.what();
  }
  return "";
}

TEST(Flags, HelpHasTypeDefaultAndGroup) {
  CLI::App command;
  int port = 8080;
  const CLI::Option& option =
      Flags(command, "Server").add({"-p,--port", "PORT", "Port to listen on"}, port);
  EXPECT_EQ(option.get_type_name(), "PORT");
  EXPECT_EQ(option.get_default_str(), "8080");
  EXPECT_EQ(option.get_group(), "Server");
  EXPECT_EQ(option.get_description(), "Port to listen on");
  EXPECT_THAT(option.get_snames(), ElementsAre("p"));
}

TEST(Flags, OptionalNumbersAndEmptyTextsHaveNoDefault) {
  CLI::App command;
  std::optional<std::size_t> limit;
  std::string file;
  Flags flags(command);
  EXPECT_EQ(flags.add({"--limit", "N", ""}, limit).get_default_str(), "");
  EXPECT_EQ(flags.add({"--file", "FILE", ""}, file).get_default_str(), "");
  EXPECT_EQ(parse(command, {}), "");
  EXPECT_FALSE(limit);
  EXPECT_EQ(parse(command, {"--limit", "3"}), "");
  EXPECT_EQ(limit, 3U);
}

TEST(Flags, WithoutANameTheGroupIsTheFirst) {
  CLI::App command;
  bool resume = false;
  std::string file;
  Flags flags(command);
  EXPECT_EQ(flags.add({"--file", "FILE", ""}, file).get_group(), "Options");
  EXPECT_EQ(flags.add_switch("--resume", "", resume).get_group(), "Options");
}

TEST(Flags, RefusesValuesThatTheCheckRefuses) {
  CLI::App command;
  std::size_t count = 4;
  Flags(command).add({"--count", "N", ""}, count, whole_number(1, 10));
  EXPECT_THAT(parse(command, {"--count", "11"}),
              HasSubstr("must be a whole number from 1 to 10, not \"11\""));
  EXPECT_EQ(count, 4U);
}

TEST(Flags, VectorTakesAllValuesThatFollow) {
  CLI::App command;
  std::vector<std::string> files;
  Flags(command).add({"--files", "FILE...", ""}, files, not_empty());
  EXPECT_EQ(parse(command, {"--files", "a", "b"}), "");
  EXPECT_THAT(files, ElementsAre("a", "b"));
}

TEST(Flags, RepeatedFlagTakesOneValueEachTime) {
  CLI::App command;
  std::vector<std::string> files;
  Flags(command).add_repeated({"--file", "FILE", ""}, files, not_empty());
  EXPECT_EQ(parse(command, {"--file", "a,b", "--file", "c"}), "");
  EXPECT_THAT(files, ElementsAre("a,b", "c"));
  EXPECT_THAT(parse(command, {"--file", "a", "b"}), HasSubstr("b"));
  EXPECT_THAT(parse(command, {"--file", ""}), HasSubstr("must be a path"));
}

TEST(Flags, ListIsSeparatedByCommas) {
  CLI::App command;
  std::vector<double> shares{1, 1};
  const auto& option =
      Flags(command).add_list({"--shares", "SHARE,…", ""}, shares, number_up_to(10));
  EXPECT_EQ(option.get_default_str(), "[1,1]");
  EXPECT_EQ(parse(command, {"--shares", "3,1.5"}), "");
  EXPECT_THAT(shares, ElementsAre(3, 1.5));
  EXPECT_THAT(parse(command, {"--shares", "3,11"}), HasSubstr("from 0 to 10, not \"11\""));
  EXPECT_THAT(parse(command, {"--shares", "3", "1"}), HasSubstr("1"));
}

TEST(Flags, SwitchTakesNoValue) {
  CLI::App command;
  bool resume = false;
  const auto& option = Flags(command, "Output").add_switch("--resume", "Go on", resume);
  EXPECT_EQ(option.get_group(), "Output");
  EXPECT_EQ(parse(command, {"--resume"}), "");
  EXPECT_TRUE(resume);
  EXPECT_NE(parse(command, {"--resume", "x"}), "");
}

// The message of a check, without the parser.
std::string refusal(const CLI::Validator& check, std::string text) {
  return check(text);
}

TEST(OptionChecks, WholeNumberTakesItsLimitsAndNothingElse) {
  const auto check = whole_number(-1, 5);
  for (const char* good : {"-1", "0", "5"})
    EXPECT_EQ(refusal(check, good), "") << good;
  for (const char* bad : {"-2", "6", "", "1.0", " 1", "1 ", "0x1", "-"})
    EXPECT_THAT(refusal(check, bad), HasSubstr("a whole number from -1 to 5")) << bad;
  const auto seed = whole_number(0, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(refusal(seed, "18446744073709551615"), "");
  EXPECT_NE(refusal(seed, "18446744073709551616"), "");
  EXPECT_NE(refusal(seed, "-1"), "");
}

TEST(OptionChecks, NumbersAreFiniteAndInRange) {
  for (const char* bad : {"0", "-1", "2.5", "nan", "inf", "x", ""})
    EXPECT_THAT(refusal(positive_number(2), bad), HasSubstr("above 0, at most 2")) << bad;
  EXPECT_EQ(refusal(positive_number(2), "2"), "");
  EXPECT_EQ(refusal(positive_number(2), "1e-3"), "");
  for (const char* bad : {"-0.5", "2.5", "nan", "inf", ""})
    EXPECT_THAT(refusal(number_up_to(2), bad), HasSubstr("from 0 to 2")) << bad;
  EXPECT_EQ(refusal(number_up_to(2), "0"), "");
}

TEST(OptionChecks, NamesAreThoseOfTheList) {
  EXPECT_THAT(refusal(one_of({"text", "json"}), "xml"),
              HasSubstr("must be one of text, json, not \"xml\""));
  EXPECT_THAT(refusal(one_of({"text", "json"}), "json"), IsEmpty());
}

}  // namespace
}  // namespace rsd::cli
