#include <algorithm>
#include <cmath>
#include <functional>

#include "data/fixed_decimals.h"
#include "eval/reliability.h"
#include "eval/statistics.h"
#include "rsd/core/check.h"
#include "rsd/eval/results.h"
#include "rsd/rank/agreement.h"
#include "rsd/rank/presentation.h"
#include "rsd/rank/relevance_metrics.h"

namespace rsd {
namespace {

constexpr int kRandomOrders = 100;
constexpr std::uint64_t kRandomSeed = 20250505;
constexpr double kSuspectLetterBias = 0.35;
constexpr double kSuspectOrderConsistency = 0.3;

RelevanceFigures relevance_of(const std::vector<std::size_t>& items, const Labels& labels) {
  LabelledRanking labelled{.grades = {}, .judged = labels.judged};
  for (const std::size_t item : items)
    labelled.grades.push_back(labels.grades[item]);
  return {.ndcg_at_10 = ndcg_at_k(labelled, 10),
          .mrr = reciprocal_rank(labelled),
          .recall_at_1 = recall_at_k(labelled, 1)};
}

std::optional<RelevanceFigures> mean_of(const std::vector<RelevanceFigures>& sample) {
  if (sample.empty()) return std::nullopt;
  RelevanceFigures sum;
  for (const RelevanceFigures& figures : sample) {
    sum.ndcg_at_10 += figures.ndcg_at_10;
    sum.mrr += figures.mrr;
    sum.recall_at_1 += figures.recall_at_1;
  }
  const auto n = static_cast<double>(sample.size());
  return RelevanceFigures{sum.ndcg_at_10 / n, sum.mrr / n, sum.recall_at_1 / n};
}

std::vector<std::size_t> items_of(const Ranking& ranking) {
  std::vector<std::size_t> items;
  for (const ItemId item : ranking.items())
    items.push_back(item.slot());
  return items;
}

std::vector<std::size_t> file_order(const RequestRecord& record) {
  std::vector<std::size_t> items(record.order.size());
  for (std::size_t item = 0; item < items.size(); ++item)
    items[record.order[item]] = item;
  return items;
}

// Depends only on the request, not on the presented order.
RelevanceFigures relevance_of_random_orders(const RequestRecord& record) {
  auto generator = request_generator(kRandomSeed, record.id);
  std::vector<std::size_t> items = file_order(record);
  std::vector<RelevanceFigures> sample;
  for (int n = 0; n < kRandomOrders; ++n) {
    shuffle(items, generator);
    sample.push_back(relevance_of(items, *record.labels));
  }
  return *mean_of(sample);
}

class Aggregation {
 public:
  explicit Aggregation(const Evaluation& evaluation) : evaluation_(evaluation) {}

  Row row(std::size_t s) const {
    Row row{.setting = evaluation_.settings[s], .requests = evaluation_.records.size()};
    const auto mean_count = [&](auto count) {
      return mean(over_requests(
          s, [&](const Measurement& m) { return static_cast<double>(std::invoke(count, m)); }));
    };
    row.encodings = mean_count(&Measurement::encodings);
    row.tokens_encoded = mean_count(&Measurement::tokens_encoded);
    row.verified_prefix = mean_count(&Measurement::verified_prefix);
    row.kt = mean_agreement(s, kendall_tau);
    row.sr = mean_agreement(s, spearman_rho);
    row.fd = mean_agreement(s, footrule_distance);
    row.kd = mean_agreement(s, kemeny_distance);
    row.relevance = relevance(
        [&](const RequestRecord& record) { return items_of(record.measurements[s].ranking); });
    row.p50_ms = time_percentile(s, &Outcome::Timing::total_ms, 0.5);
    row.p95_ms = time_percentile(s, &Outcome::Timing::total_ms, 0.95);
    row.prefill_p50_ms = time_percentile(s, &Outcome::Timing::prefill_ms, 0.5);
    row.decode_p50_ms = time_percentile(s, &Outcome::Timing::decode_ms, 0.5);
    row.agent_p50_ms = time_percentile(s, &Outcome::Timing::agent_ms, 0.5);
    row.disagreement_by_position = disagreement_by_position(s);
    if (row.setting.decoder == DecoderKind::kExact) row.exact = exact_figures(s);
    return row;
  }

