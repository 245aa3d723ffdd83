// Tables of ids and texts, with tabs between their columns.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

std::vector<std::string_view> split_tabs(std::string_view line);

// Which column is what, from 0.
struct Columns {
  std::size_t id = 0;
  std::size_t text = 1;
  std::optional<std::size_t> title;
  std::size_t count = 2;

  // Those of a table whose first line has their names; nullopt where it is no line of names.
  static std::optional<Columns> named(std::string_view header);
  // Those of documents in tables without names: id, text (MS MARCO's passages); id, text, title
  // (DPR, ColBERT); id, address, title, text (MS MARCO's documents). nullopt for other counts.
  static std::optional<Columns> of_documents(std::size_t count);
};

}  // namespace rsd
