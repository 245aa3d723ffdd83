#include "rsd/data/qrels.h"

#include <charconv>
#include <string_view>

#include "data/lines.h"

namespace rsd {
namespace {

Error invalid(const std::string& message) {
  return {ErrorCode::kInvalidInput, message};
}

Result<int> parse_grade(std::string_view text) {
  int grade = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), grade);
  if (failure != std::errc() || end != text.data() + text.size()) {
    return invalid("grade " + in_quotes(text) +
                   " must be an integer between -2147483648 and 2147483647");
  }
  return grade;
}

Result<void> add_line(std::string_view line, Qrels& qrels) {
  const auto fields = split_fields(line);
  if (fields.size() != 4) {
    return invalid(in_quotes(line) + " has " + std::to_string(fields.size()) +
                   " fields; it must have 4: qid, iteration, docid, grade");
  }
  const auto grade = parse_grade(fields[3]);
  if (!grade) return grade.error();
  if (!qrels[std::string(fields[0])].emplace(fields[2], *grade).second) {
    return invalid("document " + in_quotes(fields[2]) + " of query " + in_quotes(fields[0]) +
                   " was judged by an earlier line");
  }
  return {};
}

}  // namespace

Result<Qrels> read_qrels(const std::string& path) {
  Qrels qrels;
  auto read = for_each_line(path, [&](std::string_view line) { return add_line(line, qrels); });
  if (!read) return read.error();
  return qrels;
}

}  // namespace rsd
