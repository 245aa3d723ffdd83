// The steps around prepare(): what is to be made, in which type, and how well its rankings agree.
#pragma once

#include <string>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/models/model_places.h"
#include "rsd/models/prepare.h"
#include "rsd/rank/request.h"

namespace rsd {

// Completes what is to be made. Without a model the base is the default model's LLM, without
// adapters too it is the default model, which goes to the cache unless `wanted` has an output.
// kInvalidArgument: a model or adapters without an output; else the errors of default_preparation
// and base_model.
Result<Preparation> complete(Preparation wanted, const ModelPlaces& places = {});

// Requests to rank with a prepared model: those of `file`, or rsd's examples if it is empty,
// without blank candidates. None if the examples are missing. Errors of read_requests.
Result<std::vector<Request>> check_requests(const std::string& file,
                                            const ModelPlaces& places = {});

// Sets preparation.type to the fastest type that keeps the rankings, and for the default model in
// the cache also its output, and keeps the choice. kInvalidArgument: no requests; else the errors
// of try_types and choose_default_type. Returns what was tried.
Result<std::vector<TypeTrial>> choose_fastest_type(Preparation& preparation,
                                                   const std::vector<Request>& requests,
                                                   const ModelPlaces& places = {},
                                                   const PrepareOptions& options = {});

// Measures the agreement of a prepared model (check_agreement) and keeps it in its record. A record
// that can't be written is logged. Errors of check_agreement.
Result<ModelAgreement> measure_agreement(const Preparation& preparation,
                                         const std::vector<Request>& requests,
                                         const PrepareOptions& options = {});

}  // namespace rsd
