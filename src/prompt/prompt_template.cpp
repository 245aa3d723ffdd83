#include "rsd/prompt/prompt_template.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "prompt/builtin_templates.h"
#include "rsd/core/check.h"
#include "rsd/core/file.h"
#include "rsd/core/utf8.h"

namespace rsd {
namespace {

using Kind = PromptTemplate::Part::Kind;
using Parts = PromptTemplate::Parts;

constexpr std::pair<std::string_view, Kind> kPlaceholders[] = {
    {"num", Kind::kNum},   {"query", Kind::kQuery}, {"history", Kind::kHistory},
    {"text", Kind::kText}, {"title", Kind::kTitle}, {"identifier", Kind::kIdentifier},
};

std::string_view name_of(Kind kind) {
  const auto found =
      std::ranges::find(kPlaceholders, kind, &std::pair<std::string_view, Kind>::second);
  return found == std::end(kPlaceholders) ? "" : found->first;
}

std::string list_of(const std::set<Kind>& kinds) {
  std::string list;
  for (const Kind kind : kinds) {
    list += (list.empty() ? "{" : ", {") + std::string(name_of(kind)) + "}";
  }
  return list.empty() ? "no placeholder" : list;
}

// "<source>:<line>"; anything without a position (an empty document) is at the first line.
std::string place(const std::string& source, const YAML::Mark& mark) {
  return source + ":" + std::to_string(std::max(mark.line, 0) + 1);
}

// Reads one template, keeping track of the place for errors.
class Reader {
 public:
  Reader(const YAML::Node& root, const std::string& source) : root_(root), source_(source) {}

  Result<PromptTemplate> read() {
    if (!root_.IsMap()) return error(root_, "a template is a map of keys");
    if (auto known = check_keys(); !known) return known.error();
    PromptTemplate result;
    if (auto layout = read_layout(result); !layout) return layout.error();
    if (auto task = read_task(result); !task) return task.error();
    const bool recommendation = result.task == Task::kRecommendation;
    const Kind subject = recommendation ? Kind::kHistory : Kind::kQuery;
    const bool in_blocks = result.layout == PromptLayout::kBlocks;
    const auto frame = in_blocks ? std::set<Kind>{subject} : std::set<Kind>{Kind::kNum, subject};
    const auto before = in_blocks ? std::set<Kind>{} : frame;
    const auto in_system = in_blocks ? std::set<Kind>{} : std::set<Kind>{Kind::kNum};
    for (const auto& step : {read_parts("system", in_system, {}, result.system),
                             read_parts("prefix", before, {}, result.prefix),
                             read_parts("body", {Kind::kText, Kind::kIdentifier},
                                        {Kind::kText, Kind::kIdentifier}, result.body),
                             read_parts("suffix", frame, {}, result.suffix),
                             read_history(recommendation, result), read_answer(result)}) {
      if (!step) return step.error();
    }
    if (in_blocks) {
      if (auto ordered = check_body(result); !ordered) return ordered.error();
    }
    return check_subject(subject, std::move(result));
  }

 private:
  Error error(const YAML::Node& node, const std::string& message) const {
    return {ErrorCode::kInvalidInput, place(source_, node.Mark()) + ": " + message};
  }

  Result<void> check_keys() const {
    static constexpr std::string_view kKeys[] = {"layout",       "task",        "name",   "system",
                                                 "prefix",       "body",        "suffix", "answer",
                                                 "history_item", "history_last"};
    std::set<std::string> seen;
    for (const auto& entry : root_) {
      const auto key = entry.first.as<std::string>();
      if (std::ranges::find(kKeys, key) == std::end(kKeys)) {
        return error(entry.first, "key \"" + key +
                                      "\" is unknown; a template has layout, task, name, system, "
                                      "prefix, body, suffix, answer, history_item, history_last");
      }
      if (!seen.insert(key).second) return error(entry.first, "key \"" + key + "\" stands twice");
    }
    for (const char* required : {"task", "prefix", "body", "answer"}) {
      if (!root_[required]) return error(root_, "key \"" + std::string(required) + "\" is missing");
    }
    return {};
  }

  Result<std::string> read_string(const char* key) const {
    const YAML::Node node = root_[key];
    if (!node) return std::string();
    if (!node.IsScalar()) return error(node, std::string(key) + " must be a text");
    return node.as<std::string>();
  }

  Result<void> read_layout(PromptTemplate& result) const {
    const auto name = read_string("layout");
    if (!name) return name.error();
    if (!root_["layout"]) return {};
    const auto layout = parse_prompt_layout(*name);
    if (!layout) {
      return error(root_["layout"],
                   "layout \"" + *name + "\" is unknown; it must be sequence or blocks");
    }
    result.layout = *layout;
    return {};
  }

