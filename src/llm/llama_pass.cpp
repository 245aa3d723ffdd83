// The LLM's passes and the room in its cache.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <utility>

#include "llm/llama_scorer.h"
#include "llm/llama_state.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

class Batch {
 public:
  explicit Batch(std::size_t capacity)
      : batch_(llama_batch_init(static_cast<int32_t>(capacity), 0, 1)) {}
  ~Batch() { llama_batch_free(batch_); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  std::size_t size() const { return static_cast<std::size_t>(batch_.n_tokens); }
  void add(const Pass& pass, std::size_t token, bool output) {
    const int32_t at = batch_.n_tokens++;
    batch_.token[at] = pass.tokens[token].value();
    batch_.pos[at] = static_cast<llama_pos>(pass.first_position + token);
    batch_.n_seq_id[at] = 1;
    batch_.seq_id[at][0] = static_cast<llama_seq_id>(pass.sequence);
    batch_.logits[at] = output ? 1 : 0;
  }
  const llama_batch& get() const { return batch_; }

 private:
  llama_batch batch_;
};

// Where a row of logits comes from.
struct Output {
  int32_t at = 0;  // in the batch
  std::size_t pass = 0;
  std::size_t token = 0;
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

Result<void> LlamaEngine::State::decode(std::span<const Pass> passes,
                                        std::optional<Clock::time_point> until,
                                        const OnOutput& on_output) {
  give_up_at = until;
  std::size_t n_left = 0;
  for (const Pass& pass : passes)
    n_left += pass.tokens.size();
  std::size_t p = 0;
  std::size_t t = 0;
  while (n_left > 0) {
    // Tokens without output may come in any number, those with output in limited batches.
    const std::size_t capacity = std::min(n_left, std::size_t{llama_n_batch(context.get())});
    Batch batch(capacity);
    std::vector<Output> outputs;
    for (; p < passes.size() && batch.size() < capacity; ++p, t = 0) {
      const Pass& pass = passes[p];
      for (; t < pass.tokens.size() && batch.size() < capacity; ++t) {
        const bool output = t >= pass.first_output;
        if (output && outputs.size() == kMaxOutputs) break;
        if (output) outputs.push_back({static_cast<int32_t>(batch.size()), p, t});
        batch.add(pass, t, output);
      }
      if (t < pass.tokens.size()) break;
    }
    tap.begin_pass();
    if (auto done = run_batch(context.get(), batch.get()); !done) return done;
    for (std::size_t n = 0; n < outputs.size(); ++n) {
      const auto values = output(n, outputs[n].at);
      if (!values) return values.error();
      on_output(outputs[n].pass, outputs[n].token, *values);
    }
    n_left -= batch.size();
  }
  return {};
}

Result<void> LlamaEngine::State::run_batch(llama_context* in, const llama_batch& batch) {
  const auto start = Clock::now();
  auto done = to_result(llama_decode(in, batch));
  passes_ms += ms_between(start, Clock::now());
  return done;
}

// The last pass's n-th output.
Result<std::span<const float>> LlamaEngine::State::output(std::size_t number,
                                                          int32_t at_in_batch) const {
  if (!tap.stops()) {
    const float* logits = llama_get_logits_ith(context.get(), at_in_batch);
    if (!logits) return Error(ErrorCode::kRuntime, "the LLM gave no logits");
    return std::span(logits, info.n_vocabulary);
  }
  const std::size_t n_embd = head->n_embd();
  if (tap.states().size() < (number + 1) * n_embd) {
    return Error(ErrorCode::kRuntime, "the LLM gave no hidden state");
  }
  return tap.states().subspan(number * n_embd, n_embd);
}

namespace {

// A copy of what the cache holds of a sequence.
struct SavedSequence {
  llama_seq_id id = 0;
  std::vector<std::uint8_t> data;
};

std::vector<SavedSequence> save(llama_context* context, const SequencePool& sequences) {
  std::vector<SavedSequence> saved;
  for (std::size_t sequence = 0; sequence < sequences.size(); ++sequence) {
    const auto id = static_cast<llama_seq_id>(sequence);
    if (!sequences.is_taken(sequence)) continue;
    std::vector<std::uint8_t> data(llama_state_seq_get_size(context, id));
    data.resize(llama_state_seq_get_data(context, data.data(), data.size(), id));
    saved.push_back({.id = id, .data = std::move(data)});
  }
  return saved;
}

}  // namespace

Result<void> LlamaEngine::State::grow_context(std::size_t n_more) {
  // Where one scorer is open at a time, what is resident is the beginning of its prompt.
  const std::size_t n_resident = resident && takes_several() ? resident->tokens.size() : 0;
  const std::size_t n_cells = claimed_cells() + n_more + n_resident;
  const std::size_t n_now = llama_n_ctx(context.get());
  if (n_cells <= n_now) return {};
  // Copies would not share the prompts' cells, and those of sliding windows would lack some.
  for (Scorer* scorer : scorers)
    slides ? scorer->forget_cache() : scorer->forget_other_lanes();
  if (slides) release_resident();
  const auto saved = save(context.get(), sequences);
  context.reset();  // first, since the memory may not do for both
  auto grown = make_context(std::min(max_cells(), std::bit_ceil(n_cells)));
  if (!grown) {
    const auto restored = make_context(n_now);
    RSD_CHECK(restored.ok(), "a context of the size that there was");
  }
  bool all_there = true;
  for (const SavedSequence& sequence : saved) {
    all_there = llama_state_seq_set_data(context.get(), sequence.data.data(), sequence.data.size(),
                                         sequence.id) > 0 &&
                all_there;
  }
  if (all_there) return grown;
  // What lacks is encoded again.
  for (Scorer* scorer : scorers)
    scorer->forget_cache();
  release_resident();
  return grown;
}

std::size_t LlamaEngine::State::claimed_cells() const {
  std::size_t claimed = 0;
  for (const Scorer* scorer : scorers)
    claimed += scorer->claimed_cells();
  return claimed;
}

std::size_t LlamaEngine::State::free_cells() const {
  return max_cells() - std::min(max_cells(), claimed_cells());
}

std::size_t LlamaEngine::State::room_for(std::size_t n_needed) const {
  if (length_of(n_needed) == Length::kShort) return free_cells();
  std::size_t n_kept = places.for_short * kShortRequest;
  for (const Scorer* scorer : scorers)
    if (scorer->length() == Length::kShort) n_kept -= std::min(n_kept, scorer->claimed_cells());
  return free_cells() - std::min(free_cells(), n_kept);
}

void LlamaEngine::State::make_room_for(const Prompt& prompt, std::size_t n_cells) {
  if (!resident) return;
  if (takes_several() && n_cells + resident->tokens.size() <= free_cells()) return;
  const std::size_t n_common = resident->n_common(prompt);
  if (n_common < kMinReusedTokens) return release_resident();
  llama_memory_seq_rm(llama_get_memory(context.get()),
                      static_cast<llama_seq_id>(resident->sequence),
                      static_cast<llama_pos>(n_common), -1);
  resident->tokens.resize(n_common);
  if (n_cells > free_cells()) release_resident();
}

void LlamaEngine::State::release_resident() {
  if (resident) release(resident->sequence);
  resident.reset();
}

void LlamaEngine::State::release(std::size_t sequence) {
  llama_memory_seq_rm(llama_get_memory(context.get()), static_cast<llama_seq_id>(sequence), -1, -1);
  sequences.give_back(sequence);
}

}  // namespace rsd
