// What an encoding costs on this machine with a real LLM: by the number of positions, and when only
// the end of a proposal changed.
//
//   encoding_benchmark MODEL.gguf [threads] [benchmark flags]
//
// without arguments it takes the default model out of rsd's cache.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "rsd/llm/llama_engine.h"
#include "rsd/prompt/prompt_builder.h"
#include "support/default_model.h"

namespace {

using namespace rsd;

constexpr std::size_t kItems = 100;

// A request of 100 short candidates: a prompt of some 1,000 tokens.
Request request() {
  Request made{.id = "benchmark", .query = "which number is the largest"};
  for (std::size_t i = 0; i < kItems; ++i) {
    made.candidates.push_back(
        {.id = std::to_string(i), .text = "number " + std::to_string(i * 37 % 100)});
  }
  return made;
}

std::vector<ItemId> order(std::size_t rotated_from) {
  std::vector<ItemId> items;
  items.reserve(kItems);
  for (std::size_t i = 0; i < kItems; ++i)
    items.emplace_back(i);
  std::rotate(items.begin() + static_cast<std::ptrdiff_t>(rotated_from),
              items.begin() + static_cast<std::ptrdiff_t>(rotated_from + 1), items.end());
  return items;
}

[[noreturn]] void stop(const std::string& why) {
  std::cerr << "encoding_benchmark: " << why << '\n';
  std::exit(1);
}

std::unique_ptr<PositionScorer> open(LlamaEngine& engine, const PromptBuilder& prompts) {
  auto prompt = prompts.build(request(), engine.info().context_size);
  if (!prompt) stop(prompt.error().message());
  auto scorer = engine.open(*std::move(prompt));
  if (!scorer) stop(scorer.error().message());
  if (auto done = (*scorer)->prefill(std::nullopt); !done) stop(done.error().message());
  return *std::move(scorer);
}

Encoding encode(PositionScorer& scorer, const std::vector<ItemId>& proposal, RowRange rows) {
  auto encoding = scorer.encode({.proposal = proposal, .rows = rows, .give_up_at = {}});
  if (!encoding) stop(encoding.error().message());
  return *std::move(encoding);
}

// The last row must be the same whether all positions were encoded or the changed end only, but for
// rounding, which the batch shape changes.
void verify(PositionScorer& scorer) {
  const auto proposal = order(50);
  scorer.forget_proposals();
  const Encoding whole = encode(scorer, proposal, {1, kItems});
  encode(scorer, order(90), {1, kItems});
  encode(scorer, proposal, {51, kItems});
  const Encoding end = encode(scorer, proposal, {90, kItems});
  float difference = 0;
  for (std::size_t i = 0; i < kItems; ++i) {
    difference = std::max(difference,
                          std::abs(whole.rows.row(kItems - 2)[i] - end.rows.row(kItems - 91)[i]));
  }
  std::cerr << "re-encoded rows differ from whole ones by at most " << difference << '\n';
  if (!(difference < 1.0F)) stop("suffix re-encoding gives other logits");
}

// `positions` tokens after the prompt, a row of logits for each.
void encode_positions(benchmark::State& state, PositionScorer& scorer) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const auto proposal = order(0);
  for (auto _ : state) {
    scorer.forget_proposals();
    const Encoding encoding = encode(scorer, proposal, {1, n + 1});
    if (encoding.n_tokens != n) stop("an encoding of other tokens than were asked for");
    benchmark::DoNotOptimize(encoding);
  }
  state.counters["tokens"] = static_cast<double>(n);
}

// A proposal of 100 that agrees with the last one up to `changed_from`.
void encode_suffix(benchmark::State& state, PositionScorer& scorer) {
  const auto from = static_cast<std::size_t>(state.range(0));
  const auto base = order(kItems - 1);  // the input order
  const auto proposal = order(from);
  std::size_t tokens = 0;
  for (auto _ : state) {
    state.PauseTiming();
    scorer.forget_proposals();
    encode(scorer, base, {1, kItems});
    state.ResumeTiming();
    tokens = encode(scorer, proposal, {from + 1, kItems}).n_tokens;
  }
  state.counters["tokens"] = static_cast<double>(tokens);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const std::string path = argc > 1 ? argv[1] : default_model_path();
  auto engine = LlamaEngine::load(
      {.model_path = path, .threads = argc > 2 ? std::atoi(argv[2]) : 0, .log = {}});
  if (!engine) stop(engine.error().message());
  const PromptBuilder prompts((*engine)->tokenizer(), PromptTemplates());
  const auto scorer = open(**engine, prompts);
  verify(*scorer);

  const auto timed = [](auto* registered) {
    registered->Unit(benchmark::kMillisecond)->UseRealTime();
    return registered;
  };
  timed(benchmark::RegisterBenchmark("encode/positions", encode_positions, std::ref(*scorer)))
      ->ArgsProduct({{1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 32, 48, 64, 99}});
  timed(benchmark::RegisterBenchmark("encode/changed-from", encode_suffix, std::ref(*scorer)))
      ->ArgsProduct({{0, 25, 50, 75, 90, 95}});
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
