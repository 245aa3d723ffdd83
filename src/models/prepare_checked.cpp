#include "rsd/models/prepare_checked.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "rsd/core/log_to.h"
#include "rsd/data/request_reader.h"
#include "rsd/models/default_model.h"
#include "rsd/rank/presentation.h"

namespace rsd {

Result<Preparation> complete(Preparation wanted, const ModelPlaces& places) {
  if (wanted.model.empty() && wanted.loras.empty()) {
    auto preparation = default_preparation(wanted.type, places);
    if (!preparation || wanted.output.empty()) return preparation;
    if (auto base = base_model(places); !base) return base.error();
    preparation->output = wanted.output;
    preparation->cache_folder.clear();
    return preparation;
  }
  if (wanted.output.empty())
    return Error(ErrorCode::kInvalidArgument, "--model and --lora need --output");
  if (!wanted.model.empty()) return wanted;
  auto base = base_model(places);
  if (!base) return base.error();
  wanted.model = *std::move(base);
  return wanted;
}

Result<std::vector<Request>> check_requests(const std::string& file, const ModelPlaces& places) {
  std::vector<Request> requests;
  for (const std::string& path : file.empty() ? example_requests(places) : std::vector{file}) {
    const auto read = read_requests(path);
    if (!read) return read;
    std::ranges::transform(*read, std::back_inserter(requests), &without_blank_candidates);
  }
  return requests;
}

Result<std::vector<TypeTrial>> choose_fastest_type(Preparation& preparation,
                                                   const std::vector<Request>& requests,
                                                   const ModelPlaces& places,
                                                   const PrepareOptions& options) {
  if (requests.empty()) {
    return Error(ErrorCode::kInvalidArgument,
                 "--type fastest needs requests to try the types on: --check-requests names them");
  }
  auto trials = try_types(preparation, requests, options);
  if (!trials) return trials.error().within("trying types");
  preparation.type = fastest_type(*trials);
  if (preparation.cache_folder.empty()) return trials;
  auto chosen = default_preparation(preparation.type, places);
  if (!chosen) return chosen.error();
  preparation = *std::move(chosen);
  if (auto kept = choose_default_type(preparation.type, places); !kept) return kept.error();
  return trials;
}

Result<ModelAgreement> measure_agreement(const Preparation& preparation,
                                         const std::vector<Request>& requests,
                                         const PrepareOptions& options) {
  auto measured = check_agreement(preparation, requests, options);
  if (!measured) return measured.error().within("measuring the agreement");
  if (const auto kept = record_agreement(preparation.output, *measured); !kept) {
    log_to(options.log, LogLevel::kWarning,
           "the agreement is measured again the next time: " + kept.error().message());
  }
  return measured;
}

}  // namespace rsd
