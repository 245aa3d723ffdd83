#include "trace/rounds_json.h"

#include "rsd/core/check.h"

namespace rsd {
namespace {

using nlohmann::ordered_json;

ordered_json list_of(std::span<const ItemId> items, const ItemIndices& indices) {
  ordered_json list = ordered_json::array();
  for (const ItemId item : items)
    list.push_back(indices.of_items[item.slot()].value());
  return list;
}

ordered_json matrix_of(const SharedRows& rows, const ItemIndices& indices) {
  ordered_json matrix = ordered_json::array();
  for (std::size_t j = 0; j < rows.n_rows(); ++j) {
    const auto row = rows.row(j);
    ordered_json numbers(indices.n_indices, ordered_json());
    for (std::size_t i = 0; i < row.size(); ++i)
      numbers[indices.of_items[i].slot()] = row[i];
    matrix.push_back(std::move(numbers));
  }
  return matrix;
}

}  // namespace

ordered_json rounds_json(const History& history, const ItemIndices& indices) {
  RSD_CHECK(indices.of_items.size() == history.n_items(), "indices of another history");
  ordered_json list = ordered_json::array();
  for (const Round& round : history.rounds()) {
    list.push_back(ordered_json{{"proposal", list_of(round.proposal, indices)},
                                {"accepted", round.accepted},
                                {"known", list_of(history.known().first(round.known), indices)},
                                {"logits", matrix_of(round.logits, indices)}});
  }
  return list;
}

}  // namespace rsd
