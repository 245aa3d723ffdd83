// The lines of metrics.jsonl: the results of a step or a validation, by the number of steps done.
// Internal.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>

#include "rsd/train/rpo.h"
#include "rsd/train/supervised.h"

namespace rsd {

nlohmann::ordered_json metrics_of(const SupervisedTraining::Step& step, std::size_t number);
nlohmann::ordered_json metrics_of(const Validation& validation, std::size_t number);
nlohmann::ordered_json metrics_of(const RpoTraining::Step& step, std::size_t number);
nlohmann::ordered_json metrics_of_rpo_validation(double held_out_return, std::size_t number);

}  // namespace rsd
