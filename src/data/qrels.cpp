#include "rsd/data/qrels.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <vector>

#include "data/shorten.h"
#include "rsd/core/utf8.h"
#include "rsd/data/atomic_file.h"

namespace rsd {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\v\f";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kShownChars = 60;

Error invalid(const std::string& message) {
  return {ErrorCode::kInvalidInput, message};
}

std::string quoted(std::string_view text) {
  return '"' + shorten(text, kShownChars) + '"';
}

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> fields;
  for (;;) {
    const std::size_t begin = line.find_first_not_of(kWhiteSpace);
    if (begin == std::string_view::npos) return fields;
    const std::size_t end = std::min(line.find_first_of(kWhiteSpace, begin), line.size());
    fields.push_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
}

Result<int> parse_grade(std::string_view text) {
  int grade = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), grade);
  if (failure != std::errc() || end != text.data() + text.size()) {
    return invalid("grade " + quoted(text) +
                   " must be an integer between -2147483648 and 2147483647");
  }
  return grade;
}

Result<void> add_line(std::string_view line, Qrels& qrels) {
  if (const auto offset = find_invalid_utf8(line)) {
    return invalid("invalid UTF-8 at byte offset " + std::to_string(*offset));
  }
  const auto fields = split(line);
  if (fields.empty()) return {};
  if (fields.size() != 4) {
    return invalid(quoted(line) + " has " + std::to_string(fields.size()) +
                   " fields; it must have 4: qid, iteration, docid, grade");
  }
  const auto grade = parse_grade(fields[3]);
  if (!grade) return grade.error();
  if (!qrels[std::string(fields[0])].emplace(fields[2], *grade).second) {
    return invalid("document " + quoted(fields[2]) + " of query " + quoted(fields[0]) +
                   " was judged by an earlier line");
  }
  return {};
}

}  // namespace

Result<Qrels> read_qrels(const std::string& path) {
  const auto content = read_file(path);
  if (!content) return content.error();
  std::string_view rest = *content;
  if (rest.starts_with(kByteOrderMark)) rest.remove_prefix(kByteOrderMark.size());

  Qrels qrels;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (const auto added = add_line(line, qrels); !added) {
      return added.error().within(path + ":" + std::to_string(number));
    }
  }
  if (qrels.empty()) return invalid(path + ": holds no judgements");
  return qrels;
}

}  // namespace rsd
