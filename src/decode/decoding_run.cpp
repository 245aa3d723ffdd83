#include "rsd/decode/decoding_run.h"

#include <algorithm>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {
namespace {

// Row 0 came with the prompt; every other row needs a token.
std::size_t tokens_of(const RowRange& rows) {
  return rows.size() - (rows.first == 0 ? 1 : 0);
}

}  // namespace

DecodingRun::DecodingRun(Decoding& decoding, PositionScorer& scorer, RunOptions options)
    : decoding_(decoding),
      scorer_(scorer),
      options_(std::move(options)),
      start_(options_.now()),
      part_start_(start_) {
  RSD_CHECK(decoding.history().n_items() == scorer.n_items(), "decoding and scorer disagree on K");
}

// Runs `work` and measures its time as the policy's if `is_asked`.
template <class Work>
auto DecodingRun::by_policy(bool is_asked, Work work) {
  const std::size_t n_rounds = decoding_.history().rounds().size();
  const auto start = options_.now();
  auto result = work();
  const double ms = ms_between(start, options_.now());
  outcome_.timing.agent_ms += ms;
  if (is_asked && options_.costs) {
    options_.costs->observe_policy(decoding_.options().policy->name(), scorer_.n_items(), n_rounds,
                                   ms);
  }
  return result;
}

std::optional<double> DecodingRun::policy_ms(std::size_t n_rounds) const {
  if (!options_.costs) return std::nullopt;
  return options_.costs->policy_ms(decoding_.options().policy->name(), scorer_.n_items(), n_rounds);
}

double DecodingRun::proposal_ms() const {
  if (ended_ || !options_.costs || !uses_policy(decoding_.options().decoder)) return 0;
  const std::size_t n_rounds = decoding_.history().rounds().size();
  // Row 0 of a prefilled prompt is taken in without a pass, and then the policy is called.
  const bool is_step_computed = step_ && prefilled_ && !needs_pass(step_->rows);
  if (!is_step_computed && (step_ || !decoding_.next_asks_policy())) return 0;
  return policy_ms(n_rounds + (is_step_computed ? 1 : 0)).value_or(0);
}

void DecodingRun::refuse(CostModel::Kind kind) {
  if (!outcome_.refused) outcome_.refused = kind;
}

// True if there is time for the policy's proposal and at least one encoding of one position.
bool DecodingRun::has_time_for_proposal() {
  if (!options_.deadline || !decoding_.next_asks_policy()) return true;
  const double left_ms = ms_between(options_.now(), *options_.deadline);
  if (left_ms <= 0 || !options_.costs) return left_ms > 0;
  const CostModel& costs = *options_.costs;
  const double policy = policy_ms(decoding_.history().rounds().size()).value_or(0) *
                        costs.trust(CostModel::Kind::kPolicy);
  const double encoding =
      costs.encoding_ms(1).value_or(0) * costs.trust(CostModel::Kind::kEncoding);
  if (policy + encoding < left_ms) return true;
  refuse(policy > encoding ? CostModel::Kind::kPolicy : CostModel::Kind::kEncoding);
  return false;
}

// A policy that takes a negligible share of the request's time is called even after the deadline.
bool DecodingRun::has_time_for_order() {
  constexpr double kNextToNothing = 0.01;
  if (!options_.deadline || !uses_policy(decoding_.options().decoder)) return true;
  if (!decoding_.ranking_asks_policy()) return true;
  const double left_ms = std::max(0.0, ms_between(options_.now(), *options_.deadline));
  const auto expected_ms = policy_ms(decoding_.history().rounds().size());
  if (!expected_ms) return left_ms > 0;
  const double slack_ms = kNextToNothing * ms_between(start_, *options_.deadline);
  if (*expected_ms * options_.costs->trust(CostModel::Kind::kPolicy) < left_ms + slack_ms)
    return true;
  if (left_ms > 0) refuse(CostModel::Kind::kPolicy);
  return false;
}

Result<std::optional<PassPart>> DecodingRun::next() {
  while (!ended_) {
    if (!step_) {
      if (!has_time_for_proposal()) {
        outcome_.deadline_hit = true;
        break;
      }
      auto step =
          by_policy(decoding_.next_asks_policy(), [&] { return decoding_.next(options_.costs); });
      if (!step) return step.error();
      if (!step->has_value()) break;
      step_ = std::move(*step);
    }
    if (!prefilled_ && scorer_.has_own_prefill()) return next_prefill();
    if (auto filled = prefill_without_pass(); !filled) return filled.error();
    if (needs_pass(step_->rows)) return next_encoding();
    // Row 0 came with the prefill and costs no pass.
    auto known = scorer_.encode({.proposal = step_->proposal, .rows = step_->rows});
    if (!known) return known.error();
    if (auto done = take_in(*known); !done) return done.error();
  }
  ended_ = true;
  return std::optional<PassPart>();
}

Result<void> DecodingRun::prefill_without_pass() {
  if (prefilled_) return {};
  const auto prefill = scorer_.prefill(options_.deadline);
  if (!prefill) return prefill.error();
  prefilled_ = true;
  outcome_.prompt_tokens = prefill->n_tokens;
  return {};
}

