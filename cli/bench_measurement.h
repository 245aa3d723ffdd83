// What one request costs by each way of ranking it, measured side by side.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/cost_model.h"
#include "rsd/decode/ranking_policy.h"
#include "rsd/llm/llama_engine.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/rank/request.h"

namespace rsd::cli {

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

inline constexpr const char* kRsd = "rsd T=2";
inline constexpr const char* kGeneration = "generation";
inline constexpr const char* kShippedGeneration = "generation, as shipped";

// A local LLM and its prompts.
struct BenchedLlm {
  std::unique_ptr<LlamaEngine> llm;
  PromptBuilder prompts;
};

// What is measured, and with what.
struct BenchSetup {
  BenchedLlm ranking;
  BenchedLlm reusing;                           // the same model, with memory for prompts
  std::optional<BenchedLlm> shipped;            // generates its ranking as a text
  std::shared_ptr<const RankingPolicy> policy;  // of rsd and exact
  CostModel costs;                              // learns what encodings cost
};

// The ways are rotated by `number`, so that none is always the first. Errors as of the engines.
Result<BenchedRequest> bench_request(BenchSetup& setup, const Request& request, std::size_t number);

}  // namespace rsd::cli
