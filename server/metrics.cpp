#include "server/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>

namespace rsd::server {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using Buckets = Histogram::BucketBoundaries;

Buckets second_buckets() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
}

Family<Counter>& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

Family<Histogram>& histogram(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

// The engine keeps sums of its own.
void raise_to(Counter& counter, std::size_t total) {
  const double more = static_cast<double>(total) - counter.Value();
  if (more > 0) counter.Increment(more);
}

}  // namespace

struct Metrics::Families {
  prometheus::Registry registry;
  Family<Counter>& calls =
      counter(registry, "rsd_http_requests_total", "HTTP requests answered, by route and status");
  Family<Histogram>& call_seconds =
      histogram(registry, "rsd_http_request_seconds",
                "From the end of an HTTP request's body to the end of its handling, by route");
  Family<Counter>& refused =
      counter(registry, "rsd_refused_total", "Ranking requests that were not taken, by reason");
  Counter& cancelled = counter(registry, "rsd_cancelled_total",
                               "Ranking requests whose client hung up before the answer")
                           .Add({});
  Counter& answers =
      counter(registry, "rsd_rankings_total", "Ranking requests that were answered").Add({});
  Counter& deadline_hits = counter(registry, "rsd_deadline_hits_total",
                                   "Ranking requests that were ended by their deadline")
                               .Add({});
  Family<Histogram>& phases =
      histogram(registry, "rsd_phase_seconds",
                "Time of a ranking request, by phase: queue, prefill, decode, agent, total");
  Histogram& queue_seconds = phases.Add({{"phase", "queue"}}, second_buckets());
  Histogram& prefill_seconds = phases.Add({{"phase", "prefill"}}, second_buckets());
  Histogram& decode_seconds = phases.Add({{"phase", "decode"}}, second_buckets());
  Histogram& agent_seconds = phases.Add({{"phase", "agent"}}, second_buckets());
  Histogram& total_seconds = phases.Add({{"phase", "total"}}, second_buckets());
  Histogram& encodings = histogram(registry, "rsd_encodings", "LLM encodings of a ranking request")
                             .Add({}, Buckets{0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64});
  Histogram& verified_share =
      histogram(registry, "rsd_verified_share", "Share of a ranking's positions that is verified")
          .Add({}, Buckets{0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99});
  Counter& tokens_encoded = counter(registry, "rsd_tokens_encoded_total",
                                    "Tokens that went through the LLM for ranking requests")
                                .Add({});
  Counter& prompts = counter(registry, "rsd_prompts_total", "Prompts that were encoded").Add({});
  Counter& prompt_hits = counter(registry, "rsd_prompt_cache_hits_total",
                                 "Prompts of which a beginning was known from an earlier one")
                             .Add({});
  Counter& tokens_reused = counter(registry, "rsd_prompt_tokens_reused_total",
                                   "Tokens of prompts that were known from an earlier one")
                               .Add({});
  Family<Counter>& candidates =
      counter(registry, "rsd_candidates_total",
              "Candidates of prompts in blocks, by source: kept in memory, in the index, encoded");
  Counter& candidates_kept = candidates.Add({{"source", "kept"}});
  Counter& candidates_indexed = candidates.Add({{"source", "index"}});
  Counter& candidates_encoded = candidates.Add({{"source", "encoded"}});
  Counter& blocks_evicted = counter(registry, "rsd_blocks_evicted_total",
                                    "Kept blocks that were dropped to make room for others")
                                .Add({});
  Gauge& kept_blocks = gauge(registry, "rsd_kept_blocks", "Blocks of candidates and queries kept");
  Gauge& kept_bytes =
      gauge(registry, "rsd_kept_bytes", "Memory that kept prompts and blocks take, in bytes");
  Counter& log_lines_dropped =
      counter(registry, "rsd_log_lines_dropped_total",
              "Lines of the log that came faster than they were taken, and were dropped")
          .Add({});
  Gauge& queued = gauge(registry, "rsd_queue_length", "Ranking requests that wait");
  Gauge& in_flight = gauge(registry, "rsd_in_flight", "Ranking requests that are under way");
  Gauge& ready = gauge(registry, "rsd_ready", "1 when ranking requests are taken");
  std::mutex scraping;
};

Metrics::Metrics() : families_(std::make_unique<Families>()) {
  for (const char* reason : {"queue_full", "loading", "draining", "connections", "client", "key",
                             "memory"})  // so that 0 is exported, too
    families_->refused.Add({{"reason", reason}});
}
Metrics::~Metrics() = default;

void Metrics::count_call(std::string_view route, int status, double ms) {
  const std::string name(route);
  families_->calls.Add({{"route", name}, {"status", std::to_string(status)}}).Increment();
  families_->call_seconds.Add({{"route", name}}, second_buckets()).Observe(ms / 1000);
}

void Metrics::count_refused(std::string_view reason) {
  families_->refused.Add({{"reason", std::string(reason)}}).Increment();
}

void Metrics::count_cancelled() {
  families_->cancelled.Increment();
}

void Metrics::observe_queue(double ms) {
  families_->queue_seconds.Observe(ms / 1000);
}

void Metrics::observe_answer(const Answer& answer) {
  Families& to = *families_;
  to.answers.Increment();
  if (answer.deadline_hit) to.deadline_hits.Increment();
  to.prefill_seconds.Observe(answer.prefill_ms / 1000);
  to.decode_seconds.Observe(answer.decode_ms / 1000);
  to.agent_seconds.Observe(answer.agent_ms / 1000);
  to.total_seconds.Observe(answer.total_ms / 1000);
  to.encodings.Observe(static_cast<double>(answer.encodings));
  if (const std::size_t n = answer.ranking.size(); n > 0) {
    to.verified_share.Observe(static_cast<double>(answer.verified_prefix) / static_cast<double>(n));
  }
  to.tokens_encoded.Increment(static_cast<double>(answer.tokens_encoded));
}

std::string Metrics::text(const State& state) {
  Families& of = *families_;
  const std::lock_guard lock(of.scraping);
  of.queued.Set(static_cast<double>(state.n_queued));
  of.in_flight.Set(static_cast<double>(state.n_in_flight));
  of.ready.Set(state.ready ? 1 : 0);
  raise_to(of.log_lines_dropped, state.n_log_lines_dropped);
  raise_to(of.prompts, state.prompts.n_prompts);
  raise_to(of.prompt_hits, state.prompts.n_hits);
  raise_to(of.tokens_reused, state.prompts.tokens_reused);
  raise_to(of.candidates_kept, state.prompts.candidates_kept);
  raise_to(of.candidates_indexed, state.prompts.candidates_indexed);
  raise_to(of.candidates_encoded, state.prompts.candidates_encoded);
  raise_to(of.blocks_evicted, state.prompts.blocks_evicted);
  of.kept_blocks.Set(static_cast<double>(state.prompts.kept_blocks));
  of.kept_bytes.Set(static_cast<double>(state.prompts.kept_bytes));
  return prometheus::TextSerializer().Serialize(of.registry.Collect());
}

}  // namespace rsd::server
