#include <algorithm>
#include <cstddef>

#include "eval/cells.h"
#include "eval/reliability.h"
#include "rsd/eval/results.h"

namespace rsd {
namespace {

// Escapes text for a table's cell or a heading: a pipe would end the cell, a newline the line.
std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '|' || c == '\\' || c == '`' || c == '*' || c == '_' || c == '<') safe += '\\';
    safe += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return safe;
}

// The displayed width in code points.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t to, bool is_number) {
  const std::string space(to - std::min(to, width(text)), ' ');
  return is_number ? space + text : text + space;
}

// An aligned table, readable also as plain text.
std::string markdown_rows(const std::vector<Row>& rows) {
  std::vector<std::vector<std::string>> lines(1);
  for (const Column& column : kColumns)
    lines.front().emplace_back(column.heading);
  for (const Row& row : rows) {
    lines.push_back(cells(row));
    for (std::string& cell : lines.back())
      cell = escaped(cell);
  }
  std::vector<std::string> printed(lines.size() + 1, "|");
  for (std::size_t c = 0; c < kColumns.size(); ++c) {
    std::size_t widest = 3;
    for (const auto& line : lines)
      widest = std::max(widest, width(line[c]));
    const bool is_number = kColumns[c].is_number;
    printed[0] += " " + padded(lines[0][c], widest, is_number) + " |";
    printed[1] += std::string(widest + 1, '-') + (is_number ? ":|" : "-|");
    for (std::size_t l = 1; l < lines.size(); ++l)
      printed[l + 1] += " " + padded(lines[l][c], widest, is_number) + " |";
  }
  std::string text;
  for (const std::string& line : printed)
    text += line + "\n";
  return text;
}

// Empty without labels.
std::string markdown_target(const TargetFigures& target) {
  const auto lines = target_cells(target);
  if (lines.empty()) return "";
  std::string text = "|";
  for (const std::string_view heading : kTargetColumns)
    text += " " + std::string(heading) + " |";
  text += "\n|-|-:|-:|-:|\n";
  for (const TargetCells& line : lines) {
    text += "|";
    for (const std::string& cell : line)
      text += " " + cell + " |";
    text += "\n";
  }
  return text + "\n";
}

}  // namespace

std::string to_markdown(const Results& results) {
  std::string text = "# Evaluation of " + escaped(results.model) + "\n";
  for (const DatasetResults& dataset : results.datasets) {
    text += "\n## " + escaped(dataset.name) + "\n\n" + coverage(dataset) + ". " +
            target_sentence(dataset.target) + "\n\n";
    for (const std::string& warning : dataset.warnings)
      text += "> **Warning.** " + escaped(warning) + "\n\n";
    if (dataset.reliability) text += reliability_sentence(*dataset.reliability) + "\n\n";
    text += markdown_target(dataset.target) + markdown_rows(dataset.rows);
  }
  return text;
}

}  // namespace rsd
