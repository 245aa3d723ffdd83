// Does a prepared model rank as its parts do?
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common_options.h"
#include "rsd/core/result.h"
#include "rsd/llm/llama_engine.h"
#include "rsd/rank/request.h"

namespace rsd::cli {

// Of the rankings of `ar`, of the prepared model and of the model with its adapters at run time.
struct Agreement {
  std::size_t requests = 0;
  double kendall_tau = 0;  // the mean
  double identical = 0;    // the share of requests whose rankings are the same
  double top_1 = 0;        // the share whose first items are the same
};

// "Kendall tau 0.987, 75 % of 12 rankings identical, 100 % of first places"
std::string describe(const Agreement& agreement);

struct AgreementCheck {
  std::string model;
  std::vector<LoraFile> loras;
  std::string prepared;
  std::vector<Request> requests;  // at least one
};

// Ranks the requests with both, one model at a time in memory.
Result<Agreement> check_agreement(const AgreementCheck& check, const CommonOptions& common);

}  // namespace rsd::cli
