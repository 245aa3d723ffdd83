#include "rsd/llm/llama_engine.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "llm/backend.h"
#include "llm/block_encoder.h"
#include "llm/chat_format.h"
#include "llm/gguf_check.h"
#include "llm/index_of_engine.h"
#include "llm/llama_scorer.h"
#include "llm/llama_state.h"
#include "llm/llama_tokenizer.h"
#include "llm/log.h"
#include "rsd/core/check.h"
#include "rsd/core/shown_text.h"

namespace rsd {
namespace {

// llama.cpp takes the context's batch in pieces of this many tokens.
constexpr std::uint32_t kMicroBatch = 512;

// Tokens that a context begins with.
constexpr std::size_t kFirstContext = 1024;

// How far our logits may be from the LLM's, whose kernels round the states to the weights' type.
constexpr double kHeadTolerance = 0.02;

Error invalid(const std::string& message) {
  return {ErrorCode::kInvalidArgument, message};
}

std::string reason(const LlamaErrorCapture& errors) {
  return errors.first().empty() ? "llama.cpp gave no reason" : errors.first();
}

Result<void> check_options(const LlamaOptions& options) {
  if (options.model_path.empty()) return invalid("no model is named");
  if (options.threads < 0 || options.threads > 512) {
    return invalid("threads is " + std::to_string(options.threads) + "; it must be 0 to 512");
  }
  constexpr std::size_t kMinContext = 32;
  constexpr std::size_t kMaxContext = 1u << 22;
  if (options.context_size != 0 &&
      (options.context_size < kMinContext || options.context_size > kMaxContext)) {
    return invalid("ctx-size is " + std::to_string(options.context_size) +
                   "; it must be 0 (the model's) or " + std::to_string(kMinContext) + " to " +
                   std::to_string(kMaxContext));
  }
  if (options.parallel < 1 || options.parallel > kMaxParallel) {
    return invalid("parallel is " + std::to_string(options.parallel) + "; it must be 1 to " +
                   std::to_string(kMaxParallel));
  }
  if (options.gpu_layers < -1) {
    return invalid("gpu layers is " + std::to_string(options.gpu_layers) +
                   "; it must be -1 (all) or more");
  }
  if (auto fits = check_tensor_split(options.tensor_split, options.rpc_servers.size()); !fits)
    return fits;
  if (auto found = check_gguf("model", options.model_path); !found) return found;
  for (const auto& lora : options.loras) {
    if (auto found = check_gguf("LoRA adapter", lora.path); !found) return found;
  }
  return {};
}

std::string metadata(const llama_model* model, const char* key) {
  std::array<char, 256> value{};
  const int32_t length = llama_model_meta_val_str(model, key, value.data(), value.size());
  return length < 0 ? "" : std::string(value.data());
}

std::string tokenizer_name(const llama_vocab* vocab) {
  switch (llama_vocab_type(vocab)) {
    case LLAMA_VOCAB_TYPE_SPM:
      return "SentencePiece";
    case LLAMA_VOCAB_TYPE_BPE:
      return "BPE";
    case LLAMA_VOCAB_TYPE_WPM:
      return "WordPiece";
    case LLAMA_VOCAB_TYPE_UGM:
      return "Unigram";
    case LLAMA_VOCAB_TYPE_RWKV:
      return "RWKV";
    default:
      return "other";
  }
}

Result<std::shared_ptr<llama_model>> load_model(const LlamaOptions& options,
                                                RpcDistribution* machines) {
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = options.gpu_layers;
  if (machines) machines->apply_to(params);
  const LlamaErrorCapture errors;
  std::shared_ptr<llama_model> model(llama_model_load_from_file(options.model_path.c_str(), params),
                                     [](llama_model* loaded) {
                                       if (loaded) llama_model_free(loaded);
                                     });
  if (!model) {
    return Error(ErrorCode::kInvalidInput,
                 "model " + options.model_path + " can't be loaded: " + reason(errors));
  }
  if (llama_model_has_encoder(model.get()) || !llama_model_has_decoder(model.get()) ||
      llama_model_is_diffusion(model.get())) {
    return Error(ErrorCode::kUnsupported,
                 "model " + options.model_path + " is not a decoder-only language model");
  }
  return model;
}

// The largest difference between the head's logits and `logits` [n, n_vocabulary], the span of
// these being 1; over tokens from all of the vocabulary.
Result<double> relative_difference(OutputHead& head, std::span<const float> states,
                                   std::span<const float> logits) {
  const std::size_t n_states = states.size() / head.n_embd();
  const std::size_t n_vocabulary = logits.size() / std::max<std::size_t>(n_states, 1);
  constexpr std::size_t kSamples = 64;
  std::vector<IdentifierToken> tokens;
  tokens.reserve(kSamples);
  for (std::size_t n = 0; n < kSamples; ++n)
    tokens.emplace_back(n * (n_vocabulary - 1) / (kSamples - 1));
  const auto rows = head.rows(tokens);
  if (!rows) return rows.error();
  std::vector<float> ours(kSamples);
  double difference = 0;
  for (std::size_t s = 0; s < n_states; ++s) {
    rows->logits(states.subspan(s * head.n_embd(), head.n_embd()), ours);
    const auto theirs = logits.subspan(s * n_vocabulary, n_vocabulary);
    const auto [lowest, highest] = std::ranges::minmax(theirs);
    const double span = std::max(1e-6F, highest - lowest);
    for (std::size_t n = 0; n < kSamples; ++n) {
      const double gap = std::abs(ours[n] - theirs[tokens[n].slot()]) / span;
      difference = std::isnan(gap) ? gap : std::max(difference, gap);
      if (std::isnan(gap)) return difference;
    }
  }
  return difference;
}

bool has_gpu() {
  return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_GPU) ||
         ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_IGPU);
}

