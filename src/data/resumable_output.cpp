#include "rsd/data/resumable_output.h"

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "json/read_json.h"
#include "rsd/core/file.h"
#include "rsd/core/shown_text.h"
#include "rsd/rank/presentation.h"

namespace rsd {
namespace {

using Json = nlohmann::json;

Error no_output(const std::string& path, std::size_t line) {
  return {ErrorCode::kInvalidInput,
          path + ":" + std::to_string(line) + ": this is no answer of `rsd rank`; can't resume"};
}

// The lines that are complete, each with its end.
std::vector<std::string_view> whole_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) break;
    lines.push_back(text.substr(begin, end + 1 - begin));
    begin = end + 1;
  }
  return lines;
}

Result<KeptAnswers> keep_jsonl(const std::string& path, std::string_view text) {
  const Json no_answer;
  KeptAnswers kept;
  std::size_t number = 0;
  for (const auto line : whole_lines(text)) {
    ++number;
    const auto read = read_json(line);
    const Json& answer = read ? *read : no_answer;
    if (!answer.is_object() || !answer.contains("id") || !answer["id"].is_string() ||
        !answer.contains("decoder") || !answer.contains("budget")) {
      return no_output(path, number);
    }
    kept.requests.emplace(answer["id"].get<std::string>(), "");
    kept.text += line;
  }
  return kept;
}

Result<KeptAnswers> keep_trec(const std::string& path, std::string_view text, bool complete) {
  KeptAnswers kept;
  const auto lines = whole_lines(text);
  std::string last;
  if (!complete && !lines.empty()) last = lines.back().substr(0, lines.back().find(' '));
  std::size_t number = 0;
  for (const auto line : lines) {
    ++number;
    const std::size_t end = line.find(' ');
    if (end == std::string_view::npos || end == 0) return no_output(path, number);
    const std::string id(line.substr(0, end));
    if (!complete && id == last) continue;
    kept.requests.emplace(id, "");
    kept.text += line;
  }
  return kept;
}

std::string notes_path(const std::string& path) {
  return path + ".conditions";
}

// A line of the notes: the conditions in the first one, an answered request in the others.
constexpr const char* kConditions = "conditions";
constexpr const char* kDigest = "request";

std::string note_of(const std::string& id, const std::string& digest) {
  return Json{{"id", id}, {kDigest, digest}}.dump() + "\n";
}

struct Notes {
  struct Line {
    std::string text;
    std::string id;
    std::string digest;
  };
  std::string head;
  Conditions conditions;
  std::vector<Line> lines;
};

Error damaged(const std::string& source, std::size_t line) {
  return {ErrorCode::kInvalidInput,
          source + ":" + std::to_string(line) +
              ": it is damaged: this is no note of `rsd rank`, and its answers can't be resumed; "
              "choose another --output"};
}

// False also where there is no such file.
Result<bool> has_line(const std::string& path) {
  const auto text = read_file_if_there(path);
  if (!text) return text.error();
  return *text && (*text)->find('\n') != std::string::npos;
}

// Those of an interrupted run, or of a finished one; nullopt: there are none. One that was
// interrupted while it gave its files their names, or took over finished answers, has the finished
// notes.
Result<std::optional<Notes>> read_notes(const std::string& path, bool is_interrupted) {
  std::string source = notes_path(path);
  if (is_interrupted) {
    const std::string partial = OutputFile::partial_path(source);
    const auto is_begun = has_line(partial);
    if (!is_begun) return is_begun.error();
    if (*is_begun) source = partial;
  }
  const auto text = read_file_if_there(source);
  if (!text) return text.error();
  if (!*text) return std::optional<Notes>();
  Notes notes;
  std::size_t number = 0;
  for (const auto line : whole_lines(**text)) {
    const auto read = read_json(line);
    const Json note = read ? *read : Json();
    const auto has_text = [&](const char* key) {
      return note.is_object() && note.contains(key) && note[key].is_string();
    };
    const bool is_first = ++number == 1;
    if (is_first && note.is_object() && note.contains(kConditions) &&
        note[kConditions].is_object()) {
      notes.head = line;
      for (const auto& [key, value] : note[kConditions].items())
        if (value.is_string()) notes.conditions.emplace(key, value.get<std::string>());
    } else if (!is_first && has_text("id") && has_text(kDigest)) {
      notes.lines.push_back({.text = std::string(line),
                             .id = note["id"].get<std::string>(),
                             .digest = note[kDigest].get<std::string>()});
    } else {
      return damaged(source, number);
    }
  }
  if (notes.conditions.empty()) return damaged(source, 1);
  return std::optional(std::move(notes));
}

