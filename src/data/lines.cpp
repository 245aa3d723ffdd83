#include "data/lines.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "data/shorten.h"
#include "rsd/core/utf8.h"

namespace rsd {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\v\f";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kGzip = "\x1F\x8B";
constexpr std::size_t kShownChars = 60;

Result<void> take_line(std::string_view line,
                       const std::function<Result<void>(std::string_view)>& take) {
  if (line.starts_with(kGzip))
    return Error(ErrorCode::kInvalidInput, "this is compressed; unpack it first");
  if (const auto offset = find_invalid_utf8(line)) {
    return Error(ErrorCode::kInvalidInput,
                 "invalid UTF-8 at byte offset " + std::to_string(*offset));
  }
  return take(line);
}

}  // namespace

Result<void> for_each_line(const std::string& path,
                           const std::function<Result<void>(std::string_view line)>& take) {
  std::error_code failure;
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path, failure))
    return Error(ErrorCode::kNotFound, path + " can't be opened");
  std::size_t number = 0;
  bool any = false;
  for (std::string text; std::getline(file, text);) {
    std::string_view line = text;
    if (number++ == 0 && line.starts_with(kByteOrderMark))
      line.remove_prefix(kByteOrderMark.size());
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(kWhiteSpace) == std::string_view::npos) continue;
    any = true;
    if (const auto taken = take_line(line, take); !taken)
      return taken.error().within(path + ":" + std::to_string(number));
  }
  if (file.bad()) return Error(ErrorCode::kRuntime, path + ": reading broke off");
  if (!any) return Error(ErrorCode::kInvalidInput, path + ": has no lines");
  return {};
}

std::vector<std::string_view> split_fields(std::string_view line) {
  std::vector<std::string_view> fields;
  for (;;) {
    const std::size_t begin = line.find_first_not_of(kWhiteSpace);
    if (begin == std::string_view::npos) return fields;
    const std::size_t end = std::min(line.find_first_of(kWhiteSpace, begin), line.size());
    fields.push_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
}

std::string in_quotes(std::string_view text) {
  return '"' + shorten(text, kShownChars) + '"';
}

}  // namespace rsd
