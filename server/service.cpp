#include "server/service.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "server/api/error_reply.h"
#include "server/api/memory_cost.h"
#include "server/api/rank_options.h"
#include "server/api/rank_shape.h"
#include "server/api/taken_apart.h"

namespace rsd::server {
namespace {

void note(const Ranked& ranked, CallNotes& notes) {
  ++notes.n_requests;
  notes.n_candidates += ranked.request().candidates.size();
  notes.encodings += ranked.answer.encodings;
  notes.tokens_encoded += ranked.answer.tokens_encoded;
  notes.queue_ms = std::max(notes.queue_ms, ranked.queue_ms);
  notes.deadline_hit = notes.deadline_hit || ranked.answer.deadline_hit;
}

// nullopt: there was enough, and it is taken.
std::optional<Failure> take_memory(const Call& call, std::size_t bytes) {
  return call.take_memory ? call.take_memory(bytes) : std::nullopt;
}

// The reply is valid UTF-8, whatever it quotes of a request.
Reply json_reply(OutJson body) {
  const TakenApart taken_apart(body);
  return {.body = body.dump(-1, ' ', false, OutJson::error_handler_t::replace)};
}

void write_headers(const Ranked& ranked, Reply& reply) {
  const Answer& answer = ranked.answer;
  reply.headers.emplace_back("X-RSD-Decoder", answer.decoder);
  reply.headers.emplace_back("X-RSD-Encodings", std::to_string(answer.encodings));
  reply.headers.emplace_back("X-RSD-Verified-Prefix", std::to_string(answer.verified_prefix));
  reply.headers.emplace_back("X-RSD-Deadline-Hit", answer.deadline_hit ? "true" : "false");
  reply.headers.emplace_back("X-RSD-Truncated", std::to_string(answer.truncated_candidates));
  if (answer.truncated_query) reply.headers.emplace_back("X-RSD-Query-Truncated", "true");
  if (answer.windows)
    reply.headers.emplace_back("X-RSD-Windows", std::to_string(answer.windows->count));
}

// In place of an item's answer.
OutJson failed_item(const std::string& id, const Failure& failure) {
  return {{"id", id}, {"error", error_body(failure, Dialect::kRerank)["error"]}};
}

// For each item its answer, or its error.
Reply rank_reply(RankCall& call, std::vector<RankEnd> ends, const std::string& model) {
  Reply reply;
  OutJson answers = OutJson::array();
  std::size_t prompt_tokens = 0;
  std::size_t total_tokens = 0;
  const Rounds rounds = call.options.keep_rounds ? Rounds::kShown : Rounds::kHidden;
  auto next = ends.begin();
  for (RankItem& item : call.items) {
    auto* unread = std::get_if<Failure>(&item.request);
    RankEnd end = unread != nullptr ? RankEnd(std::move(*unread)) : std::move(*next++);
    if (const auto* failure = std::get_if<Failure>(&end)) {
      if (!call.is_list) return error_reply(*failure, Dialect::kRerank);
      answers.push_back(failed_item(item.id, *failure));
      reply.notes.failure = failure->log.empty() ? failure->message : failure->log;
      continue;
    }
    const auto& ranked = std::get<Ranked>(end);
    note(ranked, reply.notes);
    prompt_tokens += ranked.answer.prompt_tokens;
    total_tokens += ranked.total_tokens();
    answers.push_back(rank_answer(ranked, rounds));
    if (!call.is_list) write_headers(ranked, reply);
  }
  reply.body = json_reply({{"model", model},
                           {"answers", std::move(answers)},
                           {"usage",
                            {{"prompt_tokens", prompt_tokens},
                             {"total_tokens", total_tokens},
                             {"encodings", reply.notes.encodings}}}})
                   .body;
  return reply;
}

}  // namespace

Service::Service(const ServiceLimits& limits, RankOptions defaults)
    : limits_(limits), defaults_(std::move(defaults)) {}

Service::~Service() = default;

void Service::start(std::unique_ptr<Ranker> ranker) {
  auto scheduler = std::make_unique<Scheduler>(*ranker, limits_.jobs, metrics_);
  broker_ = std::make_unique<Broker>(std::move(ranker), std::move(scheduler),
                                     limits_.requests_per_key, metrics_);
  started_ = true;
}

bool Service::drain(Clock::time_point until) {
  draining_ = true;
  return !started_ || broker_->scheduler().drain(until);
}

bool Service::stop(Clock::time_point until) {
  draining_ = true;
  return !started_ || broker_->scheduler().stop(until);
}

std::optional<Failure> Service::unavailable(Phase phase) {
  constexpr long kRetrySeconds = 5;
  switch (phase) {
    case Phase::kReady:
      return std::nullopt;
    case Phase::kLoading:
      return Failure{
          .status = 503, .message = "the model is being loaded", .retry_after_s = kRetrySeconds};
    case Phase::kDraining:
      return Failure{
          .status = 503, .message = "the server is shutting down", .retry_after_s = kRetrySeconds};
  }
  return std::nullopt;
}

// nullopt: ranking calls are taken.
std::optional<Failure> Service::refuse_ranking() {
  const Phase now = phase();
  if (now != Phase::kReady) metrics_.count_refused(now == Phase::kLoading ? "loading" : "draining");
  return unavailable(now);
}

// Rounds are counted before any is written: a row has a logit of each candidate, and there may be
// as many rows as candidates in a round, and as many rounds.
std::optional<Failure> Service::fault_of_rounds(const RankCall& wanted,
                                                const std::vector<RankEnd>& ends,
                                                const Call& call) const {
  if (!wanted.options.keep_rounds) return std::nullopt;
  std::size_t n_logits = 0;
  for (const RankEnd& end : ends)
    if (const auto* ranked = std::get_if<Ranked>(&end)) n_logits += n_round_logits(*ranked);
  if (n_logits > limits_.max_round_logits) {
    return Failure{.status = 413,
                   .message = "the answer's rounds have " + std::to_string(n_logits) +
                              " logits; this server returns at most " +
                              std::to_string(limits_.max_round_logits) +
                              ": send fewer requests at a time, or no rounds"};
  }
  return take_memory(call, memory_of_logits(n_logits));
}

Reply Service::rerank(const Call& call, RerankRoute route) {
  const Dialect unread = takes_tei(route) ? Dialect::kTei : Dialect::kRerank;
  if (const auto failure = refuse_ranking()) return error_reply(*failure, unread);
  if (const auto failure = take_memory(call, memory_of_parsing(call.body)))
    return error_reply(*failure, unread);
  auto body = parse_body(call.body, limits_.max_depth);
  if (!body) return error_reply(failure_of(body.error()), unread);
  const TakenApart taken_apart(*body);
  RankOptions defaults = defaults_;
  const auto headers = read_option_headers(call.header_of, defaults);
  ParsedRerank parsed = parse_rerank(*body, route,
                                     {.max_documents = limits_.max_candidates,
                                      .unknown = limits_.unknown_fields,
                                      .defaults = std::move(defaults)});
  if (!parsed.failure && !headers) parsed.failure = failure_of(headers.error());
  Reply reply = rerank_parsed(parsed, call, route);
  if (!parsed.ignored.empty()) reply.headers.emplace_back("X-RSD-Ignored-Fields", parsed.ignored);
  reply.notes.ignored_fields = parsed.ignored;
  return reply;
}

// Once the body is read.
Reply Service::rerank_parsed(ParsedRerank& parsed, const Call& call, RerankRoute route) {
  const auto refuse = [&](const Failure& failure) {
    const bool is_tei = parsed.dialect == Dialect::kTei;
    return error_reply(is_tei ? as_tei(failure) : failure, parsed.dialect);
  };
  if (parsed.failure) return refuse(*parsed.failure);
  RerankCall& wanted = *parsed.call;
  auto ranked = broker_->rank({request_of(wanted, call.request_id)}, wanted.options, call);
  if (const auto* failure = std::get_if<Failure>(&ranked)) return refuse(*failure);
  const RankEnd& end = std::get<std::vector<RankEnd>>(ranked).front();
  if (const auto* failure = std::get_if<Failure>(&end)) return refuse(*failure);
  const auto& answer = std::get<Ranked>(end);
  Reply reply = json_reply(rerank_body(
      {.call = wanted, .ranked = answer, .model = broker_->ranker().model_name(), .route = route}));
  write_headers(answer, reply);
  note(answer, reply.notes);
  return reply;
}

// Texts of the index take memory as if they had come in the body. Where there is none, or the index
// can't be read, the lookups of the call fail, and `failure` says why.
RequestLimits::Texts Service::indexed_texts(const Call& call,
                                            std::optional<Failure>& failure) const {
  if (!limits_.texts) return {};
  return [this, &call, &failure](const std::string& id) -> Result<std::optional<std::string>> {
    auto text = limits_.texts(id);
    if (text && !*text) return text;
    if (!text) {
      failure = Failure{.status = 500,
                        .message = "the index of candidates failed; the server's log says why",
                        .log = text.error().message()};
    } else if (!failure) {
      failure = take_memory(call, memory_of_parsing(**text));
    }
    if (failure) return Error(ErrorCode::kRuntime, failure->message);
    return text;
  };
}

Reply Service::rank(const Call& call) {
  const auto refuse = [](const Failure& failure) { return error_reply(failure, Dialect::kRerank); };
  if (const auto failure = refuse_ranking()) return refuse(*failure);
  if (const auto failure = take_memory(call, memory_of_parsing(call.body))) return refuse(*failure);
  auto body = parse_body(call.body, limits_.max_depth);
  if (!body) return refuse(failure_of(body.error()));
  const TakenApart taken_apart(*body);
  const std::size_t max_requests = call.key.empty()
                                       ? limits_.jobs.queue
                                       : std::min(limits_.jobs.queue, limits_.requests_per_key);
  RankOptions defaults = defaults_;
  const auto headers = read_option_headers(call.header_of, defaults);
  std::optional<Failure> no_texts;
  auto parsed = parse_rank(*body, call.request_id,
                           {.max_requests = max_requests,
                            .max_candidates = limits_.max_candidates,
                            .defaults = std::move(defaults),
                            .texts = indexed_texts(call, no_texts)});
  if (no_texts) return refuse(*no_texts);
  if (const auto* failure = std::get_if<Failure>(&parsed)) return refuse(*failure);
  auto& wanted = std::get<RankCall>(parsed);
  if (!headers) return refuse(failure_of(headers.error()));
  std::vector<Request> requests;
  requests.reserve(wanted.items.size());
  for (RankItem& item : wanted.items) {
    if (auto* request = std::get_if<Request>(&item.request))
      requests.push_back(std::move(*request));
  }
  auto ranked = broker_->rank(std::move(requests), wanted.options, call);
  if (const auto* failure = std::get_if<Failure>(&ranked)) return refuse(*failure);
  auto& ends = std::get<std::vector<RankEnd>>(ranked);
  if (const auto failure = fault_of_rounds(wanted, ends, call)) return refuse(*failure);
  return rank_reply(wanted, std::move(ends), broker_->ranker().model_name());
}

Reply Service::health() const {
  return json_reply({{"status", "ok"}});
}

Reply Service::ready() const {
  if (const auto failure = unavailable(phase())) return error_reply(*failure, Dialect::kRerank);
  return json_reply({{"status", "ready"}});
}

OutJson Service::model_entry() const {
  const Ranker& ranker = broker_->ranker();
  const std::size_t max_candidates =
      std::min(ranker.max_candidates(Task::kPassage), limits_.max_candidates);
  return {{"id", ranker.model_name()},
          {"object", "model"},
          {"created", 0},
          {"owned_by", "rsd"},
          {"model_name", ranker.model_name()},  // Xinference's clients look for these two
          {"model_type", "rerank"},
          {"meta",
           {{"context_size", ranker.context_size()},
            {"max_candidates", max_candidates},
            {"decoder", to_string(defaults_.decoder)}}}};
}

Reply Service::models() const {
  if (const auto failure = unavailable(phase())) return error_reply(*failure, Dialect::kRerank);
  return json_reply({{"object", "list"}, {"data", OutJson::array({model_entry()})}});
}

Reply Service::model() const {
  if (const auto failure = unavailable(phase())) return error_reply(*failure, Dialect::kRerank);
  return json_reply(model_entry());
}

Reply Service::info() const {
  if (const auto failure = unavailable(phase())) return error_reply(*failure, Dialect::kTei);
  const Ranker& ranker = broker_->ranker();
  const OutJson labels{{"id2label", {{"0", "LABEL_0"}}}, {"label2id", {{"LABEL_0", 0}}}};
  return json_reply({{"model_id", ranker.model_name()},
                     {"model_sha", nullptr},
                     {"model_dtype", "unknown"},
                     {"served_model_name", ranker.model_name()},
                     {"model_type", {{"reranker", labels}}},
                     {"max_concurrent_requests", limits_.jobs.queue + ranker.parallel()},
                     {"max_input_length", ranker.context_size()},
                     {"max_batch_tokens", ranker.context_size()},
                     {"max_batch_requests", ranker.parallel()},
                     {"max_client_batch_size", limits_.max_candidates},
                     {"auto_truncate", true},
                     {"tokenization_workers", 1},
                     {"version", RSD_VERSION},
                     {"sha", nullptr},
                     {"docker_label", nullptr}});
}

Reply Service::metrics_text() {
  Metrics::State state{.ready = phase() == Phase::kReady,
                       .n_log_lines_dropped = n_log_lines_dropped_ ? n_log_lines_dropped_() : 0};
  if (started_) {
    const Scheduler& scheduler = broker_->scheduler();
    state.n_queued = scheduler.n_queued();
    state.n_in_flight = scheduler.n_in_flight();
    state.prompts = scheduler.prompt_reuse();
  }
  return {.body = metrics_.text(state), .content_type = "text/plain; version=0.0.4; charset=utf-8"};
}

}  // namespace rsd::server
