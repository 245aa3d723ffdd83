#include "llm/llama_context.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "llm/sequence_pool.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

// How far our logits may be from the LLM's, whose kernels round the states to the weights' type.
constexpr double kHeadTolerance = 0.02;

bool has_gpu() {
  return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_GPU) ||
         ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_IGPU);
}

bool gives_up(void* data) {
  const auto* give_up_at = static_cast<const std::optional<Clock::time_point>*>(data);
  return *give_up_at && Clock::now() >= **give_up_at;
}

// Where a row of output comes from.
struct OutputPlace {
  int32_t at = 0;  // in the batch
  std::size_t part = 0;
  std::size_t token = 0;
};

class Batch {
 public:
  explicit Batch(std::size_t capacity)
      : capacity_(capacity), batch_(llama_batch_init(static_cast<int32_t>(capacity), 0, 1)) {}
  ~Batch() { llama_batch_free(batch_); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  std::size_t size() const { return static_cast<std::size_t>(batch_.n_tokens); }
  bool is_full() const { return size() == capacity_; }
  const llama_batch& get() const { return batch_; }
  std::span<const OutputPlace> outputs() const { return outputs_; }

  // False, and it is not there, where it has output and the batch may give no more.
  bool add(std::span<const PartTokens> parts, std::size_t part, std::size_t token) {
    const PartTokens& from = parts[part];
    const bool has_output = token >= from.first_output;
    if (has_output && outputs_.size() == kMaxOutputs) return false;
    const int32_t at = batch_.n_tokens++;
    if (has_output) outputs_.push_back({at, part, token});
    batch_.token[at] = from.tokens[token].value();
    batch_.pos[at] = static_cast<llama_pos>(from.first_position + token);
    batch_.n_seq_id[at] = 1;
    batch_.seq_id[at][0] = id_of(from.sequence);
    batch_.logits[at] = has_output ? 1 : 0;
    return true;
  }

 private:
  std::size_t capacity_;
  llama_batch batch_;
  std::vector<OutputPlace> outputs_;
};

// The next token of the parts that is to be encoded.
struct Cursor {
  std::size_t part = 0;
  std::size_t token = 0;
};

// Tokens without output may come in any number, those with output in limited batches.
void fill(Batch& batch, std::span<const PartTokens> parts, Cursor& next) {
  for (; next.part < parts.size(); ++next.part, next.token = 0)
    for (; next.token < parts[next.part].tokens.size(); ++next.token)
      if (batch.is_full() || !batch.add(parts, next.part, next.token)) return;
}

Result<void> to_result(int32_t status) {
  if (status == 0) return {};
  if (status == 2) return Error(ErrorCode::kDeadlineExceeded, "the encoding was given up in time");
  if (status == 1)
    return Error(ErrorCode::kRuntime, "the LLM's cache has no room for the encoding");
  return Error(ErrorCode::kRuntime,
               "the LLM failed to encode (llama_decode: " + std::to_string(status) + ")");
}

}  // namespace

Result<std::unique_ptr<LlamaContext>> LlamaContext::create(const LlamaModel& model,
                                                           const ContextOptions& options) {
  auto context = std::unique_ptr<LlamaContext>(new LlamaContext(model));
  llama_context_params& params = context->params_;
  params = llama_context_default_params();
  params.n_seq_max = static_cast<std::uint32_t>(options.n_sequences);
  params.kv_unified = true;  // sequences share the cells of a common prompt
  params.n_outputs_max = static_cast<std::uint32_t>(std::max(kMaxOutputs, options.n_sequences));
  params.n_threads = options.threads;
  params.n_threads_batch = options.threads;
  params.cb_eval = &GraphTap::on_node;
  params.cb_eval_user_data = &context->tap_;
  params.abort_callback = &gives_up;
  params.abort_callback_data = &context->give_up_at_;
  params.no_perf = true;
  if (auto enough = model.check_memory(options.n_cells); !enough) return enough.error();
  if (auto made = context->make(options.n_cells); !made) return made.error();
  if (llama_get_memory(context->get())) return context;
  return Error(ErrorCode::kUnsupported,
               "model " + model.path() + " is not a decoder-only language model");
}

Result<void> LlamaContext::make(std::size_t n_cells) {
  params_.n_ctx = static_cast<std::uint32_t>(n_cells);
  auto made = model_.new_context(params_);
  if (!made) return made.error();
  context_ = *std::move(made);
  return {};
}

Result<void> LlamaContext::resize(std::size_t n_cells) {
  const std::size_t n_before = this->n_cells();
  context_.reset();  // first, since the memory may not do for both
  auto resized = model_.check_memory(n_cells);
  if (resized) resized = make(n_cells);
  if (resized) return resized;
  const auto restored = make(n_before);
  RSD_CHECK(restored.ok(), "a context of the size that there was");
  return resized;
}

Result<ContextPtr> LlamaContext::new_context_beside(std::size_t n_cells, std::size_t n_sequences) {
  if (auto enough = model_.check_memory(n_cells); !enough) return enough.error();
  llama_context_params params = params_;
  params.n_ctx = static_cast<std::uint32_t>(n_cells);
  params.n_seq_max = static_cast<std::uint32_t>(n_sequences);
  params.n_outputs_max = static_cast<std::uint32_t>(std::max(kMaxOutputs, n_sequences));
  params.cb_eval_user_data = &tap_beside_;
  return model_.new_context(params);
}

