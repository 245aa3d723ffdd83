// The columns of tab-separated tables of ids and texts.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

std::vector<std::string_view> split_tabs(std::string_view line);

// True for the names that the first column of runs and judgements has in a header line.
bool is_query_column(std::string_view name);

// The roles of the columns, numbered from 0.
struct Columns {
  std::size_t id = 0;
  std::size_t text = 1;
  std::optional<std::size_t> title;
  std::size_t count = 2;

  // The columns of a table with a header line; nullopt if `header` is not one.
  static std::optional<Columns> named(std::string_view header);
  // The columns of document tables without a header: id, text (MS MARCO's passages); id, text,
  // title (DPR, ColBERT); id, address, title, text (MS MARCO's documents). nullopt for other
  // counts.
  static std::optional<Columns> of_documents(std::size_t count);
};

}  // namespace rsd