bool gives_up(void* data) {
  const auto* give_up_at = static_cast<const std::optional<Clock::time_point>*>(data);
  return *give_up_at && Clock::now() >= **give_up_at;
}

}  // namespace

LlamaEngine::State::State() = default;
LlamaEngine::State::~State() = default;

Result<void> LlamaEngine::State::load_loras(const std::vector<LoraFile>& files) {
  for (const auto& file : files) {
    const LlamaErrorCapture errors;
    loras.emplace_back(llama_adapter_lora_init(model.get(), file.path.c_str()));
    if (!loras.back()) {
      return Error(ErrorCode::kInvalidInput,
                   "LoRA adapter " + file.path + " can't be put on the model: " + reason(errors));
    }
    lora_scales.push_back(file.scale);
  }
  return {};
}

Result<void> LlamaEngine::State::set_up(const LlamaOptions& options) {
  const std::size_t trained = static_cast<std::size_t>(llama_model_n_ctx_train(model.get()));
  // llama.cpp rounds its context up; what was asked for is the limit all the same.
  context_size =
      options.context_size != 0 ? options.context_size : std::min(trained, kDefaultMaxContext);
  // Recurrent models keep a state for each sequence, whether it is used or not.
  const bool recurrent =
      llama_model_is_recurrent(model.get()) || llama_model_is_hybrid(model.get());
  // A sliding window's cells may be overwritten as soon as their own sequence has no use for them,
  // and are not all copied: only what was encoded in one go is sure to be there.
  slides = llama_model_n_swa(model.get()) > 0;
  reuses_beginnings = options.reuse == PromptReuseMode::kBeginnings && !recurrent && !slides;
  places.for_all = options.parallel;
  takes_one = recurrent || slides;
  if (takes_one && options.parallel > 1) {
    return Error(ErrorCode::kUnsupported, "model " + options.model_path + " is a " +
                                              (recurrent ? "recurrent" : "sliding-window") +
                                              " one: it can't take several requests at once");
  }
  sequences = SequencePool(recurrent ? 1 : kMaxLanes + options.parallel + kReservedPlaces);
  // And one, outside of the pool, through which blocks come into others (BlockSource).
  const std::size_t n_sequences = sequences.size() + (recurrent ? 0 : 1);
  params = llama_context_default_params();
  params.n_seq_max = static_cast<std::uint32_t>(n_sequences);
  params.kv_unified = true;  // sequences share the cells of a common prompt
  params.n_outputs_max = static_cast<std::uint32_t>(std::max(kMaxOutputs, n_sequences));
  params.n_threads = thread_count(options.threads);
  params.n_threads_batch = params.n_threads;
  params.cb_eval = &GraphTap::on_node;
  params.cb_eval_user_data = &tap;
  params.abort_callback = &gives_up;
  params.abort_callback_data = &give_up_at;
  params.no_perf = true;
  if (auto loaded = load_loras(options.loras); !loaded) return loaded;
  if (auto made = make_context(std::min(context_size, kFirstContext)); !made) return made;
  if (!llama_get_memory(context.get())) {
    return Error(ErrorCode::kUnsupported,
                 "model " + options.model_path + " is not a decoder-only language model");
  }
  return {};
}

