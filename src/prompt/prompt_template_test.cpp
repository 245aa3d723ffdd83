#include "rsd/prompt/prompt_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace rsd {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using Kind = PromptTemplate::Part::Kind;

constexpr std::string_view kPassage =
    "task: passage\n"
    "prefix: 'Query {query}, {num} texts'\n"
    "body: '{text} = {identifier}'\n"
    "answer: 'Ranking:'\n";

constexpr std::string_view kRecommendation =
    "task: recommendation\n"
    "prefix: '{history}'\n"
    "history_item: '- {title}'\n"
    "body: '{text} = {identifier}'\n"
    "answer: 'Ranking:'\n";

// `base` with the line that begins with `key` replaced ("" takes it out).
std::string with_line(std::string_view base, const std::string& key, const std::string& line) {
  std::string text;
  std::size_t at = 0;
  while (at < base.size()) {
    const std::size_t end = base.find('\n', at) + 1;
    const std::string_view old = base.substr(at, end - at);
    if (!old.starts_with(key + ":")) {
      text += old;
    } else if (!line.empty()) {
      text += line + "\n";
    }
    at = end;
  }
  return text;
}

// The message of what must be an error of the file "t.yaml".
std::string error_of(const std::string& yaml) {
  const auto result = PromptTemplate::parse(yaml, "t.yaml");
  if (result) return "no error";
  EXPECT_EQ(result.error().code(), ErrorCode::kInvalidInput);
  return result.error().message();
}

std::string literals(const PromptTemplate::Parts& parts) {
  std::string text;
  for (const auto& part : parts)
    text += part.kind == Kind::kLiteral ? part.literal : "*";
  return text;
}

TEST(PromptTemplate, IsSplitAtItsPlaceholders) {
  const auto result = PromptTemplate::parse(kPassage, "t.yaml");
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->task, Task::kPassage);
  EXPECT_EQ(result->name, "passage");
  EXPECT_EQ(literals(result->prefix), "Query *, * texts");
  EXPECT_EQ(result->prefix[1].kind, Kind::kQuery);
  EXPECT_EQ(result->prefix[3].kind, Kind::kNum);
  EXPECT_EQ(literals(result->body), "* = *");
  EXPECT_EQ(result->body[0].kind, Kind::kText);
  EXPECT_EQ(result->body[2].kind, Kind::kIdentifier);
  EXPECT_TRUE(result->system.empty());
  EXPECT_TRUE(result->suffix.empty());
  EXPECT_EQ(result->answer, "Ranking:");
}

TEST(PromptTemplate, RecommendationHasHistory) {
  const auto result =
      PromptTemplate::parse(std::string(kRecommendation) + "history_last: 3\nname: mine\n", "t");
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->task, Task::kRecommendation);
  EXPECT_EQ(result->history_last, 3U);
  EXPECT_EQ(result->name, "mine");
  EXPECT_EQ(literals(result->history_item), "- *");
}

TEST(PromptTemplate, DoubledBracesAreLiteral) {
  const auto result = PromptTemplate::parse(
      with_line(kPassage, "prefix", "prefix: '{{query}} {query} {{{num}}} }}{{'"), "t");
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(literals(result->prefix), "{query} * {*} }{");
}

TEST(PromptTemplate, PlaceholdersMayTouch) {
  const auto result =
      PromptTemplate::parse(with_line(kPassage, "prefix", "prefix: '{query}{num}'"), "t");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->prefix.size(), 2U);
}

TEST(PromptTemplate, SubjectMayStandInTheSuffixOnly) {
  EXPECT_TRUE(PromptTemplate::parse(
      with_line(kPassage, "prefix", "prefix: texts\nsuffix: '{query}'"), "t"));
}

TEST(PromptTemplateError, UnknownKeyIsNamedWithItsLine) {
  EXPECT_THAT(error_of(std::string(kPassage) + "sufix: x\n"),
              StartsWith("t.yaml:5: key \"sufix\" is unknown"));
}

TEST(PromptTemplateError, RepeatedKeyIsNamedWithItsLine) {
  EXPECT_THAT(error_of(std::string(kPassage) + "answer: x\n"),
              StartsWith("t.yaml:5: key \"answer\" stands twice"));
}

TEST(PromptTemplateError, MissingKeyIsNamed) {
  for (const std::string key : {"task", "prefix", "body", "answer"}) {
    EXPECT_EQ(error_of(with_line(kPassage, key, "")), "t.yaml:1: key \"" + key + "\" is missing");
  }
  EXPECT_EQ(error_of(with_line(kRecommendation, "history_item", "")),
            "t.yaml:1: key \"history_item\" is missing");
}

TEST(PromptTemplateError, UnknownTaskIsNamed) {
  EXPECT_EQ(error_of(with_line(kPassage, "task", "task: passages")),
            "t.yaml:1: task \"passages\" is unknown; it must be passage or recommendation");
}

