// What one request costs by each way of ranking it, measured side by side, and the report of it:
// the content of bench.json and table.md of `rsd bench`.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "rsd/core/machine.h"
#include "rsd/core/result.h"
#include "rsd/decode/cost_model.h"
#include "rsd/decode/llm_engine.h"
#include "rsd/decode/ranking_policy.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/rank/request.h"

namespace rsd {

struct WayCost {
  std::string way;  // "rsd T=2"
  std::size_t encodings = 0;
  std::size_t tokens_encoded = 0;
  double prefill_ms = 0;
  double decode_ms = 0;
  double total_ms = 0;
};

struct BenchedRequest {
  std::size_t n_items = 0;
  std::size_t n_prompt_tokens = 0;
  std::vector<WayCost> ways;
  // Of the whole answer by rsd T=2, prompt included: the share that is not the LLM's passes.
  double overhead = 0;
  // The prefill's time over that of a prompt of which four fifths are known.
  double reuse_speedup = 0;

  // nullptr where it was not measured.
  const WayCost* find(const std::string& way) const;
};

// An LLM that is measured, and the prompts for it.
struct BenchedLlm {
  TimedEngine* llm = nullptr;
  const PromptBuilder* prompts = nullptr;
};

// What is measured, and with what. The LLMs and prompts outlive it.
struct BenchSetup {
  BenchedLlm ranking;
  BenchedLlm reusing;                           // the same model, with memory for prompts
  TimedEngine* shipped = nullptr;               // generates its ranking as a text; null: none does
  std::shared_ptr<const RankingPolicy> policy;  // of rsd and exact
  CostModel costs;                              // learns what encodings cost
};

// The ways are rotated by `number`, so that none is always the first. Errors as of the engines.
// Cost: the request's encodings by six decoders, and a generated text or two.
Result<BenchedRequest> bench_request(BenchSetup& setup, const Request& request, std::size_t number);

struct BenchedFile {
  std::string name;
  std::vector<BenchedRequest> requests;  // at least one
};

struct BenchResults {
  std::string model;
  std::string shipped_model;  // empty: none
  std::string policy;
  std::size_t threads = 0;
  std::string command_line;
  Machine machine;
  std::vector<BenchedFile> files;
};

// Medians over the requests; ratios are the medians of each request's own.
std::string bench_json(const BenchResults& results);
std::string bench_markdown(const BenchResults& results);

}  // namespace rsd
