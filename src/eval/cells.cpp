#include "eval/cells.h"

#include <cmath>

#include "data/fixed_decimals.h"

namespace rsd {
namespace {

constexpr std::string_view kNone = "–";

std::string or_none(std::string_view text) {
  return std::string(text.empty() ? kNone : text);
}

std::string counted(std::size_t n, const std::string& singular, const std::string& plural) {
  return std::to_string(n) + " " + (n == 1 ? singular : plural);
}

}  // namespace

std::string figure(const std::optional<double>& value, int decimals) {
  if (!value) return std::string(kNone);
  std::string text = fixed_decimals(*value, decimals);
  // Drops the minus sign of a number that is rounded to 0.
  if (text.starts_with('-') && text.find_first_not_of("-0.") == std::string::npos) text.erase(0, 1);
  return text;
}

std::string milliseconds(double ms) {
  return figure(ms, std::abs(ms) < 10 ? 2 : std::abs(ms) < 100 ? 1 : 0);
}

std::vector<std::string> cells(const Row& row) {
  const Setting& setting = row.setting;
  const auto ndcg =
      row.relevance ? std::optional(row.relevance->ndcg_at_10) : std::optional<double>();
  return {std::string(to_string(setting.decoder)),
          or_none(setting.policy),
          or_none(draft_of(setting) ? to_string(*draft_of(setting)) : ""),
          setting.budget ? std::to_string(*setting.budget) : std::string(kNone),
          figure(row.encodings, 2),
          figure(row.tokens_encoded, 1),
          figure(row.kt, 3),
          figure(row.sr, 3),
          figure(row.fd, 3),
          figure(row.kd, 3),
          figure(ndcg, 3),
          figure(row.verified_prefix, 1),
          milliseconds(row.prefill_p50_ms),
          milliseconds(row.decode_p50_ms),
          milliseconds(row.p50_ms),
          milliseconds(row.p95_ms)};
}

std::string coverage(const DatasetResults& dataset) {
  std::string text = counted(dataset.requests, "request", "requests");
  if (!dataset.failed.empty())
    text += ", " + std::to_string(dataset.failed.size()) + " more failed";
  if (dataset.truncated_candidates > 0) {
    text += ", " + counted(dataset.truncated_candidates, "candidate text", "candidate texts") +
            " cut to fit the context";
  }
  return text;
}

std::vector<TargetCells> target_cells(const TargetFigures& target) {
  std::vector<TargetCells> lines;
  const auto add = [&](const char* name, const std::optional<RelevanceFigures>& figures) {
    if (!figures) return;
    lines.push_back({name, figure(figures->ndcg_at_10, 3), figure(figures->mrr, 3),
                     figure(figures->recall_at_1, 3)});
  };
  add("ar: the target ranking", target.target);
  add("std: by the first position alone", target.single_token);
  add("the order of the file", target.input);
  add("a random order", target.random);
  return lines;
}

std::string target_sentence(const TargetFigures& target) {
  std::string text = "Letter bias of the target " + figure(target.letter_bias, 2);
  if (target.order_consistency) {
    text += "; order consistency " + figure(target.order_consistency, 2) + ", over " +
            counted(target.order_shuffles, "shuffled order", "shuffled orders") +
            " of each request";
  }
  return text + ".";
}

}  // namespace rsd