TEST(PromptTemplateError, ValueMustBeAText) {
  EXPECT_EQ(error_of(with_line(kPassage, "body", "body: [a, b]")), "t.yaml:3: body must be a text");
  EXPECT_EQ(error_of(with_line(kPassage, "prefix", "prefix: ~")),
            "t.yaml:2: prefix must be a text");
  EXPECT_EQ(error_of(with_line(kPassage, "task", "task: {a: b}")), "t.yaml:1: task must be a text");
  EXPECT_EQ(error_of(std::string(kPassage) + "name: [x]\n"), "t.yaml:5: name must be a text");
  EXPECT_EQ(error_of(with_line(kPassage, "answer", "answer: {}")),
            "t.yaml:4: answer must be a text");
}

TEST(PromptTemplateError, UnknownPlaceholderIsNamedWithWhatMayStandThere) {
  EXPECT_EQ(error_of(with_line(kPassage, "prefix", "prefix: '{query} {nmu}'")),
            "t.yaml:2: prefix has \"{nmu}\"; what may stand there: {num}, {query}");
}

TEST(PromptTemplateError, PlaceholderOfAnotherPlaceIsNamed) {
  EXPECT_THAT(error_of(with_line(kPassage, "prefix", "prefix: '{query} {text}'")),
              StartsWith("t.yaml:2: prefix has \"{text}\""));
  EXPECT_THAT(error_of(with_line(kPassage, "prefix", "prefix: '{query} {history}'")),
              StartsWith("t.yaml:2: prefix has \"{history}\""));
  EXPECT_THAT(error_of(with_line(kPassage, "body", "body: '{text} {query} {identifier}'")),
              StartsWith("t.yaml:3: body has \"{query}\""));
  EXPECT_THAT(error_of(std::string(kPassage) + "system: '{query}'\n"),
              StartsWith("t.yaml:5: system has \"{query}\""));
  EXPECT_THAT(error_of(std::string(kPassage) + "suffix: '{identifier}'\n"),
              StartsWith("t.yaml:5: suffix has \"{identifier}\""));
  EXPECT_THAT(error_of(with_line(kRecommendation, "history_item", "history_item: '{text}'")),
              StartsWith("t.yaml:3: history_item has \"{text}\""));
}

TEST(PromptTemplateError, BraceWithoutItsPartnerIsNamed) {
  EXPECT_THAT(error_of(with_line(kPassage, "prefix", "prefix: '{query'")),
              StartsWith("t.yaml:2: prefix has \"{query\""));
  EXPECT_THAT(error_of(with_line(kPassage, "prefix", "prefix: '{query} }'")),
              StartsWith("t.yaml:2: prefix has a } without {"));
  EXPECT_THAT(error_of(with_line(kPassage, "prefix", "prefix: '{query} {'")),
              StartsWith("t.yaml:2: prefix has \"{\""));
}

TEST(PromptTemplateError, BodyNeedsTextAndIdentifierOnce) {
  EXPECT_EQ(error_of(with_line(kPassage, "body", "body: '{text}'")),
            "t.yaml:3: body must have {identifier} exactly once");
  EXPECT_EQ(error_of(with_line(kPassage, "body", "body: '{identifier}'")),
            "t.yaml:3: body must have {text} exactly once");
  EXPECT_EQ(error_of(with_line(kPassage, "body", "body: '{text}{text}{identifier}'")),
            "t.yaml:3: body must have {text} exactly once");
  EXPECT_EQ(error_of(with_line(kRecommendation, "history_item", "history_item: '-'")),
            "t.yaml:3: history_item must have {title} exactly once");
}

TEST(PromptTemplateError, PromptMustTellWhatIsAskedFor) {
  EXPECT_EQ(error_of(with_line(kPassage, "prefix", "prefix: 'Rank'")),
            "t.yaml:1: neither prefix nor suffix has {query}");
  EXPECT_EQ(error_of(with_line(kRecommendation, "prefix", "prefix: 'Rank'")),
            "t.yaml:1: neither prefix nor suffix has {history}");
}

TEST(PromptTemplateError, HistoryBelongsToRecommendations) {
  EXPECT_EQ(error_of(std::string(kPassage) + "history_last: 3\n"),
            "t.yaml:5: history_last belongs to recommendation templates only");
  EXPECT_EQ(error_of(std::string(kPassage) + "history_item: '{title}'\n"),
            "t.yaml:5: history_item belongs to recommendation templates only");
}

TEST(PromptTemplateError, HistoryLastMustBeAWholeNumber) {
  for (const std::string value : {"-1", "1.5", "ten", "[1]", "99999999999"}) {
    EXPECT_EQ(error_of(std::string(kRecommendation) + "history_last: " + value + "\n"),
              "t.yaml:6: history_last must be a whole number, 0 (all) or more")
        << value;
  }
}

TEST(PromptTemplateError, AnswerMustNotEndInWhiteSpace) {
  for (const std::string answer : {"'Ranking: '", "\"Ranking:\\n\""}) {
    EXPECT_THAT(error_of(with_line(kPassage, "answer", "answer: " + answer)),
                StartsWith("t.yaml:4: answer must not end in white space"));
  }
}

