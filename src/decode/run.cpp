#include "rsd/decode/run.h"

#include <type_traits>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {
namespace {

double ms_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

// One run's accounts and its deadline.
class Runner {
 public:
  Runner(Decoding& decoding, PositionScorer& scorer, const RunOptions& options)
      : decoding_(decoding), scorer_(scorer), options_(options) {}

  Result<Outcome> run() {
    const auto start = options_.now();
    if (auto rounds = encode_rounds(); !rounds) {
      if (rounds.error().code() != ErrorCode::kDeadlineExceeded) return rounds.error();
      outcome_.deadline_hit = true;
    }
    auto ranking = by_agent([&] { return decoding_.ranking(); });
    if (!ranking) return ranking.error();
    outcome_.ranking = std::move(*ranking);
    outcome_.encodings = decoding_.history().rounds().size();
    outcome_.verified_prefix = decoding_.history().known().size();
    // A prefill that an earlier decoding of this request has paid for is billed all the same.
    outcome_.timing.total_ms =
        ms_between(start, options_.now()) - prefill_wall_ms_ + outcome_.timing.prefill_ms;
    return std::move(outcome_);
  }

 private:
  // The policy does its work inside `work`.
  template <class Work>
  std::invoke_result_t<Work> by_agent(Work work) {
    const auto start = options_.now();
    auto result = work();
    outcome_.timing.agent_ms += ms_between(start, options_.now());
    return result;
  }

  Result<void> encode_rounds() {
    if (auto started = encode_first(); !started) return started;
    while (true) {
      auto step = by_agent([&] { return decoding_.next(); });
      if (!step) return step.error();
      if (!step->has_value()) return {};
      if (auto done = encode_in_time(**step); !done) return done;
    }
  }

  // The prompt, and the draft behind it where there is one.
  Result<void> encode_first() {
    auto step = by_agent([&] { return decoding_.next(); });
    if (!step) return step.error();
    if (!step->has_value()) return {};
    if (auto prefilled = prefill_in_time(); !prefilled) return prefilled;
    auto encoded = encode_in_time(**step);
    if (encoded || encoded.error().code() != ErrorCode::kDeadlineExceeded) return encoded;
    // The draft had no time. The prompt's own row is there all the same, and costs nothing more.
    if (auto saved = encode({.proposal = {}, .rows = {0, 1}}); !saved) return saved;
    return encoded;
  }

  // Is the deadline further away than what comes next is expected to take?
  bool expect_in_time(std::optional<double> expected_ms) const {
    return !options_.deadline ||
           ms_between(options_.now(), *options_.deadline) > expected_ms.value_or(0);
  }

  static Error no_time() {
    return {ErrorCode::kDeadlineExceeded, "no time is left for another encoding"};
  }

  Result<void> prefill_in_time() {
    CostModel* const costs = options_.costs;
    const std::size_t n_tokens = scorer_.n_prompt_tokens();
    const auto expected_ms = costs ? costs->prefill_ms(n_tokens) : std::nullopt;
    if (!expect_in_time(expected_ms)) {
      if (costs) costs->doubt_prefill();
      return no_time();
    }
    const auto start = options_.now();
    auto prefill = scorer_.prefill(options_.deadline);
    prefill_wall_ms_ = ms_between(start, options_.now());
    if (!prefill) {
      // What was given up has cost its time, and would have cost more.
      outcome_.timing.prefill_ms = prefill_wall_ms_;
      if (costs && prefill_wall_ms_ > expected_ms.value_or(0)) {
        costs->observe_prefill(n_tokens, prefill_wall_ms_);
      }
      return prefill.error();
    }
    outcome_.timing.prefill_ms = prefill->ms;
    outcome_.tokens_encoded += prefill->n_tokens;
    if (costs) costs->observe_prefill(prefill->n_tokens, prefill->ms);
    return {};
  }

  Result<void> encode_in_time(const Decoding::Step& step) {
    // Row 0 came with the prompt; every other row needs a token.
    const std::size_t n_tokens = step.rows.size() - (step.rows.first == 0 ? 1 : 0);
    if (n_tokens == 0) return encode(step);
    CostModel* const costs = options_.costs;
    const auto expected_ms = costs ? costs->encoding_ms(n_tokens) : std::nullopt;
    if (!expect_in_time(expected_ms)) {
      if (costs) costs->doubt_encoding();
      return no_time();
    }
    const auto start = options_.now();
    auto encoded = encode(step);
    const double wall_ms = ms_between(start, options_.now());
    if (!encoded && encoded.error().code() == ErrorCode::kDeadlineExceeded) {
      outcome_.timing.decode_ms += wall_ms;
      if (costs && wall_ms > expected_ms.value_or(0)) costs->observe_encoding(n_tokens, wall_ms);
    }
    return encoded;
  }

  Result<void> encode(const Decoding::Step& step) {
    auto encoding = scorer_.encode(
        {.proposal = step.proposal, .rows = step.rows, .give_up_at = options_.deadline});
    if (!encoding) return encoding.error();
    outcome_.timing.decode_ms += encoding->ms;
    outcome_.tokens_encoded += encoding->n_tokens;
    if (options_.costs && encoding->n_tokens > 0) {
      options_.costs->observe_encoding(encoding->n_tokens, encoding->ms);
    }
    return decoding_.absorb(step, encoding->rows);
  }

  Decoding& decoding_;
  PositionScorer& scorer_;
  const RunOptions& options_;
  Outcome outcome_;
  double prefill_wall_ms_ = 0;
};

}  // namespace

Result<Outcome> run(Decoding& decoding, PositionScorer& scorer, const RunOptions& options) {
  RSD_CHECK(decoding.history().n_items() == scorer.n_items(), "decoding and scorer disagree on K");
  return Runner(decoding, scorer, options).run();
}

}  // namespace rsd