  TargetFigures target() const {
    TargetFigures figures;
    figures.target = relevance(
        [](const RequestRecord& record) { return items_of(record.measurements[0].ranking); });
    figures.input = relevance(file_order);
    std::vector<RelevanceFigures> random;
    figures.order_shuffles = evaluation_.order_shuffles;
    const auto std_at =
        std::ranges::find(evaluation_.settings, DecoderKind::kStd, &Setting::decoder);
    if (std_at != evaluation_.settings.end()) {
      const auto s = static_cast<std::size_t>(std_at - evaluation_.settings.begin());
      figures.single_token = relevance(
          [s](const RequestRecord& record) { return items_of(record.measurements[s].ranking); });
    }
    std::vector<double> letter_bias;
    std::vector<double> consistency;
    for (const RequestRecord& record : evaluation_.records) {
      if (record.labels) random.push_back(relevance_of_random_orders(record));
      const Ranking& ranking = record.measurements[0].ranking;
      if (ranking.size() < 2) continue;
      letter_bias.push_back(kendall_tau(ranking, Ranking::identity(ranking.size())));
      if (evaluation_.order_shuffles > 0) consistency.push_back(agreement_of_orders(record));
    }
    figures.random = mean_of(random);
    if (!letter_bias.empty()) figures.letter_bias = mean(letter_bias);
    if (!consistency.empty()) figures.order_consistency = mean(consistency);
    return figures;
  }

 private:
  // The mean Kendall tau over the pairs of shuffled orders.
  double agreement_of_orders(const RequestRecord& record) const {
    std::vector<const Ranking*> rankings;
    if (evaluation_.shuffle_seed) rankings.push_back(&record.measurements[0].ranking);
    for (const Ranking& ranking : record.reordered)
      rankings.push_back(&ranking);
    std::vector<double> pairs;
    for (std::size_t a = 0; a < rankings.size(); ++a) {
      for (std::size_t b = a + 1; b < rankings.size(); ++b)
        pairs.push_back(kendall_tau(*rankings[a], *rankings[b]));
    }
    return mean(pairs);
  }

  template <class Figure>
  std::vector<double> over_requests(std::size_t s, Figure figure) const {
    std::vector<double> sample;
    sample.reserve(evaluation_.records.size());
    for (const RequestRecord& record : evaluation_.records)
      sample.push_back(figure(record.measurements[s]));
    return sample;
  }

  double time_percentile(std::size_t s, double Outcome::Timing::*time, double share) const {
    return percentile(over_requests(s, [&](const Measurement& m) { return m.timing.*time; }),
                      share);
  }

  double mean_agreement(std::size_t s, double (*agreement)(const Ranking&, const Ranking&)) const {
    std::vector<double> sample;
    sample.reserve(evaluation_.records.size());
    for (const RequestRecord& record : evaluation_.records) {
      sample.push_back(agreement(record.measurements[s].ranking, record.measurements[0].ranking));
    }
    return mean(sample);
  }

  template <class Order>
  std::optional<RelevanceFigures> relevance(Order order) const {
    std::vector<RelevanceFigures> sample;
    for (const RequestRecord& record : evaluation_.records) {
      if (record.labels) sample.push_back(relevance_of(order(record), *record.labels));
    }
    return mean_of(sample);
  }

