#include "resume.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "json/read_json.h"
#include "output_file.h"
#include "rsd/data/atomic_file.h"

namespace rsd::cli {
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

Result<Kept> keep_jsonl(const std::string& path, std::string_view text, const std::string& decoder,
                        std::optional<std::size_t> budget) {
  const Json no_answer;
  Kept kept;
  std::size_t number = 0;
  for (const auto line : whole_lines(text)) {
    ++number;
    const auto read = read_json(line);
    const Json& answer = read ? *read : no_answer;
    if (!answer.is_object() || !answer.contains("id") || !answer["id"].is_string() ||
        !answer.contains("decoder") || !answer.contains("budget")) {
      return no_output(path, number);
    }
    const Json wanted = budget ? Json(*budget) : Json(nullptr);
    // Of a list in windows it depends on their number; the conditions tell what was asked for.
    const bool other_budget = !answer.contains("windows") && answer["budget"] != wanted;
    if (answer["decoder"] != decoder || other_budget) {
      return Error(ErrorCode::kInvalidArgument,
                   path + ":" + std::to_string(number) + ": was made with decoder " +
                       answer["decoder"].dump() + ", budget " + answer["budget"].dump() +
                       "; it can't be resumed with decoder \"" + decoder + "\", budget " +
                       wanted.dump());
    }
    kept.ids.insert(answer["id"].get<std::string>());
    kept.text += line;
  }
  return kept;
}

Result<Kept> keep_trec(const std::string& path, std::string_view text, bool complete) {
  Kept kept;
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
    kept.ids.insert(id);
    kept.text += line;
  }
  return kept;
}

std::string conditions_path(const std::string& path) {
  return OutputFile::partial_path(path) + ".conditions";
}

// Without conditions it is an older file, or one that was moved here: the answers alone must tell.
Result<void> check_conditions(const std::string& path, const Conditions& now) {
  const auto changed = changed_condition(conditions_path(path), now);
  if (!changed) return changed.error();
  if (!*changed) return {};
  const ChangedCondition& change = **changed;
  return Error(ErrorCode::kInvalidArgument,
               OutputFile::partial_path(path) + " was made with " + change.key + " \"" +
                   change.before + "\"; it can't be resumed with \"" + change.now + "\"");
}

}  // namespace

Result<void> write_conditions(const std::string& path, const Conditions& conditions) {
  return save_conditions(conditions_path(path), conditions);
}

void remove_conditions(const std::string& path) {
  std::error_code ignored;
  std::filesystem::remove(conditions_path(path), ignored);
}

Result<Kept> read_kept(const ResumedOutput& output) {
  if (output.format == AnswerFormat::kTable) {
    return Error(ErrorCode::kInvalidArgument, "--resume works with the formats jsonl and trec");
  }
  const std::string partial = OutputFile::partial_path(output.path);
  const bool interrupted = std::filesystem::exists(partial);
  const std::string& source = interrupted ? partial : output.path;
  if (!std::filesystem::exists(source)) return Kept{};
  if (interrupted) {
    if (auto same = check_conditions(output.path, output.conditions); !same) return same.error();
  }
  const auto text = read_file(source);
  if (!text) return text.error();
  return output.format == AnswerFormat::kJsonl
             ? keep_jsonl(source, *text, output.decoder, output.budget)
             : keep_trec(source, *text, /*complete=*/!interrupted);
}

}  // namespace rsd::cli
