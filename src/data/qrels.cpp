#include "rsd/data/qrels.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>

#include "data/columns.h"
#include "data/lines.h"

namespace rsd {
namespace {

// An integer, also in the form of programs with floating-point grades: 1.0.
Result<int> parse_grade(std::string_view text) {
  using Limits = std::numeric_limits<int>;
  std::string_view digits = text;
  if (digits.starts_with('+') && !digits.starts_with("+-")) digits.remove_prefix(1);
  double grade = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), grade);
  const bool is_number = failure == std::errc() && end == digits.data() + digits.size();
  if (!is_number || grade != std::trunc(grade) || grade < Limits::min() || grade > Limits::max()) {
    return invalid_input("grade " + in_quotes(text) + " must be an integer between " +
                         std::to_string(Limits::min()) + " and " + std::to_string(Limits::max()));
  }
  return static_cast<int>(grade);
}

// The header line that BEIR and others write.
bool is_header(const TextLine& line, const std::vector<std::string_view>& fields) {
  if (line.number != 1 || fields.size() < 3 || parse_grade(fields.back())) return false;
  return is_query_column(fields.front());
}

Result<void> add_line(const TextLine& line, Qrels& qrels) {
  const auto fields = split_fields(line.text);
  if (is_header(line, fields)) return {};
  if (fields.size() != 3 && fields.size() != 4) {
    return invalid_input(
        in_quotes(line.text) + " has " + std::to_string(fields.size()) +
        " fields; it must have 4: qid, iteration, docid, grade, or 3: qid, docid, grade");
  }
  const auto grade = parse_grade(fields.back());
  if (!grade) return grade.error();
  const std::string_view document = fields[fields.size() - 2];
  if (!qrels[std::string(fields[0])].emplace(document, *grade).second) {
    return invalid_input("document " + in_quotes(document) + " of query " + in_quotes(fields[0]) +
                         " was judged by an earlier line");
  }
  return {};
}

}  // namespace

Result<Qrels> read_qrels(const std::string& path) {
  Qrels qrels;
  auto read = for_each_line(path, [&](const TextLine& line) { return add_line(line, qrels); });
  if (!read) return read.error();
  if (qrels.empty()) return invalid_input(path + ": has no lines after its header");
  return qrels;
}

}  // namespace rsd
