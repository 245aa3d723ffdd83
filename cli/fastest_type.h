// Which type of weights is the fastest on this machine among those that keep the rankings.
#pragma once

#include <string>
#include <vector>

#include "common_options.h"
#include "prepared_model.h"
#include "rsd/core/result.h"
#include "rsd/llm/prepare_model.h"
#include "rsd/rank/request.h"

namespace rsd::cli {

// The mean Kendall tau with the F16 weights' rankings that is asked of a type: about what F16
// weights reach with themselves when passes are cut otherwise (docs/measurements.md).
inline constexpr double kLeastAgreement = 0.97;

struct TypeTrial {
  WeightType type = WeightType::kF16;
  double answer_ms = 0;    // median over the requests, rsd with a budget of 2
  double kendall_tau = 0;  // of ar's rankings with those of F16
  bool keeps_rankings() const { return kendall_tau >= kLeastAgreement; }
};

// Makes the model in each type in a folder beside `preparation.output`, one after the other and
// back again, so that a machine that grows slower meanwhile favours none; ranks the requests with
// each. The first is F16. Errors as of prepare() and of the engine.
Result<std::vector<TypeTrial>> try_types(const Preparation& preparation,
                                         const std::vector<Request>& requests,
                                         const CommonOptions& common);

// The fastest that keeps the rankings.
WeightType fastest(const std::vector<TypeTrial>& trials);

// A line a trial.
std::string describe(const std::vector<TypeTrial>& trials);

}  // namespace rsd::cli
