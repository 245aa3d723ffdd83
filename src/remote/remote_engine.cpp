#include "rsd/remote/remote_engine.h"

#include <algorithm>
#include <utility>

#include "remote/connect.h"
#include "remote/remote_scorer.h"
#include "remote/remote_state.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

Result<std::unique_ptr<HttpClient>> client_for(const RemoteOptions& options) {
  return HttpClient::create({.connect_timeout = options.patience.connect_timeout,
                             .api_key = options.api_key,
                             .key_transport = options.key_transport,
                             .max_answer_bytes = options.max_answer_bytes});
}

// Servers generate one unwanted token after the ranking, which takes a place in the context, too.
std::size_t context_of(const RemoteOptions& options, const ServedModel& model) {
  const std::size_t largest =
      model.context_size ? std::max<std::size_t>(*model.context_size, 2) - 1 : kDefaultMaxContext;
  return std::min(largest, options.context_size != 0 ? options.context_size : kDefaultMaxContext);
}

}  // namespace

Result<ServedModel> RemoteEngine::served_model(const RemoteOptions& options) {
  RemoteOptions checked = options;
  if (auto right = check_remote_options(checked); !right) return right.error();
  auto http = client_for(checked);
  if (!http) return http.error();
  return find_model(**http, checked);
}

Result<std::unique_ptr<RemoteEngine>> RemoteEngine::connect(RemoteOptions options) {
  RSD_CHECK(options.tokenizer != nullptr, "a remote engine without a tokenizer");
  if (auto right = check_remote_options(options); !right) return right.error();
  auto http = client_for(options);
  if (!http) return http.error();
  const auto model = options.served ? *options.served : find_model(**http, options);
  if (!model) return model.error();
  if (auto same = check_vocabulary(**http, options, *model); !same) return same.error();
  auto protocol = find_protocol(**http, options, *model);
  if (!protocol) return protocol.error();
  auto state = std::make_unique<State>();
  state->dispatcher =
      std::make_unique<Dispatcher>(options, *std::move(http), *std::move(protocol), model->name);
  state->tokenizer = options.tokenizer;
  state->context_size = context_of(options, *model);
  state->places.for_all = options.parallel;
  return std::unique_ptr<RemoteEngine>(new RemoteEngine(std::move(state)));
}

RemoteEngine::RemoteEngine(std::unique_ptr<State> state) : state_(std::move(state)) {}
RemoteEngine::~RemoteEngine() = default;

std::string RemoteEngine::model_name() const {
  return state_->dispatcher->model();
}
std::size_t RemoteEngine::context_size() const noexcept {
  return state_->context_size;
}
std::shared_ptr<const Tokenizer> RemoteEngine::tokenizer() const noexcept {
  return state_->tokenizer;
}
std::size_t RemoteEngine::max_items() const noexcept {
  return state_->dispatcher->protocol().max_identifiers();
}
PromptReuse RemoteEngine::prompt_reuse() const noexcept {
  return state_->reuse;
}
std::string RemoteEngine::protocol() const {
  return std::string(state_->dispatcher->protocol().name());
}
RemoteEngine::Traffic RemoteEngine::traffic() const {
  return state_->dispatcher->traffic();
}

Result<std::unique_ptr<PositionScorer>> RemoteEngine::open(Prompt prompt) {
  RSD_CHECK(!prompt.tokens.empty() && !prompt.identifiers.empty(), "an empty prompt");
  if (!prompt.blocks.empty()) {
    return Error(ErrorCode::kUnsupported,
                 "prompts in blocks are for a local LLM: a server takes one sequence of tokens");
  }
  const std::size_t needed = prompt.tokens.size() + prompt.identifiers.size();
  if (needed > state_->context_size) {
    return Error(ErrorCode::kTooLong, "prompt and ranking take " + std::to_string(needed) +
                                          " tokens; the context has " +
                                          std::to_string(state_->context_size));
  }
  if (prompt.identifiers.size() > max_items()) {
    return Error(ErrorCode::kUnsupported,
                 std::to_string(prompt.identifiers.size()) + " candidates; by " + protocol() +
                     " the engine can be asked for " + std::to_string(max_items()));
  }
  return std::unique_ptr<PositionScorer>(new Scorer(*state_, std::move(prompt)));
}

bool RemoteEngine::has_room(const Prompt& prompt) const noexcept {
  const auto n_short = std::ranges::count_if(
      state_->scorers, [](const Scorer* scorer) { return scorer->length() == Length::kShort; });
  return state_->places.has_one(state_->scorers.size(), static_cast<std::size_t>(n_short),
                                length_of(prompt));
}

void RemoteEngine::reserve_places(std::size_t n_places) {
  state_->places.for_short = n_places;
}

PartQueue* RemoteEngine::queue() noexcept {
  return state_.get();
}

Result<std::vector<PartResult>> RemoteEngine::encode_parts(
    std::span<const PassPart> parts, std::optional<Clock::time_point> give_up_at) {
  std::vector<State::Asked> asked;
  asked.reserve(parts.size());
  for (const PassPart& part : parts) {
    Scorer& scorer = state_->own(part.scorer);
    if (part.query) asked.push_back({.scorer = &scorer, .query = &*part.query});
  }
  auto encodings = state_->encode(asked, give_up_at);
  if (!encodings) return encodings.error();
  std::vector<PartResult> results;
  results.reserve(parts.size());
  auto next = encodings->begin();
  for (const PassPart& part : parts) {
    if (part.query) {
      results.emplace_back(std::move(*next++));
    } else {
      results.emplace_back(*part.scorer->prefill(give_up_at));
    }
  }
  return results;
}

}  // namespace rsd
