// The wording of a prompt, read from a YAML file (format: docs/formats/prompt-template.md).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/rank/request.h"

namespace rsd {

// Literal text or a placeholder.
struct TemplatePart {
  enum class Kind { kLiteral, kNum, kQuery, kHistory, kText, kTitle, kIdentifier };
  Kind kind = Kind::kLiteral;
  std::string literal;
};

// One task's template. Immutable after loading.
struct PromptTemplate {
  using Parts = std::vector<TemplatePart>;

  std::string name;
  Task task = Task::kPassage;
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
  // The built-in template.
  static const PromptTemplate& builtin(Task task);
};

// One template for each task.
class PromptTemplates {
 public:
  // Starts with the built-in templates.
  PromptTemplates();

  // Replaces the template of `replacement.task`.
  void set(PromptTemplate replacement);
  const PromptTemplate& for_task(Task task) const noexcept;

 private:
  PromptTemplate passage_;
  PromptTemplate recommendation_;
};

}  // namespace rsd
