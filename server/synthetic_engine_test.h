// An engine on made-up logits, for the server's tests: a pass can be held until the test lets go.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rsd/decode/policies.h"
#include "rsd/ranker/ranker.h"
#include "support/prompts.h"
#include "support/synthetic_scorer.h"

namespace rsd::server {

// Passes are held in front of it while it is shut; a pass with a deadline gives up there.
class Gate {
 public:
  void shut() {
    const std::lock_guard lock(mutex_);
    shut_ = true;
  }
  void open() {
    const std::lock_guard lock(mutex_);
    shut_ = false;
    changed_.notify_all();
  }
  // Lets the pass that is held go, and holds the next.
  void pass_one() {
    const std::lock_guard lock(mutex_);
    n_let_go_ = n_passes_;
    changed_.notify_all();
  }
  // Until so many passes have come to it.
  void wait_for_passes(std::size_t n_passes) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return n_passes_ >= n_passes; });
  }
  std::size_t n_passes() {
    const std::lock_guard lock(mutex_);
    return n_passes_;
  }
  // False: `until` came first.
  bool pass(std::optional<Clock::time_point> until) {
    std::unique_lock lock(mutex_);
    const std::size_t number = ++n_passes_;
    changed_.notify_all();
    const auto is_open = [&] { return !shut_ || number <= n_let_go_; };
    if (until) return changed_.wait_until(lock, *until, is_open);
    changed_.wait(lock, is_open);
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool shut_ = false;
  std::size_t n_passes_ = 0;
  std::size_t n_let_go_ = 0;
};

class SyntheticEngine final : public LlmEngine {
 public:
  static constexpr std::size_t kMaxCandidates = 40;
  static constexpr std::size_t kContext = 4000;

  explicit SyntheticEngine(Gate& gate) : gate_(gate) {
    tokenizer_->n_calls = 0;  // the search for identifiers is no request's
  }

  // The logits depend on the query and the number of candidates only.
  static SyntheticOptions options(const std::string& query, std::size_t n_items) {
    return {.seed = std::hash<std::string>()(query) % 1'000'000, .n_items = n_items};
  }

  std::string model_name() const override { return "synthetic"; }
  std::size_t context_size() const noexcept override { return kContext; }
  std::shared_ptr<const Tokenizer> tokenizer() const noexcept override { return tokenizer_; }
  PromptReuse prompt_reuse() const noexcept override { return {.n_prompts = 7}; }
  std::size_t max_items() const noexcept override { return kMaxCandidates; }
  std::size_t n_tokenised() const { return tokenizer_->n_calls; }
  PromptBuilder prompts() const { return prompts_; }

  bool has_room(const Prompt& /*prompt*/) const noexcept override { return true; }
  Result<std::unique_ptr<PositionScorer>> open(Prompt prompt) override {
    {
      const std::lock_guard lock(scopes_mutex_);
      scopes_.push_back(prompt.cache_scope);
    }
    SyntheticOptions made_up =
        options(query_in(tokenizer_->text_of(prompt.tokens)), prompt.identifiers.size());
    made_up.failing_encoding = failing_encoding;
    return std::unique_ptr<PositionScorer>(std::make_unique<SyntheticScorer>(made_up));
  }
  // The scopes of the prompts so far, in the order of opening.
  std::vector<std::string> scopes() const {
    const std::lock_guard lock(scopes_mutex_);
    return scopes_;
  }
  void reserve_places(std::size_t /*n_places*/) override {}

  Result<std::vector<PartResult>> encode_parts(
      std::span<const PassPart> parts, std::optional<Clock::time_point> give_up_at) override {
    if (!gate_.pass(give_up_at)) return Error(ErrorCode::kDeadlineExceeded, "given up");
    if (has_no_memory.exchange(false)) throw std::bad_alloc();
    auto results = encode_one_by_one(parts);
    if (!results) return results;
    for (PartResult& result : *results)
      std::visit([](auto& part) { part.ms = 0; }, result);
    return results;
  }

  std::optional<std::size_t> failing_encoding;
  std::atomic<bool> has_no_memory{false};  // once

 private:
  Gate& gate_;
  mutable std::mutex scopes_mutex_;
  std::vector<std::string> scopes_;
  std::shared_ptr<CountingTokenizer> tokenizer_ = std::make_shared<CountingTokenizer>();
  PromptBuilder prompts_{tokenizer_, PromptTemplates(), kMaxCandidates};
};

// A ranker on it. The engine is the ranker's.
inline std::unique_ptr<Ranker> synthetic_ranker(std::unique_ptr<SyntheticEngine> engine,
                                                std::size_t parallel) {
  PromptBuilder prompts = engine->prompts();
  return std::make_unique<Ranker>(
      Ranker::Parts{.llm = std::move(engine), .prompts = std::move(prompts), .parallel = parallel});
}

}  // namespace rsd::server