  std::vector<double> disagreement_by_position(std::size_t s) const {
    std::vector<double> differing;
    std::vector<double> present;
    for (const RequestRecord& record : evaluation_.records) {
      const auto ranking = record.measurements[s].ranking.items();
      const auto target = record.measurements[0].ranking.items();
      if (ranking.size() > present.size()) {
        differing.resize(ranking.size());
        present.resize(ranking.size());
      }
      for (std::size_t j = 0; j < ranking.size(); ++j) {
        present[j] += 1;
        if (ranking[j] != target[j]) differing[j] += 1;
      }
    }
    for (std::size_t j = 0; j < present.size(); ++j)
      differing[j] /= present[j];
    return differing;
  }

  ExactFigures exact_figures(std::size_t s) const {
    std::vector<double> margins;
    for (const RequestRecord& record : evaluation_.records) {
      const auto& difference = record.measurements[s].difference;
      if (difference) margins.push_back(difference->margin);
    }
    ExactFigures figures{.differs_from_ar = static_cast<double>(margins.size()) /
                                            static_cast<double>(evaluation_.records.size())};
    if (margins.empty()) return figures;
    figures.margin_median = percentile(margins, 0.5);
    figures.margin_max = std::ranges::max(margins);
    return figures;
  }

  const Evaluation& evaluation_;
};

std::vector<std::string> warnings_about(const TargetFigures& target, bool shuffled) {
  std::vector<std::string> warnings;
  if (target.letter_bias && std::abs(*target.letter_bias) > kSuspectLetterBias) {
    const std::string reason =
        shuffled ? "they were shuffled, so the LLM spells out the identifiers and hardly ranks."
                 : "the LLM spells out the identifiers, or the input order was good already; "
                   "shuffle the candidates to find out.";
    warnings.push_back(std::string("The target ranking ") +
                       (*target.letter_bias > 0 ? "follows" : "reverses") +
                       " the order in which the candidates were presented (letter "
                       "bias " +
                       fixed_decimals(*target.letter_bias, 2) + "): " + reason);
  }
  if (target.order_consistency && *target.order_consistency < kSuspectOrderConsistency) {
    warnings.push_back(
        "The target ranking changes when the same candidates are presented in another order (order "
        "consistency " +
        fixed_decimals(*target.order_consistency, 2) +
        "): it depends on places and identifiers more than on the texts.");
  }
  if (target.target && target.target->ndcg_at_10 <= target.random->ndcg_at_10) {
    warnings.push_back("The target ranking is no better than a random order (nDCG@10 " +
                       fixed_decimals(target.target->ndcg_at_10, 3) + " against " +
                       fixed_decimals(target.random->ndcg_at_10, 3) +
                       "): agreement with it is not worth much.");
  } else if (target.target && target.target->ndcg_at_10 < target.input->ndcg_at_10) {
    warnings.push_back("The target ranking is worse than the order of the file (nDCG@10 " +
                       fixed_decimals(target.target->ndcg_at_10, 3) + " against " +
                       fixed_decimals(target.input->ndcg_at_10, 3) +
                       "): this LLM does not improve on the first stage.");
  }
  return warnings;
}

}  // namespace

DatasetResults aggregate(const Evaluation& evaluation) {
  RSD_CHECK(!evaluation.records.empty(), "an evaluation without records");
  RSD_CHECK(!evaluation.settings.empty() && evaluation.settings.front().decoder == DecoderKind::kAr,
            "an evaluation without its target");
  DatasetResults results{.name = evaluation.dataset,
                         .requests = evaluation.records.size(),
                         .failed = evaluation.failed};
  for (const RequestRecord& record : evaluation.records)
    results.truncated_candidates += record.truncated_candidates;
  const Aggregation aggregation(evaluation);
  for (std::size_t s = evaluation.ar_is_listed ? 0 : 1; s < evaluation.settings.size(); ++s)
    results.rows.push_back(aggregation.row(s));
  results.target = aggregation.target();
  results.reliability = reliability_of(evaluation.records, evaluation.relevant_from);
  results.warnings = warnings_about(results.target, evaluation.shuffle_seed.has_value());
  return results;
}

}  // namespace rsd
