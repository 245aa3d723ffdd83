#include "llm/llama_scorer.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {
namespace {

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

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
    if (auto done = to_result(llama_decode(context.get(), batch.get())); !done) return done;
    for (std::size_t n = 0; n < outputs.size(); ++n) {
      const auto values = output(n, outputs[n].at);
      if (!values) return values.error();
      on_output(outputs[n].pass, outputs[n].token, *values);
    }
    n_left -= batch.size();
  }
  return {};
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

LlamaEngine::Scorer::Scorer(State& state, Prompt prompt, std::optional<IdentifierHead> head)
    : state_(state),
      prompt_(std::move(prompt)),
      head_(std::move(head)),
      serial_(++state.open_scorers) {}

void LlamaEngine::Scorer::check_owner() const {
  RSD_CHECK(serial_ == state_.open_scorers, "a scorer whose engine has opened another");
}

void LlamaEngine::Scorer::read_row(std::span<const float> output, std::span<float> row) const {
  if (head_) return head_->logits(output, row);
  for (std::size_t i = 0; i < row.size(); ++i)
    row[i] = output[prompt_.identifiers[i].slot()];
}

Result<Prefill> LlamaEngine::Scorer::prefill(std::optional<Clock::time_point> give_up_at) {
  check_owner();
  if (prefill_ && prompt_cached_) return *prefill_;
  const auto start = Clock::now();
  const auto n_tokens = encode_prompt(give_up_at);
  if (!n_tokens) return n_tokens.error();
  if (!prefill_) prefill_ = Prefill{.n_tokens = *n_tokens, .ms = ms_since(start)};
  return *prefill_;
}

// The number of tokens that went through the LLM for it: none for a prompt that was kept.
Result<std::size_t> LlamaEngine::Scorer::encode_prompt(
    std::optional<Clock::time_point> give_up_at) {
  prompt_cached_ = false;
  lanes_.clear();
  llama_context* context = state_.context.get();
  llama_memory_clear(llama_get_memory(context), /*data=*/false);
  const std::vector<float>* kept = state_.prompts.restore(prompt_.tokens, context);
  first_row_.resize(n_items());
  if (kept) {
    read_row(*kept, first_row_);
  } else {
    const Pass pass{.tokens = prompt_.tokens, .first_output = prompt_.tokens.size() - 1};
    auto done = state_.decode({&pass, 1}, give_up_at,
                              [&](std::size_t, std::size_t, std::span<const float> output) {
                                read_row(output, first_row_);
                                state_.prompts.keep(prompt_.tokens, context, output);
                              });
    if (!done) return done.error();
  }
  prompt_cached_ = true;
  lanes_.emplace_back(std::in_place);
  return kept ? std::size_t{0} : prompt_.tokens.size();
}

// Leaves the prompt and n_items items in the lane's cache, of those that are there. False, and the
// cache is as it was, when the model's cache can't drop its end.
bool LlamaEngine::Scorer::drop_behind(std::size_t lane, std::size_t n_items) {
  llama_memory_t memory = llama_get_memory(state_.context.get());
  const auto sequence = static_cast<llama_seq_id>(lane);
  const auto n_prompt = static_cast<llama_pos>(prompt_.tokens.size());
  if (lane >= lanes_.size()) lanes_.resize(lane + 1);
  if (!lanes_[lane]) {
    llama_memory_seq_cp(memory, 0, sequence, 0, n_prompt);
    lanes_[lane].emplace();
  }
  auto& items = *lanes_[lane];
  if (items.size() <= n_items) return true;
  if (!llama_memory_seq_rm(memory, sequence, n_prompt + static_cast<llama_pos>(n_items), -1)) {
    return false;
  }
  items.resize(n_items);
  return true;
}

void LlamaEngine::Scorer::forget_proposals() {
  check_owner();
  if (!prompt_cached_) return;
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (!lanes_[lane] || drop_behind(lane, 0)) continue;
    // The cache can't drop its end: the prompt is encoded anew here, where nobody is billed for it.
    if (!encode_prompt(std::nullopt)) prompt_cached_ = false;
    return;
  }
}

// What has to be encoded for a query.
struct LlamaEngine::Scorer::Plan {
  const EncodingQuery* query = nullptr;
  std::size_t first_item = 0;  // row j comes out at item j-1
  std::size_t n_needed = 0;    // items up to the last wanted row
  std::size_t n_kept = 0;      // of these, in the lane's cache and not needed for a row
  std::vector<TokenId> tokens;
  std::size_t n_tokens = 0;  // those, and the prompt's where it was encoded anew
};

LlamaEngine::Scorer::Plan LlamaEngine::Scorer::plan(const EncodingQuery& query) const {
  RSD_CHECK(query.rows.size() > 0 && query.rows.end <= query.proposal.size() + 1 &&
                query.rows.end <= n_items(),
            "rows of an encoding");
  // Items before the first wanted row are encoded only where the cache lacks them.
  Plan plan{.query = &query,
            .first_item = std::max<std::size_t>(query.rows.first, 1) - 1,
            .n_needed = query.rows.end - 1};
  if (query.lane < lanes_.size() && lanes_[query.lane]) {
    const auto& cached = *lanes_[query.lane];
    const auto same = std::ranges::mismatch(cached, query.proposal).in1 - cached.begin();
    plan.n_kept = std::min({static_cast<std::size_t>(same), plan.first_item, plan.n_needed});
  }
  return plan;
}

