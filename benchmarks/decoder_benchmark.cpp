// Our own cost of decoding a request, without an LLM: a synthetic scorer answers at once, so only
// the decoder's and the policy's work remain. The counter `encodings` counts its calls; its logits
// ignore the prefix, so a real LLM needs more encodings.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "rsd/decode/policies.h"
#include "rsd/decode/run.h"
#include "support/synthetic_scorer.h"

namespace {

using namespace rsd;

// Answers from a precomputed table, so that the synthetic LLM itself costs only a copy: its logits
// depend on item and position only.
class TableScorer final : public PositionScorer {
 public:
  explicit TableScorer(std::size_t n_items) : table_(n_items, n_items) {
    const SyntheticScorer llm({.n_items = n_items, .pair_noise = 0, .position_noise = 1});
    const auto target = llm.target();
    for (std::size_t j = 0; j < n_items; ++j) {
      for (std::size_t i = 0; i < n_items; ++i) {
        table_.row(j)[i] = llm.logit(std::span(target).first(j), ItemId(i));
      }
    }
  }

  std::size_t n_items() const noexcept override { return table_.n_items(); }
  std::size_t n_prefill_tokens() const override { return 1; }
  Result<Prefill> prefill(std::optional<Clock::time_point>) override { return Prefill{}; }
  void forget_proposals() override {}
  Result<Encoding> encode(const EncodingQuery& query) override {
    Encoding encoding{.rows = LogitMatrix(query.rows.size(), n_items())};
    for (std::size_t j = query.rows.first; j < query.rows.end; ++j) {
      std::ranges::copy(table_.row(j), encoding.rows.row(j - query.rows.first).begin());
    }
    return encoding;
  }

 private:
  LogitMatrix table_;
};

Outcome decode(PositionScorer& scorer, const DecodingOptions& options) {
  auto decoding = *Decoding::create(scorer.n_items(), options);
  return *run(decoding, scorer);
}

void verify(std::size_t n_items, const DecodingOptions& options) {
  TableScorer scorer(n_items);
  const Ranking target = decode(scorer, {.decoder = DecoderKind::kAr}).ranking;
  const Outcome outcome = decode(scorer, options);
  bool good = outcome.ranking.size() == n_items;
  for (std::size_t j = 0; j < outcome.verified_prefix; ++j) {
    good = good && outcome.ranking.at(Position(j)) == target.at(Position(j));
  }
  if (good) return;
  std::cerr << "decoder " << to_string(options.decoder) << " is wrong; it is not timed\n";
  std::exit(1);
}

void decode_request(benchmark::State& state, const DecodingOptions& options) {
  const auto n_items = static_cast<std::size_t>(state.range(0));
  verify(n_items, options);
  TableScorer scorer(n_items);
  std::size_t encodings = 0;
  for (auto _ : state) {
    const Outcome outcome = decode(scorer, options);
    encodings = outcome.encodings;
    benchmark::DoNotOptimize(outcome);
  }
  state.counters["encodings"] = static_cast<double>(encodings);
}

benchmark::internal::Benchmark* add(const std::string& name, const DecodingOptions& options) {
  return benchmark::RegisterBenchmark(name.c_str(), decode_request, options)
      ->Arg(20)
      ->Arg(100)
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace

int main(int argc, char** argv) {
  add("ar", {.decoder = DecoderKind::kAr});
  add("std", {.decoder = DecoderKind::kStd});
  add("sd/to-the-end", {.decoder = DecoderKind::kSd});
  for (const auto name : policy_names()) {
    const auto policy = *policy_by_name(name);
    add("exact/" + std::string(name), {.decoder = DecoderKind::kExact, .policy = policy});
    add("rsd/T=3/" + std::string(name),
        {.decoder = DecoderKind::kRsd, .budget = 3, .policy = policy})
        ->Arg(454);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