bool DecodingRun::encodes_prompt() const noexcept {
  if (scorer_.has_own_prefill()) return !prefilled_;
  return decoding_.history().rounds().empty();
}

// Row 0 came with the prompt's own pass.
bool DecodingRun::needs_pass(const RowRange& rows) const noexcept {
  return tokens_of(rows) > 0 || !scorer_.has_own_prefill();
}

// Takes the current time as the start of the part.
bool DecodingRun::is_before_deadline() {
  part_start_ = options_.now();
  return !options_.deadline || part_start_ < *options_.deadline;
}

// True if the part is expected to end before the deadline. A deadline that is already over counts
// as no refusal, since no estimate was involved.
bool DecodingRun::expect_in_time(CostModel::Kind kind) {
  if (!is_before_deadline()) return false;
  if (!options_.deadline) return true;
  const double left_ms = ms_between(part_start_, *options_.deadline);
  const double trust = options_.costs ? options_.costs->trust(kind) : 1;
  if (left_ms > trust * expected_ms_) return true;
  refuse(kind);
  return false;
}

// The later tokens of a prompt take longer, since they attend to more: its last piece shows how
// much.
double DecodingRun::expected_prefill_ms(std::size_t n_tokens) const {
  const double by_costs = options_.costs ? options_.costs->prefill_ms(n_tokens).value_or(0) : 0;
  return std::max(by_costs, prompt_token_ms_ * static_cast<double>(n_tokens));
}

double DecodingRun::llm_ms() const {
  return outcome_.timing.prefill_ms + outcome_.timing.decode_ms + (begun_ ? begun_->ms : 0);
}

double DecodingRun::prompt_ms() const {
  return prefilled_ || ended_ ? 0 : expected_prefill_ms(scorer_.n_prefill_tokens());
}

RowRange DecodingRun::rows_left() const noexcept {
  return {step_->rows.first + n_rows_begun_, step_->rows.end};
}

EncodingQuery DecodingRun::query_of(const RowRange& rows) const {
  return {.proposal = step_->proposal, .rows = rows, .give_up_at = options_.deadline};
}

PassPart DecodingRun::cut(std::size_t n_tokens) {
  RSD_CHECK(n_tokens > 0 && step_, "a part to be cut");
  if (!scorer_.has_own_prefill()) return {.scorer = &scorer_, .query = query_of(step_->rows)};
  if (!prefilled_) {
    n_tokens_ = std::min(n_tokens, scorer_.n_prefill_tokens());
    expected_ms_ = expected_prefill_ms(n_tokens_);
    return {.scorer = &scorer_, .query = std::nullopt, .max_tokens = n_tokens};
  }
  RowRange rows = rows_left();
  n_tokens_ = std::min(n_tokens, tokens_of(rows));
  rows.end -= tokens_of(rows) - n_tokens_;
  expected_ms_ = options_.costs ? options_.costs->encoding_ms(n_tokens_).value_or(0) : 0;
  return {.scorer = &scorer_, .query = query_of(rows)};
}

Result<std::optional<PassPart>> DecodingRun::next_prefill() {
  n_tokens_ = scorer_.n_prefill_tokens();
  expected_ms_ = expected_prefill_ms(n_tokens_);
  if (expect_in_time(CostModel::Kind::kPrefill))
    return std::optional(PassPart{.scorer = &scorer_, .query = std::nullopt});
  outcome_.deadline_hit = true;
  ended_ = true;
  return std::optional<PassPart>();
}

Result<std::optional<PassPart>> DecodingRun::next_encoding() {
  CostModel* const costs = options_.costs;
  const bool with_prompt = encodes_prompt();
  n_tokens_ = tokens_of(rows_left()) + (with_prompt ? scorer_.n_prefill_tokens() : 0);
  expected_ms_ = 0;
  if (costs) {
    const auto ms = with_prompt ? costs->prefill_ms(n_tokens_) : costs->encoding_ms(n_tokens_);
    expected_ms_ = ms.value_or(0);
  }
  // Without the prompt's encoding the answer is only the input order, so no estimate prevents an
  // encoding that carries the prompt: it can be aborted at any time.
  if (with_prompt ? is_before_deadline() : expect_in_time(CostModel::Kind::kEncoding)) {
    return std::optional(PassPart{.scorer = &scorer_, .query = query_of(rows_left())});
  }
  if (auto ended = end_without_time(); !ended) return ended.error();
  return std::optional<PassPart>();
}

// If only the draft had no time, row 0 is available from the prefill at no further cost.
Result<void> DecodingRun::end_without_time() {
  outcome_.deadline_hit = true;
  ended_ = true;
  if (begun_) return take_in_pieces();
  if (!decoding_.history().rounds().empty() || !scorer_.has_own_prefill()) return {};
  step_ = Decoding::Step{.proposal = {}, .rows = {0, 1}};
  auto first = scorer_.encode({.proposal = {}, .rows = step_->rows});
  if (!first) return first.error();
  return take_in(*first);
}