// Leaves the prompt and what is kept in the cache. Caches that can't drop their end (recurrent
// models) are filled anew.
Result<void> LlamaEngine::Scorer::rewind(std::span<Plan> plans,
                                         std::optional<Clock::time_point> give_up_at) {
  for (Plan& plan : plans) {
    const bool idle = plan.n_needed <= plan.n_kept;
    if (idle || (prompt_cached_ && drop_behind(plan.query->lane, plan.n_kept))) continue;
    const auto n_tokens = encode_prompt(give_up_at);
    if (!n_tokens) return n_tokens.error();
    plan.n_tokens += *n_tokens;
    for (Plan& other : plans)
      other.n_kept = 0;  // all lanes are empty now
  }
  for (Plan& plan : plans) {
    if (plan.n_needed > plan.n_kept) drop_behind(plan.query->lane, plan.n_kept);
    for (std::size_t t = plan.n_kept; t < plan.n_needed; ++t)
      plan.tokens.emplace_back(prompt_.identifiers[plan.query->proposal[t].slot()].value());
    plan.n_tokens += plan.tokens.size();
  }
  return {};
}

// Can they be in the cache at once? All lanes that were ever used count.
bool LlamaEngine::Scorer::side_by_side(std::span<const EncodingQuery> queries) const {
  std::size_t n_lanes = lanes_.size();
  for (const EncodingQuery& query : queries)
    n_lanes = std::max(n_lanes, query.lane + 1);
  return n_lanes <= state_.n_sequences &&
         prompt_.tokens.size() + n_lanes * n_items() <= llama_n_ctx(state_.context.get());
}

Result<Encoding> LlamaEngine::Scorer::encode(const EncodingQuery& query) {
  EncodingQuery alone = query;
  if (!side_by_side({&query, 1})) alone.lane = 0;
  auto encodings = encode_together({&alone, 1});
  if (!encodings) return encodings.error();
  return std::move(encodings->front());
}

Result<std::vector<Encoding>> LlamaEngine::Scorer::encode_all(
    std::span<const EncodingQuery> queries) {
  std::set<std::size_t> lanes;
  for (const EncodingQuery& query : queries)
    RSD_CHECK(lanes.insert(query.lane).second, "two queries for one lane");
  return side_by_side(queries) ? encode_together(queries) : PositionScorer::encode_all(queries);
}

Result<std::vector<Encoding>> LlamaEngine::Scorer::encode_together(
    std::span<const EncodingQuery> queries) {
  check_owner();
  RSD_CHECK(prefill_.has_value(), "encode before prefill");
  const auto start = Clock::now();
  std::optional<Clock::time_point> give_up_at;
  std::vector<Plan> plans;
  std::vector<Encoding> encodings;
  plans.reserve(queries.size());
  encodings.reserve(queries.size());
  for (const EncodingQuery& query : queries) {
    plans.push_back(plan(query));
    encodings.push_back({.rows = LogitMatrix(query.rows.size(), n_items())});
    if (query.give_up_at)
      give_up_at = std::min(*query.give_up_at, give_up_at.value_or(*query.give_up_at));
  }
  if (auto done = rewind(plans, give_up_at); !done) {
    prompt_cached_ = false;
    return done.error();
  }
  if (auto done = run(plans, encodings, give_up_at); !done) return done.error();
  const double ms = ms_since(start) / static_cast<double>(plans.size());
  for (std::size_t n = 0; n < plans.size(); ++n) {
    if (queries[n].rows.first == 0) std::ranges::copy(first_row_, encodings[n].rows.row(0).begin());
    encodings[n].n_tokens = plans[n].n_tokens;
    encodings[n].ms = ms;
  }
  return encodings;
}

// The plans' tokens through the LLM, the rows that come out into `encodings`.
Result<void> LlamaEngine::Scorer::run(std::span<const Plan> plans, std::span<Encoding> encodings,
                                      std::optional<Clock::time_point> give_up_at) {
  std::vector<Pass> passes;
  passes.reserve(plans.size());
  for (const Plan& plan : plans) {
    passes.push_back({.tokens = plan.tokens,
                      .first_position = prompt_.tokens.size() + plan.n_kept,
                      .first_output = plan.first_item - plan.n_kept,
                      .sequence = plan.query->lane});
  }
  const auto done = state_.decode(
      passes, give_up_at, [&](std::size_t pass, std::size_t token, std::span<const float> output) {
        const Plan& plan = plans[pass];
        const std::size_t row = plan.n_kept + token + 1 - plan.query->rows.first;
        read_row(output, encodings[pass].rows.row(row));
      });
  for (const Plan& plan : plans) {
    if (plan.tokens.empty()) continue;
    const auto& proposal = plan.query->proposal;
    auto& items = *lanes_[plan.query->lane];
    items.assign(proposal.begin(), proposal.begin() + static_cast<std::ptrdiff_t>(plan.n_needed));
    // Part of a batch that broke off may be in the cache: what lies behind the kept items is
    // dropped.
    if (!done && !drop_behind(plan.query->lane, plan.n_kept)) prompt_cached_ = false;
  }
  return done;
}

}  // namespace rsd
