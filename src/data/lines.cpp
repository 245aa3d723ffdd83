#include "data/lines.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>
#include <utility>

#include "data/shorten.h"
#include "rsd/core/utf8.h"

namespace rsd {
namespace {

constexpr std::string_view kBlanks = " \t\r\v\f";

Result<void> take_line(const TextLine& line,
                       const std::function<Result<void>(const TextLine&)>& take) {
  if (const auto offset = find_invalid_utf8(line.text)) {
    return Error(ErrorCode::kInvalidInput,
                 "invalid UTF-8 at byte offset " + std::to_string(*offset));
  }
  return take(line);
}

}  // namespace

Result<void> for_each_line(const std::string& path,
                           const std::function<Result<void>(const TextLine& line)>& take,
                           const LineOptions& options) {
  std::error_code failure;
  auto file = std::make_unique<std::ifstream>(path, std::ios::binary);
  if (!*file || std::filesystem::is_directory(path, failure))
    return Error(ErrorCode::kNotFound, path + " can't be opened");
  RecordStream records(std::move(file), {.arrays = options.arrays});
  bool any = false;
  while (true) {
    const auto record = records.next();
    if (record && !record->has_value()) break;
    any = true;
    const TextLine line{.text = record ? **record : std::string_view(), .number = records.line()};
    const auto taken = record ? take_line(line, take) : Result<void>(record.error());
    if (taken) continue;
    const Error error = taken.error().within(path + ":" + std::to_string(line.number));
    if (!options.on_bad_line || records.ended()) return error;
    if (auto handled = options.on_bad_line(error); !handled) return handled;
  }
  if (!any) return Error(ErrorCode::kInvalidInput, path + ": has no lines");
  return {};
}

std::vector<std::string_view> split_fields(std::string_view line) {
  std::vector<std::string_view> fields;
  for (;;) {
    const std::size_t begin = line.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return fields;
    const std::size_t end = std::min(line.find_first_of(kBlanks, begin), line.size());
    fields.push_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
}

std::string in_quotes(std::string_view text) {
  return '"' + shorten(text, kShownChars) + '"';
}

}  // namespace rsd