Result<void> DecodingRun::absorb(const PartResult& result) {
  if (const auto* encoding = std::get_if<Encoding>(&result)) {
    const auto whole = joined(*encoding);
    return whole ? take_in(*whole) : Result<void>();
  }
  const auto& piece = std::get<Prefill>(result);
  outcome_.timing.prefill_ms += piece.ms;
  outcome_.tokens_encoded += piece.n_tokens;
  unbilled_ms_ += std::max(0.0, piece.ms - ms_between(part_start_, options_.now()));
  begun_prompt_.n_tokens += piece.n_tokens;
  begun_prompt_.n_reused += piece.n_reused;
  if (piece.candidates_reused) begun_prompt_.candidates_reused = piece.candidates_reused;
  if (!piece.relevance.empty()) outcome_.relevance = piece.relevance;
  if (piece.n_left > 0 && piece.n_tokens > 0)
    prompt_token_ms_ = piece.ms / static_cast<double>(piece.n_tokens);
  prefilled_ = piece.n_left == 0;
  if (!prefilled_) return {};
  outcome_.prompt_tokens = begun_prompt_.n_tokens + begun_prompt_.n_reused;
  outcome_.tokens_reused = begun_prompt_.n_reused;
  outcome_.candidates_reused = begun_prompt_.candidates_reused;
  return {};
}

// All rows of the step, once the last piece is there.
std::optional<Encoding> DecodingRun::joined(const Encoding& piece) {
  const std::size_t n_rows = step_->rows.size();
  if (!begun_ && piece.rows.n_rows() == n_rows) return piece;
  if (!begun_) begun_ = Encoding{.rows = LogitMatrix(n_rows, scorer_.n_items())};
  for (std::size_t j = 0; j < piece.rows.n_rows(); ++j)
    std::ranges::copy(piece.rows.row(j), begun_->rows.row(n_rows_begun_ + j).begin());
  begun_->n_tokens += piece.n_tokens;
  begun_->ms += piece.ms;
  n_rows_begun_ += piece.rows.n_rows();
  if (n_rows_begun_ < n_rows) return std::nullopt;
  n_rows_begun_ = 0;
  return std::exchange(begun_, std::nullopt);
}

// There is no time for the other rows of the step.
Result<void> DecodingRun::take_in_pieces() {
  Encoding known = *std::exchange(begun_, std::nullopt);
  LogitMatrix rows(std::exchange(n_rows_begun_, 0), scorer_.n_items());
  for (std::size_t j = 0; j < rows.n_rows(); ++j)
    std::ranges::copy(known.rows.row(j), rows.row(j).begin());
  known.rows = std::move(rows);
  step_->rows.end = step_->rows.first + known.rows.n_rows();
  return take_in(known);
}

Result<void> DecodingRun::take_in(const Encoding& encoding) {
  outcome_.timing.decode_ms += encoding.ms;
  outcome_.tokens_encoded += encoding.n_tokens;
  if (!scorer_.has_own_prefill())  // the scorer may have remembered it, with its original time
    unbilled_ms_ += std::max(0.0, encoding.ms - ms_between(part_start_, options_.now()));
  const bool is_first = outcome_.round_ms.empty();
  outcome_.round_ms.push_back(encoding.ms + (is_first ? outcome_.timing.prefill_ms : 0));
  const Decoding::Step step = *std::exchange(step_, std::nullopt);
  return decoding_.absorb(step, encoding.rows);
}

Result<void> DecodingRun::give_up() {
  const double wall_ms = ms_between(part_start_, options_.now());
  if (prefilled_) {
    outcome_.timing.decode_ms += wall_ms;
    return end_without_time();
  }
  outcome_.timing.prefill_ms += wall_ms;
  outcome_.deadline_hit = true;
  ended_ = true;
  return {};
}

Result<Outcome> DecodingRun::outcome() {
  if (has_time_for_order()) {
    auto ranking = by_policy(decoding_.ranking_asks_policy(), [&] { return decoding_.ranking(); });
    if (!ranking) return ranking.error();
    complete(outcome_, *std::move(ranking));
  } else {
    outcome_.deadline_hit = true;
    complete(outcome_, decoding_.ranking_at_once(step_));
  }
  return std::move(outcome_);
}

Result<Outcome> DecodingRun::so_far() const {
  auto ranking = uses_policy(decoding_.options().decoder)
                     ? Result<Ranking>(decoding_.ranking_at_once(step_))
                     : decoding_.ranking();
  if (!ranking) return ranking.error();
  Outcome outcome = outcome_;
  complete(outcome, *std::move(ranking));
  return outcome;
}

void DecodingRun::complete(Outcome& outcome, Ranking ranking) const {
  outcome.ranking = std::move(ranking);
  outcome.encodings = decoding_.history().rounds().size();
  outcome.verified_prefix = decoding_.history().known().size();
  outcome.timing.total_ms = ms_between(start_, options_.now()) + unbilled_ms_;
}

}  // namespace rsd
