#include "eval/request_measurement.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "rsd/core/check.h"
#include "rsd/decode/decoding.h"
#include "rsd/decode/run.h"
#include "rsd/rank/presentation.h"
#include "rsd/rank/relevance_metrics.h"

namespace rsd {
namespace {

std::optional<Labels> labels_of(const Request& shown) {
  if (shown.relevance.empty()) return std::nullopt;
  auto labelled = label(Ranking::identity(shown.candidates.size()), shown, shown.relevance);
  return Labels{.grades = std::move(labelled.grades), .judged = std::move(labelled.judged)};
}

std::shared_ptr<const RankingPolicy> policy_of(const Setting& setting, const SettingGrid& grid) {
  const auto found = std::ranges::find_if(
      grid.policies, [&](const auto& policy) { return policy->name() == setting.policy; });
  return found == grid.policies.end() ? nullptr : *found;
}

// Each of ar's rows was computed on the target's prefix, which up to the first difference is also
// exact's prefix.
std::optional<Difference> first_difference(const Ranking& target, const Ranking& exact,
                                           const LogitMatrix& target_logits) {
  const auto [chosen, other] = std::ranges::mismatch(target.items(), exact.items());
  if (chosen == target.items().end()) return std::nullopt;
  const auto position = static_cast<std::size_t>(chosen - target.items().begin());
  const auto row = target_logits.row(position);
  return Difference{.position = Position(position),
                    .margin = static_cast<double>(row[chosen->slot()]) - row[other->slot()]};
}

class RequestMeasurement {
 public:
  RequestMeasurement(const EvaluationOptions& options, PositionScorer& scorer)
      : options_(options), scorer_(scorer) {}

  Result<void> add(const Setting& setting) {
    auto decoding =
        Decoding::create(scorer_.n_items(), {.decoder = setting.decoder,
                                             .budget = setting.budget,
                                             .draft = setting.draft,
                                             .policy = policy_of(setting, options_.grid)});
    if (!decoding) return decoding.error().within(to_string(setting));
    // The previous setting's cache would make this setting's first encoding cheaper.
    scorer_.forget_proposals();
    auto outcome = run(*decoding, scorer_, {.now = options_.now});
    if (!outcome) return outcome.error().within(to_string(setting));
    keep(setting, std::move(*outcome), decoding->history());
    return {};
  }

  std::vector<Measurement> take() { return std::move(measurements_); }
  std::vector<float> take_relevance() { return std::move(relevance_); }

 private:
  void keep(const Setting& setting, Outcome outcome, const History& history) {
    if (setting.decoder == DecoderKind::kAr && !history.rounds().empty()) {
      target_logits_ = history.rounds().back().logits;
    }
    if (!outcome.relevance.empty()) relevance_ = std::move(outcome.relevance);
    std::optional<Difference> difference;
    if (setting.decoder == DecoderKind::kExact) {
      difference = first_difference(measurements_.front().ranking, outcome.ranking, target_logits_);
    }
    measurements_.push_back({.ranking = std::move(outcome.ranking),
                             .encodings = outcome.encodings,
                             .tokens_encoded = outcome.tokens_encoded,
                             .verified_prefix = outcome.verified_prefix,
                             .timing = outcome.timing,
                             .difference = difference});
  }

  const EvaluationOptions& options_;
  PositionScorer& scorer_;
  std::vector<Measurement> measurements_;
  std::vector<float> relevance_;  // the same for all settings: it is read in the prompt
  LogitMatrix target_logits_;
};

Result<OpenedRequest> open(const Request& shown, const EvaluationOptions& options) {
  auto opened = options.open(shown);
  RSD_CHECK(!opened ||
                (opened->scorer != nullptr && opened->scorer->n_items() == shown.candidates.size()),
            "the scorer of another request");
  return opened;
}

// The target ranking for the candidates shuffled by `seed`; items are numbered as in the record.
Result<Ranking> reordered_target(const Request& request, const EvaluationOptions& options,
                                 const RequestRecord& record, std::uint64_t seed) {
  const auto order = presentation_order(request, seed);
  auto opened = open(presented(request, order), options);
  if (!opened) return opened.error();
  RequestMeasurement measurement(options, *opened->scorer);
  if (auto added = measurement.add({.decoder = DecoderKind::kAr}); !added) return added.error();
  std::vector<std::size_t> place_of(record.order.size());  // by index in the file
  for (std::size_t item = 0; item < record.order.size(); ++item)
    place_of[record.order[item]] = item;
  const auto measured = measurement.take();
  std::vector<ItemId> items;
  for (const ItemId item : measured.front().ranking.items())
    items.emplace_back(place_of[order[item.slot()]]);
  return Ranking::create(std::move(items));
}

Result<void> measure_settings(const Request& shown, const EvaluationOptions& options,
                              const std::vector<Setting>& settings, RequestRecord& record) {
  auto opened = open(shown, options);
  if (!opened) return opened.error();
  record.truncated_candidates = opened->truncated_candidates;
  RequestMeasurement measurement(options, *opened->scorer);
  for (const Setting& setting : settings) {
    if (auto added = measurement.add(setting); !added) return added.error();
  }
  record.measurements = measurement.take();
  record.relevance = measurement.take_relevance();
  return {};
}

}  // namespace

Result<RequestRecord> measure(const Request& request, const EvaluationOptions& options,
                              const std::vector<Setting>& settings) {
  RequestRecord record{.id = request.id,
                       .digest = request_digest(request),
                       .order = presentation_order(request, options.shuffle_seed)};
  const Request shown = presented(request, record.order);
  record.labels = labels_of(shown);
  if (auto done = measure_settings(shown, options, settings, record); !done) return done.error();
  const std::size_t at_hand = options.shuffle_seed ? 1 : 0;
  for (std::size_t n = 1; n + at_hand <= options.order_shuffles; ++n) {
    auto ranking = reordered_target(request, options, record, options.shuffle_seed.value_or(0) + n);
    if (!ranking) return ranking.error().within("in another order");
    record.reordered.push_back(*std::move(ranking));
  }
  return record;
}

}  // namespace rsd
