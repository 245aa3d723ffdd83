#include "rsd/remote/remote_engine.h"

#include <algorithm>
#include <map>
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
                             .max_answer_bytes = options.max_answer_bytes});
}

// The token that servers write behind the ranking, although nobody wants it, takes a place, too.
std::size_t context_of(const RemoteOptions& options, const ServedModel& model) {
  const std::size_t largest =
      model.context_size ? std::max<std::size_t>(*model.context_size, 2) - 1 : kDefaultMaxContext;
  return std::min(largest, options.context_size != 0 ? options.context_size : kDefaultMaxContext);
}

}  // namespace

Result<std::vector<Encoding>> RemoteEngine::State::encode(
    std::span<const Asked> asked, std::optional<Clock::time_point> give_up_at, Failures failures) {
  std::vector<std::optional<Result<Encoding>>> outcomes(asked.size());
  std::map<Dispatcher::Id, std::size_t> open;  // which of them
  for (std::size_t n = 0; n < asked.size(); ++n)
    outcomes[n] = asked[n].scorer->recall(*asked[n].query);
  for (std::size_t n = 0; n < asked.size(); ++n) {
    if (outcomes[n]) continue;
    Scorer& scorer = *asked[n].scorer;
    open.emplace(dispatcher->ask(scorer.question(*asked[n].query), scorer.replica()), n);
  }
  const auto until = give_up_at.value_or(Clock::time_point::max());
  while (!open.empty()) {
    auto answers = dispatcher->wait(until);
    if (answers.empty()) break;
    for (auto& answered : answers) {
      const std::size_t n = open.at(answered.id);
      open.erase(answered.id);
      const EncodingQuery& query = *asked[n].query;
      if (!answered.answer) {
        outcomes[n] = answered.answer.error();
        if (failures == Failures::kRemember)
          asked[n].scorer->note_error(query, answered.answer.error());
        continue;
      }
      outcomes[n] = asked[n].scorer->note_answer(query, std::move(answered));
    }
  }
  for (const auto& [id, n] : open)
    dispatcher->cancel(id);
  if (!open.empty()) return Error(ErrorCode::kDeadlineExceeded, "the engine didn't answer in time");
  std::vector<Encoding> encodings;
  encodings.reserve(outcomes.size());
  for (auto& outcome : outcomes) {
    if (!*outcome) return outcome->error();
    encodings.push_back(**std::move(outcome));
  }
  return encodings;
}

Result<std::string> RemoteEngine::served_model(const RemoteOptions& options) {
  RemoteOptions checked = options;
  if (auto right = check_remote_options(checked); !right) return right.error();
  auto http = client_for(checked);
  if (!http) return http.error();
  auto model = find_model(**http, checked);
  if (!model) return model.error();
  return std::move(model->name);
}

Result<std::unique_ptr<RemoteEngine>> RemoteEngine::connect(RemoteOptions options) {
  RSD_CHECK(options.tokenizer != nullptr, "a remote engine without a tokenizer");
  if (auto right = check_remote_options(options); !right) return right.error();
  auto http = client_for(options);
  if (!http) return http.error();
  const auto model = find_model(**http, options);
  if (!model) return model.error();
  auto protocol = find_protocol(**http, options, *model);
  if (!protocol) return protocol.error();
  auto state = std::make_unique<State>();
  state->dispatcher =
      std::make_unique<Dispatcher>(options, *std::move(http), *std::move(protocol), model->name);
  state->tokenizer = options.tokenizer;
  state->context_size = context_of(options, *model);
  state->parallel = options.parallel;
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
PromptReuse RemoteEngine::prompt_reuse() const noexcept {
  return state_->reuse;
}
std::string RemoteEngine::protocol() const {
  return std::string(state_->dispatcher->protocol().name());
}
RemoteTraffic RemoteEngine::traffic() const {
  return state_->dispatcher->traffic();
}

Result<std::unique_ptr<PositionScorer>> RemoteEngine::open(Prompt prompt) {
  RSD_CHECK(!prompt.tokens.empty() && !prompt.identifiers.empty(), "an empty prompt");
  const std::size_t needed = prompt.tokens.size() + prompt.identifiers.size();
  if (needed > state_->context_size) {
    return Error(ErrorCode::kTooLong, "prompt and ranking take " + std::to_string(needed) +
                                          " tokens; the context has " +
                                          std::to_string(state_->context_size));
  }
  const Protocol& protocol = state_->dispatcher->protocol();
  if (prompt.identifiers.size() > protocol.max_identifiers()) {
    return Error(ErrorCode::kUnsupported, std::to_string(prompt.identifiers.size()) +
                                              " candidates; by " + std::string(protocol.name()) +
                                              " the engine can be asked for " +
                                              std::to_string(protocol.max_identifiers()));
  }
  return std::unique_ptr<PositionScorer>(new Scorer(*state_, std::move(prompt)));
}

bool RemoteEngine::has_room(const Prompt& /*prompt*/) const noexcept {
  return state_->scorers.size() < state_->parallel;
}

Result<std::vector<PartResult>> RemoteEngine::encode_parts(
    std::span<const PassPart> parts, std::optional<Clock::time_point> give_up_at) {
  std::vector<State::Asked> asked;
  asked.reserve(parts.size());
  for (const PassPart& part : parts) {
    const auto own = std::ranges::find(state_->scorers, part.scorer);
    RSD_CHECK(own != state_->scorers.end(), "a part of a scorer that isn't open");
    if (part.query) asked.push_back({.scorer = *own, .query = &*part.query});
  }
  auto encodings = state_->encode(
      asked, give_up_at, parts.size() > 1 ? State::Failures::kRemember : State::Failures::kForget);
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
