// A prompt template, and a prompt by it.
#include <memory>
#include <string>
#include <vector>

#include "fuzz/target.h"
#include "rsd/core/utf8.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/prompt/prompt_template.h"
#include "support/fake_tokenizer.h"

namespace rsd::fuzz {
namespace {

constexpr std::size_t kContext = 400;

std::shared_ptr<const Tokenizer> tokenizer() {
  std::vector<std::string> letters;
  for (char letter = 'A'; letter <= 'H'; ++letter)
    letters.push_back({' ', letter});
  return std::make_shared<FakeTokenizer>(letters);
}

Request request_of(Task task) {
  const std::vector<Candidate> candidates = {
      {.id = "a", .text = "one"}, {.id = "b", .text = "two {query} lines"}, {.id = "c"}};
  if (task == Task::kPassage) return {.id = "r", .query = "which?", .candidates = candidates};
  return {.id = "r", .task = task, .history = {"Alien", "Heat"}, .candidates = candidates};
}

void require_utf8(const PromptTemplate& wording) {
  for (const auto* parts :
       {&wording.system, &wording.prefix, &wording.body, &wording.suffix, &wording.history_item})
    for (const auto& part : *parts)
      require(!find_invalid_utf8(part.literal), "the wording is valid UTF-8");
  require(!find_invalid_utf8(wording.answer), "the answer is valid UTF-8");
}

}  // namespace

void take_input(std::string_view input) {
  auto parsed = PromptTemplate::parse(input, "template");
  if (!parsed) require(parsed.error().message().starts_with("template:"), "errors have a place");
  if (!is_value(parsed)) return;
  require_utf8(*parsed);
  const Task task = parsed->task;
  PromptTemplates templates;
  templates.set(*std::move(parsed));
  const PromptBuilder prompts(tokenizer(), templates);
  const auto prompt = prompts.build(request_of(task), kContext);
  if (!is_value(prompt)) return;
  require(prompt->identifiers.size() == 3, "each candidate has an identifier");
  require(prompt->tokens.size() <= kContext, "a prompt fits the context");
}

}  // namespace rsd::fuzz
