#include "data/metrics_line.h"

#include <utility>

#include "json/read_json.h"

namespace rsd {

std::optional<nlohmann::json> read_metrics_line(std::string_view line) {
  auto entry = read_json(line);
  if (!entry || !entry->is_object()) return std::nullopt;
  const auto stage = entry->find("stage");
  const auto step = entry->find("step");
  const bool is_whole = stage != entry->end() && stage->is_string() && step != entry->end() &&
                        step->is_number_unsigned();
  return is_whole ? std::optional(*std::move(entry)) : std::nullopt;
}

}  // namespace rsd