// Answers don't record which model made them, nor from which texts: their notes do.
Result<void> add_notes(const std::string& path, const std::string& source, const Conditions& now,
                       KeptAnswers& kept) {
  const auto notes = read_notes(path, kept.is_interrupted);
  if (!notes) return notes.error();
  if (!*notes) {
    return Error(ErrorCode::kInvalidArgument,
                 source + " can't be resumed: " + notes_path(path) +
                     ", which says how it was made, is missing; choose another --output");
  }
  if (const auto changes = changed_conditions((*notes)->conditions, now); !changes.empty()) {
    const ChangedCondition& first = changes.front();
    return Error(ErrorCode::kInvalidArgument,
                 source + " was made with " + first.key + " \"" + first.before.value_or("nothing") +
                     "\"; it can't be resumed with \"" + first.now.value_or("nothing") + "\"");
  }
  kept.notes = (*notes)->head;
  for (const Notes::Line& line : (*notes)->lines) {
    const auto answered = kept.requests.find(line.id);
    if (answered == kept.requests.end()) continue;
    answered->second = line.digest;
    kept.notes += line.text;
  }
  for (const auto& [id, digest] : kept.requests) {
    if (!digest.empty()) continue;
    return Error(ErrorCode::kInvalidInput, notes_path(path) + " is damaged: it has no note of \"" +
                                               shown_text(id) + "\", which " + source +
                                               " has an answer to; choose another --output");
  }
  return {};
}

// True if an interrupted run left answers, or would have made all of them anew. One that was to
// continue finished answers and has not taken them over yet has neither answers nor notes.
Result<bool> has_begun(const std::string& path) {
  const std::string answers = OutputFile::partial_path(path);
  if (is_missing(answers)) return false;
  auto has_answers = has_line(answers);
  if (!has_answers || *has_answers) return has_answers;
  return has_line(OutputFile::partial_path(notes_path(path)));
}

}  // namespace

Result<KeptAnswers> read_kept_answers(const std::string& path, AnswerFormat format,
                                      const Conditions& now) {
  if (format == AnswerFormat::kTable) {
    return Error(ErrorCode::kInvalidArgument, "--resume works with the formats jsonl and trec");
  }
  const std::string partial = OutputFile::partial_path(path);
  const auto interrupted = has_begun(path);
  if (!interrupted) return interrupted.error();
  const std::string& source = *interrupted ? partial : path;
  const auto text = read_file_if_there(source);
  if (!text) return text.error();
  if (!*text) return KeptAnswers{};
  auto kept = format == AnswerFormat::kJsonl ? keep_jsonl(source, **text)
                                             : keep_trec(source, **text, !*interrupted);
  if (!kept || kept->requests.empty()) return kept;
  kept->is_interrupted = *interrupted;
  if (auto noted = add_notes(path, source, now, *kept); !noted) return noted.error();
  return kept;
}

Result<ResumableOutput> ResumableOutput::open(const std::string& path, AnswerFormat format,
                                              const Conditions& conditions,
                                              const KeptAnswers& kept) {
  auto answers = OutputFile::open(path, kept.text);
  if (!answers) return answers.error();
  if (path.empty() || format == AnswerFormat::kTable)
    return ResumableOutput(*std::move(answers), std::nullopt);
  auto notes = OutputFile::open(notes_path(path), kept.notes);
  if (!notes) return notes.error();
  if (kept.notes.empty()) {
    const std::string head =
        Json{{kConditions, conditions}}.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (auto written = notes->write(head + "\n"); !written) return written.error();
  }
  return ResumableOutput(*std::move(answers), *std::move(notes));
}

// The note comes first: an answer without one could not be kept.
Result<void> ResumableOutput::write(const Request& request, std::string_view answer) {
  if (notes_) {
    if (auto noted = notes_->write(note_of(request.id, content_digest(request))); !noted)
      return noted;
  }
  return answers_.write(answer);
}

Result<void> ResumableOutput::commit() {
  if (notes_) {
    if (auto done = notes_->commit(); !done) return done;
  }
  return answers_.commit();
}

void ResumableOutput::discard() {
  answers_.discard();
  if (notes_) notes_->discard();
}

}  // namespace rsd
