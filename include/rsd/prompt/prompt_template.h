// The wording of a prompt, read from a YAML file (format: docs/formats/prompt-template.md).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/rank/request.h"

namespace rsd {

// How the parts of a prompt see each other.
enum class PromptLayout {
  kSequence,  // each token sees all before it
  kBlocks,    // candidates see neither the query nor each other (prompt.h)
};

std::string_view to_string(PromptLayout layout) noexcept;
// By the name that templates and models use, "sequence" or "blocks"; nullopt: there is none.
std::optional<PromptLayout> parse_prompt_layout(std::string_view name) noexcept;

// One task's template. Immutable after loading.
struct PromptTemplate {
  // Literal text or a placeholder.
  struct Part {
    enum class Kind { kLiteral, kNum, kQuery, kHistory, kText, kTitle, kIdentifier };
    Kind kind = Kind::kLiteral;
    std::string literal;
  };
  using Parts = std::vector<Part>;

  std::string name;
  PromptLayout layout = PromptLayout::kSequence;
  Task task = Task::kPassage;
  // In blocks, {num} stands nowhere, the head is system and prefix, without placeholders, and the
  // suffix is the query's block. The body ends in {identifier}: what stands up to {text} is a
  // candidate's block, the rest an identifier's.
  Parts system;                  // may be empty: then the chat has no system turn
  Parts prefix;                  // {num}, {query} or {history}
  Parts body;                    // once per candidate: {text}, {identifier}
  Parts suffix;                  // the same placeholders as prefix; may be empty
  Parts history_item;            // recommendation: once per title in {history}: {title}
  std::size_t history_last = 0;  // recommendation: the number of newest titles shown; 0 = all
  std::string answer;  // the beginning of the model's answer; the identifiers follow directly

  // kInvalidInput with "<source>:<line>: …" for broken YAML, an unknown or missing key, an unknown
  // placeholder, or a placeholder that its key does not allow.
  static Result<PromptTemplate> parse(std::string_view yaml, const std::string& source);
  // The same for a file; kNotFound when it can't be read.
  static Result<PromptTemplate> load(const std::string& path);
  // The built-in template of that layout.
  static const PromptTemplate& builtin(Task task, PromptLayout layout = PromptLayout::kSequence);
};

// One template for each task.
class PromptTemplates {
 public:
  // Starts with the built-in templates of the layout kSequence.
  PromptTemplates();

  // Replaces the template of `replacement.task`.
  void set(PromptTemplate replacement);
  // Sets the layout of the built-in templates, for tasks without a template of their own: the one
  // that the model is tuned for.
  void set_default_layout(PromptLayout layout);
  const PromptTemplate& for_task(Task task) const noexcept;
  // True if any of them is in blocks.
  bool has_blocks() const noexcept;

 private:
  struct Choice {
    PromptTemplate wording;
    bool is_set = false;
  };
  Choice passage_;
  Choice recommendation_;
};

}  // namespace rsd