  Result<void> read_task(PromptTemplate& result) const {
    const auto task = read_string("task");
    if (!task) return task.error();
    if (*task != "passage" && *task != "recommendation") {
      return error(root_["task"],
                   "task \"" + *task + "\" is unknown; it must be passage or recommendation");
    }
    result.task = *task == "passage" ? Task::kPassage : Task::kRecommendation;
    const auto name = read_string("name");
    if (!name) return name.error();
    result.name = name->empty() ? *task : *name;
    return {};
  }

  // Splits a text at its placeholders. "{{" and "}}" are literal braces.
  Result<void> read_parts(const char* key, const std::set<Kind>& allowed,
                          const std::set<Kind>& once, Parts& parts) const {
    const auto text = read_string(key);
    if (!text) return text.error();
    std::string literal;
    for (std::size_t at = 0; at < text->size(); ++at) {
      const char c = (*text)[at];
      const bool doubled = at + 1 < text->size() && (*text)[at + 1] == c;
      if ((c == '{' || c == '}') && doubled) {
        literal += c;
        ++at;
      } else if (c == '{') {
        const std::size_t end = text->find('}', at);
        const std::size_t length = end == std::string::npos ? end : end - at + 1;
        const auto kind = placeholder(key, text->substr(at, length), allowed);
        if (!kind) return kind.error();
        if (!literal.empty()) parts.push_back({Kind::kLiteral, std::exchange(literal, {})});
        parts.push_back({*kind, {}});
        at = end;
      } else if (c == '}') {
        return error(root_[key], std::string(key) + " has a } without {; }} stands for a brace");
      } else {
        literal += c;
      }
    }
    if (!literal.empty()) parts.push_back({Kind::kLiteral, literal});
    for (const Kind kind : once) {
      if (std::ranges::count(parts, kind, &PromptTemplate::Part::kind) != 1) {
        return error(root_[key], std::string(key) + " must have {" + std::string(name_of(kind)) +
                                     "} exactly once");
      }
    }
    return {};
  }

  Result<Kind> placeholder(const char* key, const std::string& braced,
                           const std::set<Kind>& allowed) const {
    for (const Kind kind : allowed) {
      if (braced == "{" + std::string(name_of(kind)) + "}") return kind;
    }
    return error(root_[key], std::string(key) + " has \"" + braced.substr(0, 40) +
                                 "\"; what may stand there: " + list_of(allowed));
  }

  Result<void> read_history(bool recommendation, PromptTemplate& result) const {
    for (const char* key : {"history_item", "history_last"}) {
      if (!recommendation && root_[key]) {
        return error(root_[key], std::string(key) + " belongs to recommendation templates only");
      }
    }
    if (!recommendation) return {};
    if (!root_["history_item"]) return error(root_, "key \"history_item\" is missing");
    const YAML::Node last = root_["history_last"];
    if (last) {
      int count = -1;
      if (!YAML::convert<int>::decode(last, count) || count < 0) {
        return error(last, "history_last must be a whole number, 0 (all) or more");
      }
      result.history_last = static_cast<std::size_t>(count);
    }
    return read_parts("history_item", {Kind::kTitle}, {Kind::kTitle}, result.history_item);
  }

  Result<void> read_answer(PromptTemplate& result) const {
    const auto answer = read_string("answer");
    if (!answer) return answer.error();
    if (!answer->empty() && std::isspace(static_cast<unsigned char>(answer->back()))) {
      return error(root_["answer"], "answer must not end in white space: the identifiers bring it");
    }
    result.answer = *answer;
    return {};
  }

  // A candidate's block ends after its text, and an identifier's block with the identifier.
  Result<void> check_body(const PromptTemplate& result) const {
    const auto text = std::ranges::find(result.body, Kind::kText, &PromptTemplate::Part::kind);
    const auto identifier =
        std::ranges::find(result.body, Kind::kIdentifier, &PromptTemplate::Part::kind);
    if (text < identifier && std::next(identifier) == result.body.end()) return {};
    return error(root_["body"], "body must have {text} before {identifier} and end in it");
  }

  // A template that shows neither query nor history must be a mistake.
  Result<PromptTemplate> check_subject(Kind subject, PromptTemplate result) const {
    for (const Parts* parts : {&result.prefix, &result.suffix}) {
      if (std::ranges::count(*parts, subject, &PromptTemplate::Part::kind) > 0) return result;
    }
    return error(root_, "neither prefix nor suffix has {" + std::string(name_of(subject)) + "}");
  }

