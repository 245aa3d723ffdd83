#include "support/fake_engine_server.h"

#include <httplib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <limits>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <thread>
#include <utility>

namespace rsd {
namespace {

using Json = nlohmann::json;
using Tokens = std::vector<int>;
using Kind = FakeFault::Kind;

std::uint64_t mixed(std::uint64_t digest, int token) {
  constexpr std::uint64_t kPrime = 0x100000001b3U;  // FNV-1a
  return (digest ^ static_cast<std::uint64_t>(token + 1)) * kPrime;
}

// The logits of the identifiers after `tokens`.
std::vector<float> logits_behind(std::span<const int> tokens, const Tokens& identifiers) {
  std::vector<ItemId> ranking;
  while (!tokens.empty()) {
    const auto found = std::ranges::find(identifiers, tokens.back());
    if (found == identifiers.end()) break;
    ranking.emplace_back(found - identifiers.begin());
    tokens = tokens.first(tokens.size() - 1);
  }
  std::ranges::reverse(ranking);
  const SyntheticScorer llm(fake_llm(fake_seed(tokens), identifiers.size()));
  std::vector<float> logits;
  logits.reserve(identifiers.size());
  for (std::size_t i = 0; i < identifiers.size(); ++i)
    logits.push_back(llm.logit(ranking, ItemId(i)));
  return logits;
}

// True if the fault changes the rows of an answer, or the frame around them.
bool changes_shape(Kind kind) {
  return kind == Kind::kOneRowLess || kind == Kind::kOneItemLess || kind == Kind::kNan ||
         kind == Kind::kNoRows || kind == Kind::kOtherPrompt;
}

void spoil(FakeRows& rows, Kind kind) {
  if (kind == Kind::kOneRowLess) rows.pop_back();
  if (kind == Kind::kOneItemLess)
    for (auto& row : rows)
      row.pop_back();
  if (kind == Kind::kNan) rows.front().front() = std::numeric_limits<float>::quiet_NaN();
}

// What servers remember, in blocks.
class FakePrefixCache {
 public:
  // Tokens at its beginning that were seen before; the last one is always computed.
  std::size_t look_up(const Tokens& tokens, bool reads) {
    constexpr std::size_t kBlock = 16;
    std::size_t known = 0;
    std::uint64_t digest = 0;
    for (std::size_t n = 0; n < tokens.size(); ++n) {
      digest = mixed(digest, tokens[n]);
      if ((n + 1) % kBlock != 0) continue;
      const bool is_known = !blocks_.insert(digest).second;
      if (is_known && known + kBlock == n + 1 && n + 1 < tokens.size()) known = n + 1;
    }
    return reads ? known : 0;
  }

 private:
  std::set<std::uint64_t> blocks_;
};

}  // namespace

std::uint64_t fake_seed(std::span<const int> prompt) {
  std::uint64_t digest = 0xcbf29ce484222325U;
  for (const int token : prompt)
    digest = mixed(digest, token);
  return digest;
}

SyntheticOptions fake_llm(std::uint64_t seed, std::size_t n_items) {
  return {.seed = seed, .n_items = n_items, .relevance = {}, .prefix_noise = 0.3};
}

struct FakeEngineServer::State {
  FakeEngineOptions options;
  httplib::Server http;
  int port = 0;
  std::thread thread;
  std::atomic<bool> is_dead{false};
  std::atomic<bool> is_well{true};
  std::atomic<std::size_t> n_listings{0};

  mutable std::mutex mutex;  // of what follows
  Faults faults;
  FakePrefixCache cache;
  std::size_t n_questions = 0;
  std::size_t at_once = 0;
  std::size_t most_at_once = 0;
  std::vector<std::string> bodies;

  using Way = std::function<std::optional<std::string>(State&, const Json& question, Kind fault)>;