TEST(PromptTemplateError, BrokenYamlTellsItsLine) {
  EXPECT_THAT(error_of("task: passage\nprefix: 'open\n"), StartsWith("t.yaml:"));
  EXPECT_THAT(error_of("task: passage\n  body: {x\n"), StartsWith("t.yaml:2: "));
  EXPECT_THAT(error_of("task: passage\n\tprefix: x\n"), StartsWith("t.yaml:2: "));
}

TEST(PromptTemplateError, RootMustBeAMap) {
  EXPECT_EQ(error_of(""), "t.yaml:1: a template is a map of keys");
  EXPECT_EQ(error_of("\n# nothing\n"), "t.yaml:1: a template is a map of keys");
  EXPECT_EQ(error_of("just words\n"), "t.yaml:1: a template is a map of keys");
  EXPECT_EQ(error_of("- a\n- b\n"), "t.yaml:1: a template is a map of keys");
}

TEST(PromptTemplateError, KeyMustBeAText) {
  EXPECT_THAT(error_of("task: passage\n? [a, b]\n: c\n"), StartsWith("t.yaml:2: "));
}

TEST(PromptTemplateError, SecondDocumentIsNotIgnored) {
  EXPECT_THAT(error_of(std::string(kPassage) + "---\nextra: 1\n"),
              StartsWith("t.yaml:5: a second document"));
}

// yaml-cpp makes documents of these without end.
TEST(PromptTemplateError, ASignThatBelongsToNothingIsNoDocument) {
  for (const char* sign : {",", "]", "}", ", a", "a: b\n]"})
    EXPECT_THAT(error_of(sign), StartsWith("t.yaml:")) << sign;
}

TEST(PromptTemplateError, InvalidUtf8TellsItsLine) {
  EXPECT_EQ(error_of(with_line(kPassage, "body", "body: '{text}\xff{identifier}'")),
            "t.yaml:3: the text is not valid UTF-8");
}

TEST(PromptTemplateError, NullBytesAreNoText) {
  EXPECT_EQ(error_of(std::string("\x07\0\0\0task: passage\n", 18)),
            "t.yaml:1: the text has a null byte");
  EXPECT_EQ(error_of("task: passage\nname: a" + std::string(1, '\0')),
            "t.yaml:2: the text has a null byte");
}

class PromptTemplateFile : public testing::Test {
 protected:
  PromptTemplateFile()
      : path_(testing::TempDir() + "rsd_template_" + std::to_string(getpid()) + ".yaml") {}
  ~PromptTemplateFile() override { std::filesystem::remove(path_); }

  void write(std::string_view content) const { std::ofstream(path_, std::ios::binary) << content; }

  std::string path_;
};

TEST_F(PromptTemplateFile, IsLoaded) {
  write(kPassage);
  const auto result = PromptTemplate::load(path_);
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(literals(result->body), "* = *");
}

TEST_F(PromptTemplateFile, ErrorNamesFileAndLine) {
  write("task: passage\nbodi: x\n");
  const auto result = PromptTemplate::load(path_);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kInvalidInput);
  EXPECT_THAT(result.error().message(), StartsWith(path_ + ":2: "));
}

TEST_F(PromptTemplateFile, EmptyFileIsInvalidNotMissing) {
  write("");
  const auto result = PromptTemplate::load(path_);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kInvalidInput);
}

TEST_F(PromptTemplateFile, MissingFileAndFolderAreNotFound) {
  for (const std::string& path : {path_, testing::TempDir()}) {
    const auto result = PromptTemplate::load(path);
    ASSERT_FALSE(result) << path;
    EXPECT_EQ(result.error().code(), ErrorCode::kNotFound);
    EXPECT_THAT(result.error().message(), HasSubstr(path));
  }
}

TEST(BuiltinTemplate, PutsTheIdentifierAfterTheText) {
  for (const Task task : {Task::kPassage, Task::kRecommendation}) {
    const auto& builtin = PromptTemplate::builtin(task);
    EXPECT_EQ(builtin.task, task);
    EXPECT_EQ(literals(builtin.body), "- * = *\n");
    EXPECT_EQ(builtin.body[1].kind, Kind::kText);
    EXPECT_EQ(builtin.body[3].kind, Kind::kIdentifier);
    EXPECT_EQ(builtin.answer, "Ranking:");
  }
  EXPECT_EQ(PromptTemplate::builtin(Task::kRecommendation).history_last, 10U);
}

TEST(PromptTemplates, ReplacementTakesThePlaceOfItsTaskOnly) {
  PromptTemplates templates;
  auto mine = PromptTemplate::parse(std::string(kPassage) + "name: mine\n", "t");
  ASSERT_TRUE(mine);
  templates.set(*std::move(mine));
  EXPECT_EQ(templates.for_task(Task::kPassage).name, "mine");
  EXPECT_EQ(templates.for_task(Task::kRecommendation).name, "recommendation");
}

}  // namespace
}  // namespace rsd
