#include "llm/llama_scorer.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {
namespace {

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// A batch of one sequence.
class Batch {
 public:
  explicit Batch(std::size_t capacity)
      : batch_(llama_batch_init(static_cast<int32_t>(capacity), 0, 1)) {}
  ~Batch() { llama_batch_free(batch_); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  void add(TokenId token, std::size_t position, bool output) {
    const int32_t at = batch_.n_tokens++;
    batch_.token[at] = token.value();
    batch_.pos[at] = static_cast<llama_pos>(position);
    batch_.n_seq_id[at] = 1;
    batch_.seq_id[at][0] = 0;
    batch_.logits[at] = output ? 1 : 0;
  }
  const llama_batch& get() const { return batch_; }

 private:
  llama_batch batch_;
};

Result<void> to_result(int32_t status) {
  if (status == 0) return {};
  if (status == 2) return Error(ErrorCode::kDeadlineExceeded, "the encoding was given up in time");
  if (status == 1)
    return Error(ErrorCode::kRuntime, "the LLM's cache has no room for the encoding");
  return Error(ErrorCode::kRuntime,
               "the LLM failed to encode (llama_decode: " + std::to_string(status) + ")");
}

}  // namespace

Result<void> LlamaEngine::State::decode(
    const Pass& pass, const std::function<void(std::size_t, const float*)>& on_row) {
  give_up_at = pass.give_up_at;
  const std::size_t n_tokens = pass.tokens.size();
  for (std::size_t begin = 0; begin < n_tokens;) {
    // Tokens without output may come in any number, those with output in limited batches.
    const std::size_t silent = begin < pass.first_output ? pass.first_output - begin : 0;
    const std::size_t end = std::min({n_tokens, begin + silent + kMaxOutputs,
                                      begin + std::size_t{llama_n_batch(context.get())}});
    Batch batch(end - begin);
    for (std::size_t t = begin; t < end; ++t) {
      batch.add(pass.tokens[t], pass.first_position + t, t >= pass.first_output);
    }
    if (auto done = to_result(llama_decode(context.get(), batch.get())); !done) return done;
    for (std::size_t t = std::max(begin, pass.first_output); t < end; ++t) {
      const float* logits = llama_get_logits_ith(context.get(), static_cast<int32_t>(t - begin));
      if (!logits) return Error(ErrorCode::kRuntime, "the LLM gave no logits");
      on_row(t, logits);
    }
    begin = end;
  }
  return {};
}

LlamaEngine::Scorer::Scorer(State& state, Prompt prompt)
    : state_(state), prompt_(std::move(prompt)), serial_(++state.open_scorers) {}

void LlamaEngine::Scorer::check_owner() const {
  RSD_CHECK(serial_ == state_.open_scorers, "a scorer whose engine has opened another");
}

void LlamaEngine::Scorer::read_row(const float* logits, std::span<float> row) const {
  for (std::size_t i = 0; i < row.size(); ++i)
    row[i] = logits[prompt_.identifiers[i].value()];
}

Result<Prefill> LlamaEngine::Scorer::prefill(std::optional<Clock::time_point> give_up_at) {
  check_owner();
  if (prefill_ && prompt_cached_) return *prefill_;
  const auto start = Clock::now();
  if (auto done = encode_prompt(give_up_at); !done) return done.error();
  if (!prefill_) prefill_ = Prefill{.n_tokens = prompt_.tokens.size(), .ms = ms_since(start)};
  return *prefill_;
}

Result<void> LlamaEngine::Scorer::encode_prompt(std::optional<Clock::time_point> give_up_at) {
  prompt_cached_ = false;
  cached_.clear();
  llama_memory_clear(llama_get_memory(state_.context.get()), /*data=*/false);
  std::vector<float> row(n_items());  // an encoding that breaks off leaves the last row as it was
  auto done = state_.decode({.tokens = prompt_.tokens,
                             .first_output = prompt_.tokens.size() - 1,
                             .give_up_at = give_up_at},
                            [&](std::size_t, const float* logits) { read_row(logits, row); });
  prompt_cached_ = done.ok();
  if (prompt_cached_) first_row_ = std::move(row);
  return done;
}

// False, and the cache is as it was, when the model's cache can't drop its end.
bool LlamaEngine::Scorer::drop_behind(std::size_t n_items) {
  const auto end = static_cast<llama_pos>(prompt_.tokens.size() + n_items);
  if (!llama_memory_seq_rm(llama_get_memory(state_.context.get()), 0, end, -1)) return false;
  cached_.resize(n_items);
  return true;
}

void LlamaEngine::Scorer::forget_proposals() {
  check_owner();
  if (!prompt_cached_ || cached_.empty() || drop_behind(0)) return;
  // The cache can't drop its end: the prompt is encoded anew here, where nobody is billed for it.
  if (!encode_prompt(std::nullopt)) prompt_cached_ = false;
}

// Leaves the prompt and the first n_kept items of the proposal in the cache. Caches that can't drop
// their end (recurrent models) are filled anew, which `n_tokens` counts.
Result<void> LlamaEngine::Scorer::rewind_to(std::size_t n_kept, const EncodingQuery& query,
                                            std::size_t& n_tokens) {
  if (prompt_cached_ && (n_kept == cached_.size() || drop_behind(n_kept))) return {};
  if (auto done = encode_prompt(query.give_up_at); !done) return done;
  n_tokens += prompt_.tokens.size();
  std::vector<TokenId> kept;
  for (const ItemId item : query.proposal.first(n_kept)) {
    kept.emplace_back(prompt_.identifiers[item.slot()].value());
  }
  cached_.assign(query.proposal.begin(),
                 query.proposal.begin() + static_cast<std::ptrdiff_t>(n_kept));
  n_tokens += kept.size();
  return state_.decode({.tokens = kept,
                        .first_position = prompt_.tokens.size(),
                        .first_output = kept.size(),
                        .give_up_at = query.give_up_at},
                       {});
}

Result<Encoding> LlamaEngine::Scorer::encode(const EncodingQuery& query) {
  check_owner();
  RSD_CHECK(prefill_.has_value(), "encode before prefill");
  RSD_CHECK(query.rows.size() > 0 && query.rows.end <= query.proposal.size() + 1 &&
                query.rows.end <= n_items(),
            "rows of an encoding");
  const auto start = Clock::now();
  Encoding encoding{.rows = LogitMatrix(query.rows.size(), n_items())};
  // Row j comes out at item j-1. Items before the first wanted row are encoded only where the cache
  // lacks them.
  const std::size_t n_needed = query.rows.end - 1;
  const std::size_t first_item = std::max<std::size_t>(query.rows.first, 1) - 1;
  const auto same = std::ranges::mismatch(cached_, query.proposal).in1 - cached_.begin();
  const std::size_t n_kept = std::min({static_cast<std::size_t>(same), first_item, n_needed});
  if (n_needed > n_kept) {
    if (auto done = rewind_to(n_kept, query, encoding.n_tokens); !done) {
      prompt_cached_ = false;
      return done.error();
    }
    std::vector<TokenId> tokens;
    for (std::size_t t = n_kept; t < n_needed; ++t) {
      tokens.emplace_back(prompt_.identifiers[query.proposal[t].slot()].value());
    }
    const auto done =
        state_.decode({.tokens = tokens,
                       .first_position = prompt_.tokens.size() + n_kept,
                       .first_output = first_item - n_kept,
                       .give_up_at = query.give_up_at},
                      [&](std::size_t t, const float* logits) {
                        read_row(logits, encoding.rows.row(n_kept + t + 1 - query.rows.first));
                      });
    if (!done) {
      // Part of the batch may be in the cache: what lies behind the kept items is dropped.
      prompt_cached_ = drop_behind(n_kept);
      return done.error();
    }
    cached_.assign(query.proposal.begin(),
                   query.proposal.begin() + static_cast<std::ptrdiff_t>(n_needed));
    encoding.n_tokens += tokens.size();
  }
  if (query.rows.first == 0) std::ranges::copy(first_row_, encoding.rows.row(0).begin());
  encoding.ms = ms_since(start);
  return encoding;
}

}  // namespace rsd