Result<std::optional<std::string>> LlamaContext::warm_up() {
  const std::array<TokenId, 2> any{TokenId(0), TokenId(1)};
  const PartTokens part{.tokens = any};
  std::vector<float> logits;
  tap_.watch(model_.n_vocabulary());
  auto done = decode({&part, 1}, std::nullopt,
                     [&](std::size_t, std::size_t, std::span<const float> output) {
                       logits.insert(logits.end(), output.begin(), output.end());
                     });
  llama_memory_clear(llama_get_memory(context_.get()), /*data=*/false);
  if (!done) return done.error();
  auto why_not = find_head(logits);
  cut_head();
  return why_not;
}

// The output head, if the logits that we compute equal those of the warming pass,
// [n, n_vocabulary]. Else says why there is none.
std::optional<std::string> LlamaContext::find_head(std::span<const float> logits) {
  const std::vector<float> states(tap_.states().begin(), tap_.states().end());
  const auto shape = tap_.shape();
  const std::string why_not = tap_.why_not();
  tap_.let_pass();
  // The graph of a pass may be spread over several devices, and only one of its parts be stopped.
  // With RPC servers the last part is here, on the CPU.
  if (!model_.is_distributed() && has_gpu()) return "this build computes on GPUs";
  if (!shape) return why_not.empty() ? "no output head is seen" : why_not;
  auto opened = OutputHead::open(model_.path(), *shape, model_.n_vocabulary());
  if (!opened) return opened.error().message();
  const auto difference = relative_difference(*opened, states, logits);
  if (!difference) return difference.error().message();
  if (!(*difference <= kHeadTolerance)) {
    return "our logits differ from the LLM's by " + std::to_string(*difference) + " of their span";
  }
  head_.emplace(*std::move(opened));
  return std::nullopt;
}

void LlamaContext::cut_head() {
  if (head_) tap_.stop_after(head_->state_node());
}

Result<std::optional<IdentifierHead>> LlamaContext::rows_of(
    std::span<const IdentifierToken> identifiers) {
  if (!head_) return std::optional<IdentifierHead>();
  auto rows = head_->rows(identifiers);
  // Rows that were read from another file than was loaded are no better than none.
  if (auto unchanged = model_.check_unchanged(); !unchanged) return unchanged.error();
  if (!rows) return rows.error();
  return std::optional<IdentifierHead>(*std::move(rows));
}

Result<void> LlamaContext::decode(std::span<const PartTokens> parts,
                                  std::optional<Clock::time_point> give_up_at,
                                  const OnOutput& on_output) {
  set_deadline(give_up_at);
  std::size_t n_left = 0;
  for (const PartTokens& part : parts)
    n_left += part.tokens.size();
  Cursor next;
  while (n_left > 0) {
    Batch batch(std::min(n_left, std::size_t{llama_n_batch(context_.get())}));
    fill(batch, parts, next);
    tap_.begin_pass();
    if (auto done = run(context_.get(), batch.get()); !done) return done;
    for (std::size_t n = 0; n < batch.outputs().size(); ++n) {
      const OutputPlace& place = batch.outputs()[n];
      const auto values = output(n, place.at);
      if (!values) return values.error();
      on_output(place.part, place.token, *values);
    }
    n_left -= batch.size();
  }
  return {};
}

Result<std::span<const float>> LlamaContext::run_beside(llama_context* in,
                                                        const llama_batch& batch) {
  const bool with_states = std::any_of(batch.logits, batch.logits + batch.n_tokens,
                                       [](std::int8_t wanted) { return wanted != 0; });
  RSD_CHECK(!with_states || head_, "states of passes that end before the output head");
  with_states ? tap_beside_.stop_after(head_->state_node()) : tap_beside_.let_pass();
  tap_beside_.begin_pass();
  if (auto done = run(in, batch); !done) return done.error();
  return tap_beside_.states();
}

Result<void> LlamaContext::run(llama_context* in, const llama_batch& batch) {
  if (auto unchanged = model_.check_unchanged(); !unchanged) return unchanged;
  const auto start = Clock::now();
  auto done = to_result(llama_decode(in, batch));
  passes_ms_ += ms_between(start, Clock::now());
  return done ? model_.check_unchanged() : done;  // it may have changed within the pass
}

// The last pass's n-th output.
Result<std::span<const float>> LlamaContext::output(std::size_t number, int32_t at_in_batch) const {
  if (!tap_.stops()) {
    const float* logits = llama_get_logits_ith(context_.get(), at_in_batch);
    if (!logits) return Error(ErrorCode::kRuntime, "the LLM gave no logits");
    return std::span(logits, model_.n_vocabulary());
  }
  const std::size_t n_embd = head_->n_embd();
  if (tap_.states().size() < (number + 1) * n_embd) {
    return Error(ErrorCode::kRuntime, "the LLM gave no hidden state");
  }
  return tap_.states().subspan(number * n_embd, n_embd);
}

}  // namespace rsd
