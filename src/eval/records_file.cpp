#include "eval/records_file.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "eval/record_json.h"
#include "json/read_json.h"
#include "rsd/core/file.h"

namespace rsd {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormatVersion = 1;
constexpr const char* kVersionKey = "rsd_records";

std::string header_line(const Conditions& conditions) {
  const Json header = {{kVersionKey, kFormatVersion}, {"conditions", conditions}};
  return header.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string quoted(const std::optional<std::string>& value) {
  return value ? "\"" + *value + "\"" : "absent";
}

// kInvalidArgument with all differences.
Result<void> compare(const Conditions& recorded, const Conditions& wanted) {
  std::string differences;
  for (const ChangedCondition& change : changed_conditions(recorded, wanted)) {
    differences += (differences.empty() ? "" : "; ") + change.key + " was " +
                   quoted(change.before) + " and is " + quoted(change.now);
  }
  if (differences.empty()) return {};
  return Error(ErrorCode::kInvalidArgument,
               "the records can't be resumed under other conditions: " + differences);
}

Result<void> check_header(std::string_view line, const Conditions& wanted) {
  const Error other_file(ErrorCode::kInvalidInput,
                         "the file doesn't begin as records of an evaluation do");
  const auto header = read_json(line);
  if (!header) return other_file;
  try {
    if (header->at(kVersionKey) != kFormatVersion) {
      return Error(ErrorCode::kInvalidArgument,
                   "the records have format version " + header->at(kVersionKey).dump() +
                       "; this program reads version " + std::to_string(kFormatVersion));
    }
    return compare(header->at("conditions").get<Conditions>(), wanted);
  } catch (const nlohmann::json::exception&) {
    return other_file;
  }
}

// The complete lines: those that end in a newline.
std::vector<std::string_view> complete_lines(std::string_view content) {
  std::vector<std::string_view> lines;
  for (auto end = content.find('\n'); end != std::string_view::npos; end = content.find('\n')) {
    lines.push_back(content.substr(0, end));
    content.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace

EarlierRecords no_records(const Conditions& conditions) {
  return {.records = {}, .content = header_line(conditions)};
}

Result<EarlierRecords> read_records(const std::string& path, const Conditions& conditions,
                                    const std::vector<Setting>& settings) {
  const auto content = read_file(path);
  if (!content && content.error().code() == ErrorCode::kNotFound) return no_records(conditions);
  if (!content) return content.error();
  const auto lines = complete_lines(*content);
  if (lines.empty()) return no_records(conditions);
  if (auto same = check_header(lines.front(), conditions); !same) return same.error().within(path);

  EarlierRecords earlier{.records = {}, .content = std::string(lines.front()) + "\n"};
  for (std::size_t l = 1; l < lines.size(); ++l) {
    auto record = record_from_json(lines[l], settings);
    if (!record) return record.error().within(path + ":" + std::to_string(l + 1));
    if (!record->has_value()) continue;
    earlier.records.push_back(std::move(**record));
    earlier.content += std::string(lines[l]) + "\n";
  }
  return earlier;
}

Result<RecordsFile> RecordsFile::open(const std::string& path, const std::string& content) {
  const auto folder = std::filesystem::path(path).parent_path();
  std::error_code failed;
  if (!folder.empty()) std::filesystem::create_directories(folder, failed);
  if (failed) {
    return Error(ErrorCode::kRuntime,
                 "the folder " + folder.string() + " can't be made: " + failed.message());
  }
  if (auto written = write_file_atomically(path, content); !written) return written.error();
  return RecordsFile(path);
}

Result<void> RecordsFile::append(const std::string& line) const {
  return append_to_file(path_, line + "\n");
}

}  // namespace rsd