Result<void> LlamaEngine::State::make_context(std::size_t n_cells) {
  params.n_ctx = static_cast<std::uint32_t>(n_cells);
  auto made = new_context(params);
  if (!made) return made.error();
  context = *std::move(made);
  return {};
}

// Adapters take effect on the context, all at once.
Result<LlamaContext> LlamaEngine::State::new_context(llama_context_params of) {
  of.n_batch = of.n_ctx;
  of.n_ubatch = std::min(kMicroBatch, of.n_ctx);
  const LlamaErrorCapture errors;
  LlamaContext made(llama_init_from_model(model.get(), of));
  if (!made) {
    return Error(ErrorCode::kRuntime, "no context of " + std::to_string(of.n_ctx) +
                                          " tokens can be made: " + reason(errors));
  }
  std::vector<llama_adapter_lora*> adapters;
  adapters.reserve(loras.size());
  for (const auto& lora : loras)
    adapters.push_back(lora.get());
  if (adapters.empty()) return made;
  if (llama_set_adapters_lora(made.get(), adapters.data(), adapters.size(), lora_scales.data()) !=
      0) {
    return Error(ErrorCode::kRuntime, "the LoRA adapters can't be applied together");
  }
  return made;
}

// Its context is made when the first prompt in blocks comes.
void LlamaEngine::State::set_up_blocks(std::size_t cache_bytes) {
  const auto context_of = [this](std::size_t n_cells) {
    llama_context_params own = params;
    own.n_ctx = static_cast<std::uint32_t>(n_cells);
    own.n_seq_max = BlockEncoder::kSequences;
    own.n_outputs_max = BlockEncoder::kSequences;
    own.cb_eval = nullptr;
    return new_context(own);
  };
  const auto decode_batch = [this](llama_context* in, const llama_batch& batch) {
    return run_batch(in, batch);
  };
  blocks = std::make_unique<BlockEncoder>(context_of, decode_batch, cache_bytes);
}

// The first encoding of a process reads the weights from the disk and starts the threads. That is
// done here, so that no request is billed for it and no deadline is missed by it. It computes the
// whole graph, which shows how its end can be cut down.
Result<void> LlamaEngine::State::warm_up() {
  const std::array<TokenId, 2> any{TokenId(0), TokenId(1)};
  const Pass pass{.tokens = any};
  std::vector<float> logits;
  tap.watch(info.n_vocabulary);
  auto done = decode({&pass, 1}, std::nullopt,
                     [&](std::size_t, std::size_t, std::span<const float> output) {
                       logits.insert(logits.end(), output.begin(), output.end());
                     });
  llama_memory_clear(llama_get_memory(context.get()), /*data=*/false);
  if (!done) return done;
  auto whole = cut_head(logits);
  info.output_head = whole ? "whole vocabulary: " + *whole : "identifiers only";
  return {};
}

