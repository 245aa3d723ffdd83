#include "rsd/llm/llama_engine.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "llm/backend.h"
#include "llm/gguf_check.h"
#include "llm/index_of_engine.h"
#include "llm/llama_scorer.h"
#include "llm/llama_state.h"
#include "llm/llama_tokenizer.h"
#include "llm/log.h"
#include "llm/shared_pass.h"
#include "rsd/core/check.h"
#include "rsd/core/log_to.h"
#include "rsd/core/machine.h"

namespace rsd {
namespace {

// Tokens that a context begins with.
constexpr std::size_t kFirstContext = 1024;

Result<void> check_options(const LlamaOptions& options) {
  if (options.model_path.empty()) return invalid_argument("no model is named");
  if (options.threads < 0 || options.threads > 512) {
    return invalid_argument("threads is " + std::to_string(options.threads) +
                            "; it must be 0 to 512");
  }
  constexpr std::size_t kMinContext = 32;
  constexpr std::size_t kMaxContext = 1u << 22;
  if (options.context_size != 0 &&
      (options.context_size < kMinContext || options.context_size > kMaxContext)) {
    return invalid_argument("ctx-size is " + std::to_string(options.context_size) +
                            "; it must be 0 (the model's) or " + std::to_string(kMinContext) +
                            " to " + std::to_string(kMaxContext));
  }
  if (options.parallel < 1 || options.parallel > kMaxParallel) {
    return invalid_argument("parallel is " + std::to_string(options.parallel) +
                            "; it must be 1 to " + std::to_string(kMaxParallel));
  }
  if (options.gpu_layers < -1) {
    return invalid_argument("gpu layers is " + std::to_string(options.gpu_layers) +
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

// Recurrent and sliding-window models take one request at a time: the former keep a state for each
// sequence, whether it is used or not; the latter's cells may be overwritten as soon as their own
// sequence has no use for them, and are not all copied, so that only what was encoded in one go is
// sure to be there.
Result<CacheLimits> limits_of(const LlamaModel& model, const LlamaOptions& options) {
  CacheLimits limits{.parallel = options.parallel,
                     .takes_one = model.keeps_one_state() || model.slides(),
                     .slides = model.slides()};
  // llama.cpp rounds its context up; what was asked for is the limit all the same.
  limits.context_size = options.context_size != 0
                            ? options.context_size
                            : std::min(model.trained_context(), kDefaultMaxContext);
  if (limits.takes_one && options.parallel > 1) {
    return Error(ErrorCode::kUnsupported,
                 "model " + options.model_path + " is a " +
                     (model.keeps_one_state() ? "recurrent" : "sliding-window") +
                     " one: it can't take several requests at once");
  }
  return limits;
}

// The context begins small; the cache grows when longer prompts come.
Result<void> set_up_cache(LlamaEngine::State& state, const LlamaOptions& options) {
  const LlamaModel& model = *state.model;
  const auto limits = limits_of(model, options);
  if (!limits) return limits.error();
  const bool several = !model.keeps_one_state();
  const std::size_t n_sequences = several ? kMaxLanes + options.parallel + kReservedPlaces : 1;
  // Through the one more, blocks come into others (KvCells::append).
  auto context =
      LlamaContext::create(model, {.n_cells = std::min(limits->context_size, kFirstContext),
                                   .n_sequences = n_sequences + (several ? 1 : 0),
                                   .threads = thread_count(options.threads)});
  if (!context) return context.error();
  state.context = *std::move(context);
  state.cells.emplace(*state.context, n_sequences);
  state.room.emplace(*state.cells, *limits);
  state.info.context_size = limits->context_size;
  state.prompts = PromptCache(options.prompt_cache_bytes);
  state.reuses_beginnings = options.reuse == PromptReuseMode::kBeginnings && !limits->takes_one;
  return {};
}

Result<std::shared_ptr<const Tokenizer>> make_tokenizer(const LlamaModel& model) {
  try {
    return std::shared_ptr<const Tokenizer>(std::make_shared<LlamaTokenizer>(model.handle()));
  } catch (const std::exception& failure) {  // llama.cpp's, over a vocabulary with holes
    return Error(ErrorCode::kInvalidInput,
                 "model " + model.path() + ": its tokenizer fails: " + failure.what());
  }
}

// Their context is made when the first prompt in blocks comes.
std::unique_ptr<BlockEncoder> make_blocks(LlamaContext& context, std::size_t cache_bytes) {
  const auto make_context = [&context](std::size_t n_cells) {
    return context.new_context_beside(n_cells, BlockEncoder::kSequences);
  };
  const auto decode = [&context](llama_context* in, const llama_batch& batch) {
    return context.run_beside(in, batch);
  };
  return std::make_unique<BlockEncoder>(make_context, decode, cache_bytes);
}

// Where the model says that it reads relevance. Afterwards info.relevance says whether it does.
Result<void> set_up_relevance(LlamaEngine::State& state, const LogSink& log) {
  if (!state.info.relevance) return {};
  std::vector<IdentifierToken> words;
  for (const char* word : {" yes", " no"}) {
    const auto tokens = state.tokenizer->encode_text(word);
    if (tokens.size() != 1) {
      return Error(ErrorCode::kUnsupported, "model " + state.info.path + " has " + kRelevanceKey +
                                                ", but no token of its own for \"" + word + "\"");
    }
    words.emplace_back(tokens.front().value());
  }
  auto rows = state.blocks ? state.context->rows_of(words)
                           : Result<std::optional<IdentifierHead>>(std::nullopt);
  if (!rows) return rows.error();
  if (*rows) {
    state.blocks->read_relevance(**std::move(rows));
    return {};
  }
  state.info.relevance.reset();
  log_to(log, LogLevel::kWarning,
         "relevance is not read: it takes prompts in blocks, and passes that end before the "
         "output head");
  return {};
}

// The open scorer that this is; nullptr: none.
LlamaScorer* open_scorer(const CacheRoom& room, const PositionScorer* wanted) {
  for (CacheUser* user : room.users()) {
    auto* const scorer = static_cast<LlamaScorer*>(user);  // no others use the cache
    if (scorer == wanted) return scorer;
  }
  return nullptr;
}

PartResult result_of(ScorerPart part) {
  if (part.query) return std::move(part.encoding);
  return part.prefill;
}

}  // namespace

Result<std::unique_ptr<LlamaEngine>> LlamaEngine::load(const LlamaOptions& options) {
  route_llama_log(options.log);
  if (auto checked = check_options(options); !checked) return checked.error();
  if (auto started = start_backend(); !started) return started.error();

  auto state = std::make_unique<State>();
  auto model = LlamaModel::load(options);
  if (!model) return model.error();
  state->model = *std::move(model);
  auto info = state->model->describe();
  if (!info) return info.error();
  state->info = *std::move(info);
  state->info.loras = options.loras;
  if (auto done = set_up_cache(*state, options); !done) return done.error();
  if (state->info.why_no_blocks.empty())
    state->blocks = make_blocks(*state->context,
                                options.block_cache_bytes.value_or(options.prompt_cache_bytes));
  const auto why_whole = state->context->warm_up();
  if (!why_whole) return why_whole.error();
  state->info.output_head = *why_whole ? "whole vocabulary: " + **why_whole : "identifiers only";
  auto tokenizer = make_tokenizer(*state->model);
  if (!tokenizer) return tokenizer.error();
  state->tokenizer = *std::move(tokenizer);
  if (auto read = set_up_relevance(*state, options.log); !read) return read.error();
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
  const std::size_t needed = prompt.n_seen() + prompt.identifiers.size();
  return state_->room->has_place(length_of(prompt)) && needed <= state_->room->room_for(needed);
}

void LlamaEngine::reserve_places(std::size_t n_places) {
  state_->room->reserve_places(n_places);
}

Result<std::vector<PartResult>> LlamaEngine::encode_parts(
    std::span<const PassPart> parts, std::optional<Clock::time_point> give_up_at) {
  std::vector<PromptPart> prompts;
  std::vector<std::size_t> prompts_at;  // in parts
  prompts.reserve(parts.size());
  prompts_at.reserve(parts.size());
  std::vector<ScorerPart> staged(parts.size());
  for (std::size_t n = 0; n < parts.size(); ++n) {
    LlamaScorer* const scorer = open_scorer(*state_->room, parts[n].scorer);
    RSD_CHECK(scorer, "a part of a scorer that isn't open");
    if (!parts[n].query) {
      prompts.push_back({.scorer = scorer, .max_tokens = parts[n].max_tokens});
      prompts_at.push_back(n);
      continue;
    }
    auto query = scorer->stage(*parts[n].query, give_up_at);
    if (!query) return query.error();
    staged[n] = *std::move(query);
  }
  auto staged_prompts = stage_prompts(*state_, prompts, give_up_at);
  if (!staged_prompts) return staged_prompts.error();
  for (std::size_t k = 0; k < prompts.size(); ++k)
    staged[prompts_at[k]] = std::move((*staged_prompts)[k]);
  if (auto done = rsd::encode_parts(*state_, staged, give_up_at); !done) return done.error();
  std::vector<PartResult> results;
  results.reserve(staged.size());
  for (ScorerPart& part : staged)
    results.push_back(result_of(std::move(part)));
  return results;
}

double LlamaEngine::passes_ms() const noexcept {
  return state_->context->passes_ms();
}

Result<TimedEngine::GenerationTimes> LlamaEngine::time_generation(std::span<const TokenId> prompt,
                                                                  std::span<const TokenId> answer) {
  RSD_CHECK(state_->room->users().empty() && !prompt.empty(), "a prompt, and the cache to itself");
  const std::size_t needed = prompt.size() + answer.size();
  if (needed > context_size()) {
    return Error(ErrorCode::kTooLong, "prompt and text take " + std::to_string(needed) +
                                          " tokens; the context has " +
                                          std::to_string(context_size()));
  }
  state_->room->release_resident();
  if (auto grown = state_->room->grow(needed); !grown) return grown.error();
  const std::size_t sequence = *state_->cells->take();
  state_->context->compute_all_logits();
  GenerationTimes times;
  std::size_t n_highest_first = 0;  // keeps the search for the highest from being left out
  const auto pass = [&](std::span<const TokenId> tokens, std::size_t position, double& ms) {
    const auto start = Clock::now();
    const PartTokens part{.tokens = tokens,
                          .first_position = position,
                          .first_output = tokens.size() - 1,
                          .sequence = sequence};
    auto done = state_->context->decode(
        {&part, 1}, std::nullopt, [&](std::size_t, std::size_t, std::span<const float> logits) {
          n_highest_first += std::ranges::max_element(logits) == logits.begin() ? 1 : 0;
        });
    ms += ms_between(start, Clock::now());
    return done;
  };
  auto done = pass(prompt, 0, times.prefill_ms);
  for (std::size_t t = 0; done && t + 1 < answer.size(); ++t)
    done = pass(answer.subspan(t, 1), prompt.size() + t, times.decode_ms);
  state_->cells->release(sequence);
  state_->context->cut_head();
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
  const std::size_t longest = std::max(needed, prompt.end_position() + n_items);
  if (longest > context_size()) {
    return Error(ErrorCode::kTooLong, "prompt and ranking take " + std::to_string(longest) +
                                          " tokens; the context has " +
                                          std::to_string(context_size()));
  }
  if (!prompt.blocks.empty() && !state_->info.why_no_blocks.empty())
    return Error(ErrorCode::kUnsupported, "prompts in blocks: " + state_->info.why_no_blocks);
  RSD_CHECK(!prompt.tokens.empty() && !prompt.identifiers.empty(), "an empty prompt");
  CacheRoom& room = *state_->room;
  room.make_place();
  if (const std::size_t n_free = room.room_for(needed); needed > n_free) {
    return Error(ErrorCode::kRuntime, "prompt and ranking take " + std::to_string(needed) +
                                          " tokens; beside the other requests' there is room for " +
                                          std::to_string(n_free));
  }
  room.make_room_for(prompt, needed);
  if (auto grown = room.grow(needed); !grown) return grown.error();
  auto head = state_->context->rows_of(prompt.identifiers);
  if (!head) return head.error();
  return std::unique_ptr<PositionScorer>(
      new LlamaScorer(*state_, std::move(prompt), *std::move(head)));
}

}  // namespace rsd
