#include "remote/connect.h"

#include <algorithm>
#include <array>
#include <random>
#include <span>
#include <string_view>
#include <thread>
#include <utility>

#include "remote/backoff.h"
#include "remote/http_answer.h"
#include "remote/protocol_json.h"
#include "remote/replica_set.h"
#include "rsd/core/log_to.h"
#include "rsd/core/shown_text.h"

namespace rsd {
namespace {

// Timeout for the short queries at the start.
std::chrono::milliseconds start_timeout(const RemoteOptions& options) {
  constexpr std::chrono::milliseconds kLongest{20'000};
  return std::min(kLongest, options.patience.answer_timeout);
}

// One call per server; `call` has the path in place of the URL.
std::vector<HttpCall> calls_to(const std::vector<std::string>& urls, const HttpCall& call) {
  std::vector<HttpCall> calls(urls.size(), call);
  for (std::size_t n = 0; n < urls.size(); ++n)
    calls[n].url = urls[n] + call.url;
  return calls;
}

// True if another try may succeed. A replica that is unreachable is not waited for if others
// answer.
bool may_pass(const HttpReply& reply, bool others_answer) {
  if (others_answer && reply.failure == HttpFailure::kConnect) return false;
  const ReplyKind kind = kind_of(reply);
  return kind == ReplyKind::kTransient || kind == ReplyKind::kBusy;
}

// Makes all calls at once and repeats those with a temporary failure a few times. The replies are
// in the order of the calls.
std::vector<HttpReply> ask_all(HttpClient& http, const std::vector<HttpCall>& calls,
                               const RemotePatience& patience) {
  Backoff backoff(patience.backoff, patience.max_backoff, std::random_device{}());
  std::vector<HttpReply> replies(calls.size());
  std::vector<std::size_t> missing(calls.size());
  for (std::size_t n = 0; n < calls.size(); ++n)
    missing[n] = n;
  for (std::size_t n_failed = 0; !missing.empty(); ++n_failed) {
    if (n_failed > 0) std::this_thread::sleep_for(backoff.delay(n_failed));
    std::vector<std::pair<HttpClient::Ticket, std::size_t>> started;
    started.reserve(missing.size());
    for (const std::size_t n : missing)
      started.emplace_back(http.start(calls[n]), n);
    missing.clear();
    for (std::size_t left = started.size(); left > 0;) {
      for (auto& ended : http.wait(Clock::time_point::max())) {
        const auto found =
            std::ranges::find(started, ended.ticket, &decltype(started)::value_type::first);
        replies[found->second] = std::move(ended.reply);
        --left;
      }
    }
    if (n_failed == patience.retries) break;
    const bool any_answer =
        std::ranges::find(replies, HttpFailure::kNone, &HttpReply::failure) != replies.end();
    for (const auto& [ticket, n] : started)
      if (may_pass(replies[n], any_answer)) missing.push_back(n);
  }
  return replies;
}

struct Listing {
  std::vector<std::string> names;
  std::optional<std::size_t> context_size;
};

// A name is sent back, logged and written into results, so it must be one line that can be shown as
// it is.
bool is_model_name(std::string_view name) {
  constexpr std::size_t kMostChars = 512;
  return !name.empty() && shown_text(name, kMostChars) == name;
}

// {"data": [{"id": …, "max_model_len": …}, …]}
std::optional<Listing> parse_listing(const std::string& body) {
  const auto json = JsonAnswer::parse(body);
  if (!json) return std::nullopt;
  const auto data = elements(member(json->root(), "data"));
  if (!data) return std::nullopt;
  Listing listing;
  for (const JsonValue entry : *data) {
    const auto name = text(member(entry, "id"));
    if (!name || !is_model_name(*name)) return std::nullopt;
    listing.names.emplace_back(*name);
    if (!listing.context_size) listing.context_size = whole_number(member(entry, "max_model_len"));
  }
  return listing.names.empty() ? std::nullopt : std::optional(std::move(listing));
}

// SGLang's older form: {"model_path": …}
std::optional<Listing> parse_model_info(const std::string& body) {
  const auto json = JsonAnswer::parse(body);
  if (!json) return std::nullopt;
  const auto path = text(member(json->root(), "model_path"));
  if (!path || !is_model_name(*path)) return std::nullopt;
  return Listing{.names = {std::string(*path)}, .context_size = std::nullopt};
}

std::vector<HttpReply> get_all(HttpClient& http, const RemoteOptions& options,
                               const std::string& path) {
  const HttpCall call{.url = path, .body = std::nullopt, .timeout = start_timeout(options)};
  return ask_all(http, calls_to(options.urls, call), options.patience);
}

// nullopt for a replica that is unreachable now but may be reachable later. A replica that refuses
// the query is an error.
Result<std::optional<Listing>> listing_of(const std::string& url, const HttpReply& reply,
                                          const std::optional<Listing>& parsed) {
  const ReplyKind kind = kind_of(reply);
  if (kind == ReplyKind::kAnswer && !parsed) {
    return Error(ErrorCode::kUnsupported,
                 "engine " + url + ": what it says of its models is not understood");
  }
  if (kind == ReplyKind::kRefused)
    return Error(ErrorCode::kRuntime, "engine " + url + ": " + describe(reply));
  return parsed;
}

std::vector<std::pair<HttpReply, std::optional<Listing>>> listings(HttpClient& http,
                                                                   const RemoteOptions& options) {
  std::vector<std::pair<HttpReply, std::optional<Listing>>> found;
  auto replies = get_all(http, options, "/v1/models");
  const bool lacks_listing =
      std::ranges::any_of(replies, [](const HttpReply& reply) { return reply.status == 404; });
  const bool asks_again = options.server == RemoteServer::kSglang && lacks_listing;
  if (asks_again) replies = get_all(http, options, "/get_model_info");
  for (HttpReply& reply : replies) {
    auto listing = asks_again ? parse_model_info(reply.body) : parse_listing(reply.body);
    found.emplace_back(std::move(reply), std::move(listing));
  }
  return found;
}

// A prompt of a few tokens with two identifiers, and the rows of both.
struct ProbeTokens {
  std::vector<TokenId> prompt;
  std::array<IdentifierToken, 2> identifiers;
  std::array<ItemId, 2> proposal{ItemId(0), ItemId(1)};

  RowQuestion question() const {
    return {.prompt = prompt, .identifiers = identifiers, .proposal = proposal, .rows = {0, 2}};
  }
};

Result<ProbeTokens> probe_tokens(const Tokenizer& tokenizer) {
  ProbeTokens probe{.prompt = tokenizer.encode_text("Which of these is the first: A or B?")};
  if (probe.prompt.size() < 2 || probe.prompt.front() == probe.prompt.back())
    return Error(ErrorCode::kUnsupported, "the tokenizer has the same token for two words");
  probe.identifiers = {IdentifierToken(probe.prompt.front().value()),
                       IdentifierToken(probe.prompt.back().value())};
  return probe;
}

// The text that the replica decodes from the tokens; nullopt if it doesn't report one. vLLM sends
// {"prompt": …}, SGLang {"text": …}.
std::optional<std::string> text_in(const HttpReply& reply) {
  if (kind_of(reply) != ReplyKind::kAnswer) return std::nullopt;
  const auto json = JsonAnswer::parse(reply.body);
  if (!json) return std::nullopt;
  for (const char* name : {"prompt", "text"})
    if (const auto found = text(member(json->root(), name))) return std::string(*found);
  return std::nullopt;
}

// SentencePiece puts a space in front of any text.
std::string_view without_spaces_around(std::string_view text) {
  while (text.starts_with(' '))
    text.remove_prefix(1);
  while (text.ends_with(' '))
    text.remove_suffix(1);
  return text;
}

// Whether a replica understands a protocol, judged by its reply to a question.
struct Verdict {
  enum class Kind { kUnderstood, kNotUnderstood, kUnknown } kind = Kind::kUnknown;
  std::string why_not;
};

// Only a reply to the question itself counts against the protocol: a replica that is overloaded or
// unreachable may still understand it.
Verdict verdict_of(const HttpReply& reply, const Protocol& protocol, const RowQuestion& question) {
  if (kind_of(reply) == ReplyKind::kAnswer) {
    const auto parsed = protocol.parse(reply.body, question);
    if (parsed) return {.kind = Verdict::Kind::kUnderstood, .why_not = {}};
    return {.kind = Verdict::Kind::kNotUnderstood, .why_not = parsed.error().message()};
  }
  constexpr std::array kRejections{400, 404, 405, 422, 501};
  const bool rejects = reply.failure == HttpFailure::kTooLong ||
                       (reply.failure == HttpFailure::kNone &&
                        std::ranges::find(kRejections, reply.status) != kRejections.end());
  return {.kind = rejects ? Verdict::Kind::kNotUnderstood : Verdict::Kind::kUnknown,
          .why_not = describe(reply)};
}

// The verdicts of all replicas.
struct Verdicts {
  bool any_understood = false;
  std::string objections;  // empty: none
  std::string unknown;     // the replicas without a verdict, and why
};

Verdicts verdicts_of(const std::vector<HttpReply>& replies, const std::vector<std::string>& urls,
                     const Protocol& protocol, const RowQuestion& question) {
  Verdicts all;
  for (std::size_t n = 0; n < replies.size(); ++n) {
    const Verdict verdict = verdict_of(replies[n], protocol, question);
    if (verdict.kind == Verdict::Kind::kUnderstood) {
      all.any_understood = true;
      continue;
    }
    std::string& where = verdict.kind == Verdict::Kind::kUnknown ? all.unknown : all.objections;
    where += (where.empty() ? "" : "; ") + urls[n] + ": " + verdict.why_not;
  }
  return all;
}

Result<void> check_times(const RemotePatience& patience) {
  const auto in_range = [](std::chrono::milliseconds time) {
    return time.count() >= 1 && time <= std::chrono::hours(24);
  };
  for (const auto time : {patience.connect_timeout, patience.answer_timeout, patience.backoff,
                          patience.max_backoff, patience.open_time, patience.max_open_time})
    if (!in_range(time))
      return invalid_argument("a time of the engine's patience must be 1 ms to 1 day");
  if (patience.retries > 20) {
    return invalid_argument("retries is " + std::to_string(patience.retries) +
                            "; it must be 0 to 20");
  }
  if (patience.failures_to_open < 1) return invalid_argument("failures_to_open must be 1 or more");
  return {};
}

// Anyone on the network path can read plain HTTP.
Result<void> check_key_transport(const RemoteOptions& options, const std::string& url) {
  const bool is_safe = options.key_transport == KeyTransport::kAnyHttp || options.api_key.empty() ||
                       url.starts_with("https://") || is_loopback_url(url);
  if (is_safe) return {};
  return invalid_argument(
      "engine URL " + url +
      ": the API key would go over plain http, for others to read; take https, or allow "
      "it with --engine-key-over-http");
}

}  // namespace

Result<void> check_remote_options(RemoteOptions& options) {
  constexpr std::size_t kMaxReplicas = 64;
  if (options.urls.empty() || options.urls.size() > kMaxReplicas) {
    return invalid_argument("there are " + std::to_string(options.urls.size()) +
                            " engine URLs; there must be 1 to " + std::to_string(kMaxReplicas));
  }
  for (std::string& url : options.urls) {
    auto parsed = parse_replica_url(url);
    if (!parsed) return parsed.error();
    url = *std::move(parsed);
    if (auto safe = check_key_transport(options, url); !safe) return safe;
  }
  for (const auto& url : options.urls)
    if (std::ranges::count(options.urls, url) > 1)
      return invalid_argument("engine URL " + url + " is given twice");
  if (options.parallel < 1 || options.parallel > kMaxParallel) {
    return invalid_argument("parallel is " + std::to_string(options.parallel) +
                            "; it must be 1 to " + std::to_string(kMaxParallel));
  }
  if (options.max_answer_bytes < 1) return invalid_argument("max_answer_bytes must be 1 or more");
  return check_times(options.patience);
}

Result<ServedModel> find_model(HttpClient& http, const RemoteOptions& options) {
  const auto found = listings(http, options);
  ServedModel model{.name = options.model, .context_size = std::nullopt, .reached = {}};
  std::string silent;
  for (std::size_t n = 0; n < found.size(); ++n) {
    const std::string& url = options.urls[n];
    const auto listing = listing_of(url, found[n].first, found[n].second);
    if (!listing) return listing.error();
    if (!*listing) {
      silent += (silent.empty() ? "" : "; ") + url + ": " + describe(found[n].first);
      continue;
    }
    const auto& names = (*listing)->names;
    if (model.name.empty()) model.name = names.front();
    if (std::ranges::find(names, model.name) == names.end())
      return invalid_argument("engine " + url + " serves " + names.front() + ", not " + model.name);
    const auto size = (*listing)->context_size;
    if (size) model.context_size = std::min(*size, model.context_size.value_or(*size));
    model.reached.push_back(url);
  }
  if (model.reached.empty()) return Error(ErrorCode::kRuntime, "no engine answers: " + silent);
  if (!silent.empty())
    log_to(options.log, LogLevel::kWarning, "some engines don't answer: " + silent);
  return model;
}

Result<void> check_vocabulary(HttpClient& http, const RemoteOptions& options,
                              const ServedModel& model) {
  const std::string text = "How are 42 split peas ranked? As naïve Bücher, (perhaps) ever so well.";
  const auto tokens = options.tokenizer->encode_text(text);
  std::string body = "{\"model\":" + json_string(model.name) + ",\"tokens\":";
  append_numbers(body, std::span(tokens));
  const HttpCall call{.url = "/detokenize", .body = body + "}", .timeout = start_timeout(options)};
  const auto replies = ask_all(http, calls_to(model.reached, call), options.patience);
  for (std::size_t n = 0; n < replies.size(); ++n) {
    const auto read = text_in(replies[n]);
    if (!read) {
      log_to(options.log, LogLevel::kInfo,
             "engine " + model.reached[n] + " doesn't report whether the tokenizer is its own");
    } else if (without_spaces_around(*read) != text) {
      return invalid_argument("the tokenizer is not that of " + model.name + " at " +
                              model.reached[n] + ": it reads \"" + shown_text(*read) +
                              "\" in the tokens of \"" + text + "\"");
    }
  }
  return {};
}

Result<std::shared_ptr<const Protocol>> find_protocol(HttpClient& http,
                                                      const RemoteOptions& options,
                                                      const ServedModel& model) {
  const auto probe = probe_tokens(*options.tokenizer);
  if (!probe) return probe.error();
  std::vector<std::shared_ptr<const Protocol>> known;
  if (options.server == RemoteServer::kSglang) {
    known = {sglang_generate_protocol()};
  } else {
    known = {vllm_generate_protocol(), vllm_completions_protocol()};
  }
  std::string objections;
  for (auto& protocol : known) {
    const HttpCall call{.url = std::string(protocol->path()),
                        .body = protocol->body(probe->question(), model.name, CacheUse::kRead),
                        .timeout = options.patience.answer_timeout};
    const auto replies = ask_all(http, calls_to(model.reached, call), options.patience);
    const auto verdicts = verdicts_of(replies, model.reached, *protocol, probe->question());
    if (!verdicts.unknown.empty())
      log_to(options.log, LogLevel::kWarning, "some engines don't answer: " + verdicts.unknown);
    if (verdicts.objections.empty() && !verdicts.any_understood)
      return Error(ErrorCode::kRuntime, "no engine answers: " + verdicts.unknown);
    if (verdicts.objections.empty()) {
      log_to(options.log, objections.empty() ? LogLevel::kInfo : LogLevel::kWarning,
             "model " + model.name + " is asked by " + std::string(protocol->name()) +
                 (objections.empty() ? "" : ", since " + objections));
      return std::move(protocol);
    }
    objections += (objections.empty() ? "" : "; ") + std::string(protocol->name()) + ": " +
                  verdicts.objections;
  }
  return Error(ErrorCode::kUnsupported, "no way of asking is understood: " + objections);
}

}  // namespace rsd