// From now on the LLM's graph ends in front of the output head, if the logits that we compute then
// equal those of the warming pass, [n, n_vocabulary]. Else says why they aren't.
std::optional<std::string> LlamaEngine::State::cut_head(std::span<const float> logits) {
  const std::vector<float> states(tap.states().begin(), tap.states().end());
  const auto shape = tap.shape();
  const std::string why_not = tap.why_not();
  tap.let_pass();
  // The graph of a pass may be spread over several devices, and only one of its parts be stopped.
  // Of RPC servers' passes the last part is here, on the CPU.
  if (!machines && has_gpu()) return "this build computes on GPUs";
  if (!shape) return why_not.empty() ? "no output head is seen" : why_not;
  auto opened = OutputHead::open(info.path, *shape, info.n_vocabulary);
  if (!opened) return opened.error().message();
  const auto difference = relative_difference(*opened, states, logits);
  if (!difference) return difference.error().message();
  if (!(*difference <= kHeadTolerance)) {
    return "our logits differ from the LLM's by " + std::to_string(*difference) + " of their span";
  }
  head.emplace(*std::move(opened));
  tap.stop_behind(shape->state);
  return std::nullopt;
}

void LlamaEngine::State::describe(const std::string& path) {
  std::array<char, 256> description{};
  llama_model_desc(model.get(), description.data(), description.size());
  const llama_vocab* vocab = llama_model_get_vocab(model.get());
  info = {.path = path,
          .loras = {},
          .description = description.data(),
          .architecture = metadata(model.get(), "general.architecture"),
          .n_parameters = llama_model_n_params(model.get()),
          .size_bytes = llama_model_size(model.get()),
          .n_vocabulary = static_cast<std::size_t>(llama_vocab_n_tokens(vocab)),
          .trained_context = static_cast<std::size_t>(llama_model_n_ctx_train(model.get())),
          .context_size = context_size,
          .tokenizer = tokenizer_name(vocab),
          .chat_format = chat_text(model.get(), false).plain ? "plain" : "own",
          .keeps_partial_cache =
              !llama_model_is_recurrent(model.get()) && !llama_model_is_hybrid(model.get()),
          .why_no_blocks = find_why_no_blocks(),
          .prompt_layout = std::nullopt};
}

// What the model, or the last adapter that says so, is tuned for.
Result<void> LlamaEngine::State::find_layout() {
  std::string name = metadata(model.get(), kPromptLayoutKey);
  for (const auto& lora : loras) {
    std::array<char, 256> value{};
    if (llama_adapter_meta_val_str(lora.get(), kPromptLayoutKey, value.data(), value.size()) >= 0)
      name = value.data();
  }
  if (name.empty()) return {};
  info.prompt_layout = parse_prompt_layout(name);
  if (info.prompt_layout) return {};
  return Error(ErrorCode::kUnsupported, "model " + info.path + ": " + kPromptLayoutKey + " is \"" +
                                            shown_text(name) +
                                            "\"; this version knows sequence and blocks");
}

// Empty: they can.
std::string LlamaEngine::State::find_why_no_blocks() const {
  const llama_model* const of = model.get();
  if (llama_model_is_recurrent(of) || llama_model_is_hybrid(of))
    return "a recurrent model's state is not made of tokens' cells";
  if (llama_model_n_swa(of) > 0) return "a sliding window hides cells by their positions";
  switch (llama_model_rope_type(of)) {
    case LLAMA_ROPE_TYPE_MROPE:
    case LLAMA_ROPE_TYPE_IMROPE:
    case LLAMA_ROPE_TYPE_VISION:
      return "positions of several dimensions (M-RoPE) can't be laid side by side";
    default:
      return "";
  }
}