  const YAML::Node& root_;
  const std::string& source_;
};

// Where the document begins that was handled last.
class DocumentStart final : public YAML::EventHandler {
 public:
  const YAML::Mark& mark() const noexcept { return mark_; }

  void OnDocumentStart(const YAML::Mark& mark) override { mark_ = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  YAML::Mark mark_;
};

// Reads one document and no more: YAML::LoadAll never gets past a "]" or a comma that is none's,
// and takes memory without end.
Result<YAML::Node> only_document(const std::string& yaml, const std::string& source) {
  std::istringstream text(yaml);
  YAML::Parser parser(text);
  DocumentStart start;
  if (parser.HandleNextDocument(start) && parser.HandleNextDocument(start)) {
    return Error(ErrorCode::kInvalidInput,
                 place(source, start.mark()) + ": a second document; a file is one");
  }
  return YAML::Load(yaml);
}

PromptTemplate load_builtin(std::string_view yaml, const std::string& name) {
  auto result = PromptTemplate::parse(yaml, name);
  RSD_CHECK(result.ok(), "a built-in template is broken");
  return *std::move(result);
}

}  // namespace

std::string_view to_string(PromptLayout layout) noexcept {
  return layout == PromptLayout::kBlocks ? "blocks" : "sequence";
}

std::optional<PromptLayout> parse_prompt_layout(std::string_view name) noexcept {
  for (const PromptLayout layout : {PromptLayout::kSequence, PromptLayout::kBlocks})
    if (name == to_string(layout)) return layout;
  return std::nullopt;
}

Result<PromptTemplate> PromptTemplate::parse(std::string_view yaml, const std::string& source) {
  // With null bytes yaml-cpp takes the text for UTF-16 or UTF-32, and makes of it what is no UTF-8.
  const auto bad = std::min(find_invalid_utf8(yaml).value_or(yaml.size()), yaml.find('\0'));
  if (bad < yaml.size()) {
    const auto line = 1 + std::ranges::count(yaml.substr(0, bad), '\n');
    return Error(ErrorCode::kInvalidInput,
                 source + ":" + std::to_string(line) + ": the text " +
                     (yaml[bad] == '\0' ? "has a null byte" : "is not valid UTF-8"));
  }
  try {
    const auto root = only_document(std::string(yaml), source);
    if (!root) return root.error();
    return Reader(*root, source).read();
  } catch (const YAML::Exception& failure) {
    return Error(ErrorCode::kInvalidInput, place(source, failure.mark) + ": " + failure.msg);
  }
}

Result<PromptTemplate> PromptTemplate::load(const std::string& path) {
  const auto content = read_file(path);
  if (content) return parse(*content, path);
  return Error(ErrorCode::kNotFound, "prompt template " + path + " can't be read");
}

const PromptTemplate& PromptTemplate::builtin(Task task, PromptLayout layout) {
  static const PromptTemplate passage = load_builtin(kPassageTemplate, "passage");
  static const PromptTemplate recommendation =
      load_builtin(kRecommendationTemplate, "recommendation");
  static const PromptTemplate passage_blocks =
      load_builtin(kPassageBlocksTemplate, "blocks-passage");
  static const PromptTemplate recommendation_blocks =
      load_builtin(kRecommendationBlocksTemplate, "blocks-recommendation");
  if (layout == PromptLayout::kBlocks)
    return task == Task::kPassage ? passage_blocks : recommendation_blocks;
  return task == Task::kPassage ? passage : recommendation;
}

PromptTemplates::PromptTemplates()
    : passage_{.wording = PromptTemplate::builtin(Task::kPassage)},
      recommendation_{.wording = PromptTemplate::builtin(Task::kRecommendation)} {}

void PromptTemplates::set(PromptTemplate replacement) {
  Choice& choice = replacement.task == Task::kPassage ? passage_ : recommendation_;
  choice = {.wording = std::move(replacement), .is_set = true};
}

void PromptTemplates::set_default_layout(PromptLayout layout) {
  for (Choice* choice : {&passage_, &recommendation_})
    if (!choice->is_set) choice->wording = PromptTemplate::builtin(choice->wording.task, layout);
}

const PromptTemplate& PromptTemplates::for_task(Task task) const noexcept {
  return task == Task::kPassage ? passage_.wording : recommendation_.wording;
}

bool PromptTemplates::has_blocks() const noexcept {
  return passage_.wording.layout == PromptLayout::kBlocks ||
         recommendation_.wording.layout == PromptLayout::kBlocks;
}

}  // namespace rsd
