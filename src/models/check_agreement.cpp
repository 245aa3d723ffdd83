#include "models/loaded_model.h"
#include "rsd/core/check.h"
#include "rsd/models/prepare.h"
#include "rsd/rank/agreement.h"

namespace rsd {
namespace {

// Ranks with one model after the other and counts all its rankings.
class RankingRun {
 public:
  RankingRun(const std::vector<Request>& requests, const PrepareOptions& options)
      : requests_(requests), options_(options) {}

  Result<std::vector<Ranking>> rank(const std::string& model, const std::vector<LoraFile>& loras) {
    auto loaded = load_model(model, loras, options_);
    if (!loaded) return loaded.error();
    std::vector<Ranking> rankings;
    for (const Request& request : requests_) {
      if (options_.on_progress) options_.on_progress(n_done_++, 2 * requests_.size());
      const auto opened = open_request(*loaded->llm, loaded->prompts, request);
      if (!opened) return opened.error().within("request \"" + request.id + "\"");
      auto outcome = decode(*opened->scorer, {.decoder = DecoderKind::kAr});
      if (!outcome) return outcome.error().within("request \"" + request.id + "\"");
      rankings.push_back(std::move(outcome->ranking));
    }
    return rankings;
  }

 private:
  const std::vector<Request>& requests_;
  const PrepareOptions& options_;
  std::size_t n_done_ = 0;
};

ModelAgreement compare(const std::vector<Ranking>& actual, const std::vector<Ranking>& expected) {
  ModelAgreement sum{.requests = expected.size()};
  for (std::size_t i = 0; i < sum.requests; ++i) {
    const Ranking& a = actual[i];
    const Ranking& b = expected[i];
    sum.kendall_tau += kendall_tau(a, b);
    sum.identical += a == b ? 1 : 0;
    sum.top_1 += a.items().front() == b.items().front() ? 1 : 0;
  }
  const auto count = static_cast<double>(sum.requests);
  return {.requests = sum.requests,
          .kendall_tau = sum.kendall_tau / count,
          .identical = sum.identical / count,
          .top_1 = sum.top_1 / count};
}

}  // namespace

Result<ModelAgreement> check_agreement(const Preparation& preparation,
                                       const std::vector<Request>& requests,
                                       const PrepareOptions& options) {
  RSD_CHECK(!requests.empty(), "an agreement without requests");
  RankingRun ranking(requests, options);
  const auto expected = ranking.rank(preparation.model, preparation.loras);
  if (!expected) return expected.error();
  const auto actual = ranking.rank(preparation.output, {});
  if (!actual) return actual.error();
  return compare(*actual, *expected);
}

}  // namespace rsd
