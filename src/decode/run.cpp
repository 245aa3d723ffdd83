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
    while (true) {
      auto step = by_agent([&] { return decoding_.next(); });
      if (!step) return step.error();
      if (!step->has_value()) return {};
      const bool first = decoding_.history().rounds().empty();
      if (auto fits = expect_in_time(**step, first); !fits) return fits;
      if (first) {
        if (auto prefilled = prefill(); !prefilled) return prefilled;
      }
      auto encoded = encode(**step);
      if (!encoded && first && encoded.error().code() == ErrorCode::kDeadlineExceeded) {
        // The draft behind the prompt had no time; the prompt's own row is there all the same.
        if (auto saved = encode({.proposal = {}, .rows = {0, 1}}); !saved) return saved;
      }
      if (!encoded) return encoded;
    }
  }

  // kDeadlineExceeded when the step would, as far as is known, end too late.
  Result<void> expect_in_time(const Decoding::Step& step, bool first) const {
    if (!options_.deadline) return {};
    double expected_ms = 0;
    if (options_.costs) {
      const std::size_t n_tokens = step.rows.size() - (first ? 1 : 0);
      if (n_tokens > 0) expected_ms += options_.costs->encoding_ms(n_tokens).value_or(0);
      if (first) expected_ms += options_.costs->prefill_ms(scorer_.n_prompt_tokens()).value_or(0);
    }
    if (ms_between(options_.now(), *options_.deadline) > expected_ms) return {};
    return Error(ErrorCode::kDeadlineExceeded, "no time is left for another encoding");
  }

  Result<void> prefill() {
    const auto start = options_.now();
    auto prefill = scorer_.prefill(options_.deadline);
    prefill_wall_ms_ = ms_between(start, options_.now());
    if (!prefill) return prefill.error();
    outcome_.timing.prefill_ms = prefill->ms;
    outcome_.tokens_encoded += prefill->n_tokens;
    if (options_.costs) options_.costs->observe_prefill(prefill->n_tokens, prefill->ms);
    return {};
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