  void add_routes();
  void answer(const httplib::Request& request, httplib::Response& response, const Way& way);
  void give(std::string text, const FakeFault& fault, httplib::Response& response) const;
  bool may(const httplib::Request& request, httplib::Response& response) const;
  std::size_t look_up(const Tokens& tokens, bool reads);
  std::vector<float> row_behind(Recordings::Way asked, std::span<const int> tokens,
                                const Tokens& identifiers) const;
  std::optional<std::string> generate(const Json& question, Kind fault);
  std::optional<std::string> completions(const Json& question, Kind fault) const;
  std::optional<std::string> sglang(const Json& question, Kind fault);
};

std::size_t FakeEngineServer::State::look_up(const Tokens& tokens, bool reads) {
  const std::lock_guard lock(mutex);
  return cache.look_up(tokens, reads);
}

// As it was recorded, else made up.
std::vector<float> FakeEngineServer::State::row_behind(Recordings::Way asked,
                                                       std::span<const int> tokens,
                                                       const Tokens& identifiers) const {
  auto recorded = options.recordings.row(asked, tokens, identifiers);
  return recorded ? *std::move(recorded) : logits_behind(tokens, identifiers);
}

std::optional<std::string> FakeEngineServer::State::generate(const Json& question, Kind fault) {
  const auto tokens = question.at("token_ids").get<Tokens>();
  const Json& params = question.at("sampling_params");
  const auto start = params.at("prompt_logprob_start").get<std::size_t>();
  const auto identifiers = params.at("prompt_logprob_token_ids").get<std::vector<Tokens>>();
  if (identifiers.size() + 1 + start != tokens.size()) return std::nullopt;
  const bool skips = params.value("skip_reading_prefix_cache", false);
  const std::size_t cached = look_up(tokens, !skips);
  const bool drops = cached > start || fault == Kind::kNoRows;
  auto recorded = options.recordings.answer(Recordings::Way::kGenerate, question);
  if (recorded && drops) {
    Json without_rows = Json::parse(*recorded);
    without_rows["prompt_token_id_logprobs"] = nullptr;
    return without_rows.dump();
  }
  if (recorded && !changes_shape(fault)) return recorded;
  FakeRows rows;
  rows.reserve(identifiers.size());
  for (std::size_t r = 0; r < identifiers.size(); ++r)
    rows.push_back(row_behind(Recordings::Way::kGenerate, std::span(tokens).first(start + r + 1),
                              identifiers[r]));
  spoil(rows, fault);
  const std::size_t n_tokens = tokens.size() + (fault == Kind::kOtherPrompt ? 1 : 0);
  const Json answer{
      {"model", question.at("model")},
      {"usage",
       {{"prompt_tokens", n_tokens}, {"prompt_tokens_details", {{"cached_tokens", cached}}}}},
      {"prompt_token_id_logprobs", drops ? Json(nullptr) : Json(npy_text(rows))},
      {"choices", {{{"index", 0}, {"token_ids", {1}}, {"logprobs", nullptr}}}}};
  return answer.dump();
}

std::optional<std::string> FakeEngineServer::State::completions(const Json& question,
                                                                Kind fault) const {
  const auto prompts = question.at("prompt").get<std::vector<Tokens>>();
  const auto identifiers = question.at("logprob_token_ids").get<Tokens>();
  if (identifiers.size() > 128 || question.at("logprobs") != identifiers.size())
    return std::nullopt;
  if (!changes_shape(fault))
    if (auto recorded = options.recordings.answer(Recordings::Way::kCompletions, question))
      return recorded;
  FakeRows rows;
  std::size_t n_tokens = fault == Kind::kOtherPrompt ? 1 : 0;
  for (const Tokens& prompt : prompts) {
    rows.push_back(row_behind(Recordings::Way::kCompletions, prompt, identifiers));
    n_tokens += prompt.size();
  }
  spoil(rows, fault);
  Json choices = Json::array();
  for (std::size_t r = rows.size(); r-- > 0;) {  // in any order
    Json top{{"token_id:1", -0.5}};              // what was generated
    for (std::size_t i = 0; i < rows[r].size(); ++i)
      top["token_id:" + std::to_string(identifiers[i])] = rows[r][i];
    choices.push_back(
        {{"index", r}, {"text", "x"}, {"logprobs", {{"top_logprobs", Json::array({top})}}}});
  }
  if (fault == Kind::kNoRows) choices[0]["logprobs"] = nullptr;
  return Json{{"choices", choices}, {"usage", {{"prompt_tokens", n_tokens}}}}.dump();
}

std::optional<std::string> FakeEngineServer::State::sglang(const Json& question, Kind fault) {
  const auto tokens = question.at("input_ids").get<Tokens>();
  const auto start = question.at("logprob_start_len").get<std::size_t>();
  const auto identifiers = question.at("token_ids_logprob").get<Tokens>();
  if (!question.at("return_logprob").get<bool>() || start >= tokens.size()) return std::nullopt;
  FakeRows rows;
  for (std::size_t at = start + 1; at < tokens.size(); ++at)
    rows.push_back(logits_behind(std::span(tokens).first(at), identifiers));
  spoil(rows, fault);
  Json rows_json = Json::array({nullptr});
  for (const auto& row : rows) {
    Json entries = Json::array();
    for (std::size_t i = 0; i < row.size(); ++i)
      entries.push_back({row[i], identifiers[i], nullptr});
    rows_json.push_back(std::move(entries));
  }
  if (fault == Kind::kNoRows) rows_json = nullptr;
  const std::size_t n_tokens = tokens.size() + (fault == Kind::kOtherPrompt ? 1 : 0);
  const Json answer{{"text", "x"},
                    {"meta_info",
                     {{"prompt_tokens", n_tokens},
                      {"cached_tokens", 0},
                      {"input_token_ids_logprobs", std::move(rows_json)}}}};
  return answer.dump();
}

bool FakeEngineServer::State::may(const httplib::Request& request,
                                  httplib::Response& response) const {
  const bool right = options.api_key.empty() ||
                     request.get_header_value("Authorization") == "Bearer " + options.api_key;
  if (!right) {
    response.status = 401;
    response.set_content(R"({"error":{"message":"Unauthorized"}})", "application/json");
  }
  return right;
}

void FakeEngineServer::State::give(std::string text, const FakeFault& fault,
                                   httplib::Response& response) const {
  if (fault.kind == Kind::kNotJson) text = "<html>it works</html>";
  if (fault.kind == Kind::kTooLong) text.append(std::size_t{4} << 20U, ' ');
  if (fault.kind != Kind::kCut && fault.kind != Kind::kSilent && !is_dead)
    return response.set_content(text, "application/json");
  const std::size_t n_sent = fault.kind == Kind::kCut ? text.size() / 2 : 0;
  response.set_content_provider(
      text.size(), "application/json",
      [text, n_sent](std::size_t offset, std::size_t, httplib::DataSink& sink) {
        if (offset == 0 && n_sent > 0) return sink.write(text.data(), n_sent);
        return false;
      });
}

void FakeEngineServer::State::answer(const httplib::Request& request, httplib::Response& response,
                                     const Way& way) {
  if (!may(request, response)) return;
  FakeFault fault;
  {
    const std::lock_guard lock(mutex);
    if (faults) fault = faults(n_questions);
    ++n_questions;
    most_at_once = std::max(most_at_once, ++at_once);
    bodies.push_back(request.body);
  }
  const auto slow_until =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(fault.slow_ms);
  while (!is_dead && std::chrono::steady_clock::now() < slow_until)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const auto question = Json::parse(request.body, nullptr, false);
  auto body = question.is_discarded() ? std::nullopt : way(*this, question, fault.kind);
  if (fault.retry_after_s > 0)
    response.set_header("Retry-After", std::to_string(fault.retry_after_s));
  if (fault.kind == Kind::kStatus || !body) {
    response.status = body ? fault.status : 400;
    response.set_content(R"({"error":{"message":"as the test asked"}})", "application/json");
  } else {
    give(*std::move(body), fault, response);
  }
  const std::lock_guard lock(mutex);
  --at_once;
}

void FakeEngineServer::State::add_routes() {
  http.Get("/v1/models", [this](const httplib::Request& request, httplib::Response& response) {
    ++n_listings;
    if (!may(request, response)) return;
    const Json body{{"data", {{{"id", options.model}, {"max_model_len", options.max_model_len}}}}};
    response.set_content(body.dump(), "application/json");
  });
  http.Get("/health", [this](const httplib::Request&, httplib::Response& response) {
    response.status = is_well ? 200 : 503;
  });
  if (!options.detokenized.empty()) {
    http.Post("/detokenize", [this](const httplib::Request&, httplib::Response& response) {
      response.set_content(Json{{"prompt", options.detokenized}}.dump(), "application/json");
    });
  }
  const auto add = [this](const char* path, const Way& way) {
    http.Post(path, [this, way](const httplib::Request& request, httplib::Response& response) {
      try {
        answer(request, response, way);
      } catch (const std::exception& failure) {  // a question of another shape
        response.status = 400;
        response.set_content(Json{{"error", {{"message", failure.what()}}}}.dump(),
                             "application/json");
      }
    });
  };
  if (options.has_generate) add("/inference/v1/generate", &State::generate);
  add("/v1/completions", &State::completions);
  add("/generate", &State::sglang);
}

FakeEngineServer::FakeEngineServer(FakeEngineOptions options) : state_(std::make_unique<State>()) {
  state_->options = std::move(options);
  state_->http.new_task_queue = [] { return new httplib::ThreadPool(256); };  // a connection each
  state_->http.set_tcp_nodelay(true);
  state_->http.set_keep_alive_max_count(1'000'000);
  state_->add_routes();
  const int wanted = state_->options.port;
  if (wanted == 0) {
    state_->port = state_->http.bind_to_any_port("127.0.0.1");
  } else if (state_->http.bind_to_port("127.0.0.1", wanted)) {
    state_->port = wanted;
  }
  RSD_CHECK(state_->port > 0, "a free port");
  state_->thread = std::thread([this] { state_->http.listen_after_bind(); });
  while (!state_->http.is_running())
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

FakeEngineServer::~FakeEngineServer() {
  kill();
}

void FakeEngineServer::kill() {
  state_->is_dead = true;
  state_->http.stop();
  if (state_->thread.joinable()) state_->thread.join();
}

int FakeEngineServer::port() const noexcept {
  return state_->port;
}
std::string FakeEngineServer::url() const {
  return "http://127.0.0.1:" + std::to_string(state_->port);
}

void FakeEngineServer::set_faults(Faults faults) {
  const std::lock_guard lock(state_->mutex);
  state_->faults = std::move(faults);
  state_->n_questions = 0;
  state_->bodies.clear();
}
void FakeEngineServer::set_well(bool is_well) {
  state_->is_well = is_well;
}
std::size_t FakeEngineServer::n_questions() const {
  const std::lock_guard lock(state_->mutex);
  return state_->n_questions;
}
std::size_t FakeEngineServer::n_listings() const {
  return state_->n_listings;
}
std::size_t FakeEngineServer::most_at_once() const {
  const std::lock_guard lock(state_->mutex);
  return state_->most_at_once;
}
std::vector<std::string> FakeEngineServer::bodies() const {
  const std::lock_guard lock(state_->mutex);
  return state_->bodies;
}

}  // namespace rsd