Result<std::unique_ptr<LlamaEngine>> LlamaEngine::load(const LlamaOptions& options) {
  route_llama_log(options.log);
  if (auto checked = check_options(options); !checked) return checked.error();
  if (auto started = start_backend(); !started) return started.error();

  auto state = std::make_unique<State>();
  state->prompts = PromptCache(options.prompt_cache_bytes);
  if (!options.rpc_servers.empty()) {
    auto reached = RpcDistribution::over(
        {.servers = options.rpc_servers, .tensor_split = options.tensor_split}, options.model_path);
    if (!reached) return reached.error();
    state->machines.emplace(*std::move(reached));
  }
  auto model = load_model(options, state->machines ? &*state->machines : nullptr);
  if (!model) return model.error();
  state->model = *std::move(model);
  if (auto done = state->set_up(options); !done) return done.error();
  state->describe(options.model_path);
  state->info.loras = options.loras;
  if (auto layout = state->find_layout(); !layout) return layout.error();
  if (state->info.why_no_blocks.empty())
    state->set_up_blocks(options.block_cache_bytes.value_or(options.prompt_cache_bytes));
  if (auto warm = state->warm_up(); !warm) return warm.error();
  try {
    state->tokenizer = std::make_shared<LlamaTokenizer>(state->model);
  } catch (const std::exception& failure) {  // llama.cpp's, over a vocabulary with holes
    return Error(ErrorCode::kInvalidInput,
                 "model " + options.model_path + ": its tokenizer fails: " + failure.what());
  }
  if (options.index) {
    if (auto attached = attach_index(*state, options.index, options.log); !attached)
      return attached.error();
  }
  return std::unique_ptr<LlamaEngine>(new LlamaEngine(std::move(state)));
}

LlamaEngine::LlamaEngine(std::unique_ptr<State> state) : state_(std::move(state)) {}
LlamaEngine::~LlamaEngine() = default;

const ModelInfo& LlamaEngine::info() const noexcept {
  return state_->info;
}
std::shared_ptr<const Tokenizer> LlamaEngine::tokenizer() const noexcept {
  return state_->tokenizer;
}

bool LlamaEngine::has_room(const Prompt& prompt) const noexcept {
  const auto n_short = std::ranges::count_if(
      state_->scorers, [](const Scorer* scorer) { return scorer->length() == Length::kShort; });
  const std::size_t needed = prompt.n_seen() + prompt.identifiers.size();
  return state_->places.has_one(state_->scorers.size(), static_cast<std::size_t>(n_short),
                                length_of(prompt)) &&
         needed <= state_->room_for(needed);
}

void LlamaEngine::reserve_places(std::size_t n_places) {
  RSD_CHECK(state_->scorers.empty() && n_places <= kReservedPlaces, "places that can be kept");
  if (!state_->takes_one) state_->places.for_short = n_places;
}

Result<std::vector<PartResult>> LlamaEngine::encode_parts(
    std::span<const PassPart> parts, std::optional<Clock::time_point> give_up_at) {
  std::vector<Scorer::PromptPart> prompts;
  std::vector<std::size_t> prompts_at;  // in parts
  prompts.reserve(parts.size());
  prompts_at.reserve(parts.size());
  std::vector<Scorer::Part> staged(parts.size());
  for (std::size_t n = 0; n < parts.size(); ++n) {
    const auto own = std::ranges::find(state_->scorers, parts[n].scorer);
    RSD_CHECK(own != state_->scorers.end(), "a part of a scorer that isn't open");
    if (!parts[n].query) {
      prompts.push_back({.scorer = *own, .max_tokens = parts[n].max_tokens});
      prompts_at.push_back(n);
      continue;
    }
    auto query = (*own)->stage(*parts[n].query, give_up_at);
    if (!query) return query.error();
    staged[n] = *std::move(query);
  }
  auto staged_prompts = Scorer::stage_prompts(*state_, prompts, give_up_at);
  if (!staged_prompts) return staged_prompts.error();
  for (std::size_t k = 0; k < prompts.size(); ++k)
    staged[prompts_at[k]] = std::move((*staged_prompts)[k]);
  if (auto done = Scorer::encode_parts(*state_, staged, give_up_at); !done) return done.error();
  std::vector<PartResult> results;
  results.reserve(staged.size());
  for (Scorer::Part& part : staged) {
    if (part.query) {
      results.emplace_back(std::move(part.encoding));
    } else {
      results.emplace_back(part.prefill);
    }
  }
  return results;
}

double LlamaEngine::passes_ms() const noexcept {
  return state_->passes_ms;
}

