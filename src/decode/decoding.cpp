#include "rsd/decode/decoding.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/names.h"
#include "decode/verification.h"
#include "rsd/core/check.h"
#include "rsd/decode/policies.h"

namespace rsd {
namespace {

constexpr NameTable<DecoderKind, 5> kDecoders{{{{DecoderKind::kAr, "ar"},
                                                {DecoderKind::kStd, "std"},
                                                {DecoderKind::kSd, "sd"},
                                                {DecoderKind::kRsd, "rsd"},
                                                {DecoderKind::kExact, "exact"}}}};
constexpr NameTable<Draft, 2> kDrafts{
    {{{Draft::kFirstToken, "first-token"}, {Draft::kInput, "input"}}}};

}  // namespace

std::string_view to_string(DecoderKind kind) noexcept {
  return kDecoders.name_of(kind);
}
Result<DecoderKind> parse_decoder(std::string_view name) {
  return kDecoders.parse("decoder", name);
}
std::string_view to_string(Draft draft) noexcept {
  return kDrafts.name_of(draft);
}
Result<Draft> parse_draft(std::string_view name) {
  return kDrafts.parse("draft", name);
}

Draft default_draft(DecoderKind decoder, std::optional<std::size_t> budget) noexcept {
  return decoder == DecoderKind::kRsd && budget == 1 ? Draft::kInput : Draft::kFirstToken;
}

Result<Decoding> Decoding::create(std::size_t n_items, DecodingOptions options) {
  if (n_items == 0) return invalid_argument("a request needs at least 1 candidate");
  if (options.budget == 0) return invalid_argument("budget is 0; it must be at least 1");
  if (options.top_n == 0) return invalid_argument("top_n is 0; it must be at least 1");
  if (options.first_proposal && options.first_proposal->size() != n_items) {
    return invalid_argument("the first proposal ranks " +
                            std::to_string(options.first_proposal->size()) +
                            " items; the request has " + std::to_string(n_items));
  }
  if (options.until_placed && options.until_placed->slot() >= n_items) {
    return invalid_argument("until_placed is item " +
                            std::to_string(options.until_placed->value()) + "; the request has " +
                            std::to_string(n_items));
  }
  if (options.decoder == DecoderKind::kRsd && !options.budget) {
    return invalid_argument("decoder rsd needs a budget");
  }
  if (uses_policy(options.decoder) && !options.policy) {
    return invalid_argument("decoder " + std::string(to_string(options.decoder)) +
                            " needs a policy");
  }
  if (options.decoder == DecoderKind::kAr) {
    options.policy = first_disagreement_policy();
  } else if (!uses_policy(options.decoder)) {
    options.policy = first_row_policy();
  }
  return Decoding(n_items, std::move(options));
}

Decoding::Decoding(std::size_t n_items, DecodingOptions options)
    : options_(std::move(options)),
      history_(n_items, options_.n_recent.value_or(options_.policy ? options_.policy->rounds_read()
                                                                   : kRecentRounds)) {}

std::optional<std::size_t> Decoding::budget() const noexcept {
  return takes_budget(options_.decoder) ? options_.budget : std::nullopt;
}

bool Decoding::verifies_whole_list() const noexcept {
  return options_.decoder != DecoderKind::kAr && options_.decoder != DecoderKind::kStd;
}

Draft Decoding::draft() const noexcept {
  if (history_.n_items() == 1) return Draft::kInput;  // it is known
  if (options_.draft) return *options_.draft;
  return options_.first_proposal ? Draft::kInput : default_draft(options_.decoder, budget());
}

bool Decoding::finished() const noexcept {
  const std::size_t encodings = history_.rounds().size();
  if (history_.complete()) return encodings > 0 || !options_.reads_single;
  if (options_.top_n && history_.known().size() >= *options_.top_n) return true;
  if (options_.until_placed && history_.placed()[options_.until_placed->slot()]) return true;
  if (options_.decoder == DecoderKind::kStd) return encodings >= 1;
  return budget() && encodings >= *budget();
}

Result<std::optional<Decoding::Step>> Decoding::next(const CostModel* costs) const {
  if (finished()) return std::optional<Step>();
  const std::size_t encodings = history_.rounds().size();
  Step step;
  if (!verifies_whole_list()) {
    step.proposal.assign(history_.known().begin(), history_.known().end());
  } else if (encodings > 0) {
    auto proposal = propose(budget() ? std::optional(*budget() - encodings) : std::nullopt);
    if (!proposal) return proposal.error();
    step.proposal.assign(proposal->items().begin(), proposal->items().end());
  } else if (draft() == Draft::kInput) {
    const Ranking first = options_.first_proposal.value_or(Ranking::identity(history_.n_items()));
    step.proposal.assign(first.items().begin(), first.items().end());
  }
  const std::size_t n_items = history_.n_items();
  const std::size_t wanted = std::min(options_.top_n.value_or(n_items), n_items);
  step.rows = history_.missing_rows(step.proposal, std::min(step.proposal.size() + 1, wanted));
  if (costs && verifies_whole_list() && !budget() && encodings > 0)
    step.rows.end = verified_rows_end(history_, step.rows, *costs);
  // Theorem 1: every round corrects the first disagreement, so there is always a missing row.
  RSD_CHECK(step.rows.size() > 0, "an encoding without a new row");
  return std::optional(std::move(step));
}

bool Decoding::next_asks_policy() const noexcept {
  return !finished() && verifies_whole_list() && !history_.rounds().empty();
}

bool Decoding::ranking_asks_policy() const noexcept {
  return !history_.rounds().empty() && !history_.complete();
}

Ranking Decoding::ranking_at_once(const std::optional<Step>& pending) const {
  const std::size_t n_items = history_.n_items();
  const auto& rounds = history_.rounds();
  if (rounds.empty()) return Ranking::identity(n_items);
  const bool is_pending = pending && pending->proposal.size() == n_items;
  const auto& proposal = is_pending ? pending->proposal : rounds.back().proposal;
  // The input order carries no information from a policy or an earlier answer.
  const bool is_thought_of = is_pending || rounds.size() > 1 || options_.first_proposal;
  std::vector<double> scores(n_items);
  if (is_thought_of && proposal.size() == n_items) {
    for (std::size_t place = 0; place < n_items; ++place)
      scores[proposal[place].slot()] = -static_cast<double>(place);
  } else {
    std::ranges::copy(rounds.front().logits.row(0), scores.begin());
  }
  return Ranking::with_prefix(history_.known(), scores);
}

Result<void> Decoding::absorb(const Step& step, const LogitMatrix& logits) {
  return history_.add(step.proposal, step.rows, logits);
}

Result<Ranking> Decoding::ranking() const {
  if (history_.rounds().empty()) return Ranking::identity(history_.n_items());
  return propose(0);
}

Result<Ranking> Decoding::propose(std::optional<std::size_t> encodings_left) const {
  if (history_.complete())
    return Ranking::with_prefix(history_.known(), std::vector<double>(history_.n_items()));
  auto scores = options_.policy->score(history_, encodings_left);
  if (!scores) return scores.error();
  const std::string policy(options_.policy->name());
  if (scores->size() != history_.n_items()) {
    return Error(ErrorCode::kRuntime, "policy " + policy + " gave " +
                                          std::to_string(scores->size()) + " scores for " +
                                          std::to_string(history_.n_items()) + " items");
  }
  for (std::size_t i = 0; i < scores->size(); ++i) {
    if (!std::isfinite((*scores)[i])) {
      return Error(ErrorCode::kRuntime, "policy " + policy + " scored item " + std::to_string(i) +
                                            " with " + std::to_string((*scores)[i]) +
                                            ", not a finite number");
    }
  }
  return Ranking::with_prefix(history_.known(), *scores);
}

}  // namespace rsd
