// The lines of a training's metrics.jsonl (docs/formats/agent.md). Internal.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace rsd {

// A whole line: an object with a text "stage" and an unsigned "step". nullopt for any other text.
std::optional<nlohmann::json> read_metrics_line(std::string_view line);

}  // namespace rsd