Result<GenerationTimes> LlamaEngine::time_generation(std::span<const TokenId> prompt,
                                                     std::span<const TokenId> answer) {
  RSD_CHECK(state_->scorers.empty() && !prompt.empty(), "a prompt, and the cache to itself");
  const std::size_t needed = prompt.size() + answer.size();
  if (needed > state_->context_size) {
    return Error(ErrorCode::kTooLong, "prompt and text take " + std::to_string(needed) +
                                          " tokens; the context has " +
                                          std::to_string(state_->context_size));
  }
  state_->release_resident();
  if (auto grown = state_->grow_context(needed); !grown) return grown.error();
  const std::size_t sequence = *state_->sequences.take();
  state_->tap.let_pass();
  GenerationTimes times;
  std::size_t n_highest_first = 0;  // keeps the search for the highest from being left out
  const auto pass = [&](std::span<const TokenId> tokens, std::size_t position, double& ms) {
    const auto start = Clock::now();
    const Pass part{.tokens = tokens,
                    .first_position = position,
                    .first_output = tokens.size() - 1,
                    .sequence = sequence};
    const auto done = state_->decode(
        {&part, 1}, std::nullopt, [&](std::size_t, std::size_t, std::span<const float> logits) {
          n_highest_first += std::ranges::max_element(logits) == logits.begin() ? 1 : 0;
        });
    ms += std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    return done;
  };
  auto done = pass(prompt, 0, times.prefill_ms);
  for (std::size_t t = 0; done && t + 1 < answer.size(); ++t)
    done = pass(answer.subspan(t, 1), prompt.size() + t, times.decode_ms);
  state_->release(sequence);
  if (state_->head) state_->tap.stop_behind(state_->head->state_node());
  if (!done) return done.error();
  RSD_CHECK(n_highest_first <= answer.size(), "more steps than there were");
  return times;
}

PromptReuse LlamaEngine::prompt_reuse() const noexcept {
  PromptReuse reuse = state_->reuse;
  reuse.kept_prompts = state_->prompts.n_prompts();
  reuse.kept_blocks = state_->blocks ? state_->blocks->cache().n_blocks() : 0;
  reuse.blocks_evicted = state_->blocks ? state_->blocks->cache().n_evicted() : 0;
  reuse.kept_bytes =
      state_->prompts.used_bytes() + (state_->blocks ? state_->blocks->cache().used_bytes() : 0);
  return reuse;
}

Result<std::unique_ptr<PositionScorer>> LlamaEngine::open(Prompt prompt) {
  const std::size_t n_items = prompt.identifiers.size();
  const std::size_t needed = prompt.n_seen() + n_items;
  if (std::max(needed, prompt.end_position() + n_items) > state_->info.context_size) {
    return Error(ErrorCode::kTooLong,
                 "prompt and ranking take " +
                     std::to_string(std::max(needed, prompt.end_position() + n_items)) +
                     " tokens; the context has " + std::to_string(state_->info.context_size));
  }
  if (!prompt.blocks.empty() && !state_->info.why_no_blocks.empty())
    return Error(ErrorCode::kUnsupported, "prompts in blocks: " + state_->info.why_no_blocks);
  RSD_CHECK(!prompt.tokens.empty() && !prompt.identifiers.empty(), "an empty prompt");
  auto& scorers = state_->scorers;
  if (scorers.size() >= state_->places.total()) scorers.front()->lose_cache();
  if (const std::size_t n_free = state_->room_for(needed); needed > n_free) {
    return Error(ErrorCode::kRuntime, "prompt and ranking take " + std::to_string(needed) +
                                          " tokens; beside the other requests' there is room for " +
                                          std::to_string(n_free));
  }
  state_->make_room_for(prompt, needed);
  if (auto grown = state_->grow_context(needed); !grown) return grown.error();
  std::optional<IdentifierHead> head;
  if (state_->head) {
    auto rows = state_->head->rows(prompt.identifiers);
    if (!rows) return rows.error();
    head = *std::move(rows);
  }
  return std::unique_ptr<PositionScorer>(new Scorer(*state_, std::move(prompt), std::move(head)));
}

}  // namespace rsd
