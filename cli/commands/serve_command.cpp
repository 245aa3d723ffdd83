#include "commands/commands.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "options/decoder_options.h"
#include "options/engine_options.h"
#include "options/flags.h"
#include "options/window_flags.h"
#include "rsd/core/duration.h"
#include "rsd/core/file.h"
#include "rsd/ranker/named_policies.h"
#include "rsd/ranker/ranker.h"
#include "server/credentials.h"
#include "server/http/api_keys.h"
#include "server/http/client_address.h"
#include "server/http/http_server.h"
#include "server/routes.h"
#include "server/service.h"
#include "terminal/exit_code.h"
#include "terminal/log.h"
#include "terminal/serve_signals.h"
#include "terminal/server_log.h"

namespace rsd::cli {
namespace {

struct ServeOptions {
  EngineFlags engine;
  DecoderFlags decoder;
  WindowFlags windows;
  server::HttpServerOptions http;
  server::ServiceLimits limits;
  std::size_t memory_mib = 1024;
  std::optional<std::size_t> connections_per_client;  // 0 = any number
  std::optional<std::size_t> requests_per_key;        // 0 = any number
  std::size_t max_tokens = 500'000;                   // of a request; 0 = any number
  bool is_strict = false;
  std::string alias;
  server::CredentialFiles credentials;
  std::string port_file;
  double drain_timeout_s = 30;
  std::string log_format = "text";
  bool level_is_given = false;
};

// 0 on the command line means no limit.
std::size_t limit_of(std::size_t option) {
  return option == 0 ? server::Quota::kNoLimit : option;
}

bool is_own_machine(const std::string& host) {
  return host == "localhost" || server::is_loopback(host);
}

// Each connection is a file, and many systems allow 1,024 unless a program asks for more.
void allow_more_files() {
  constexpr rlim_t kEnough = 65'536;
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= kEnough) return;
  files.rlim_cur = std::min(files.rlim_max, kEnough);
  setrlimit(RLIMIT_NOFILE, &files);
}

// If there is only one key, its requests delay nobody else.
std::size_t requests_per_key(const ServeOptions& options, std::size_t n_keys) {
  if (options.requests_per_key) return limit_of(*options.requests_per_key);
  return n_keys > 1 ? (options.limits.jobs.queue + 1) / 2 : server::Quota::kNoLimit;
}

Result<void> report_port(const ServeOptions& options, int port) {
  const std::string scheme = options.credentials.tls.certificate.empty() ? "http" : "https";
  if (!options.http.unix_socket.empty()) {
    spdlog::info("listening on unix:{} ({})", options.http.unix_socket, scheme);
    return {};
  }
  const bool is_v6 = options.http.host.find(':') != std::string::npos;
  const std::string host = is_v6 ? "[" + options.http.host + "]" : options.http.host;
  spdlog::info("listening on {}://{}:{}", scheme, host, port);
  if (options.port_file.empty()) return {};
  return write_file_atomically(options.port_file, std::to_string(port) + "\n");
}

constexpr std::chrono::milliseconds kLookInterval{50};
// For the log to be written at the end.
constexpr std::chrono::seconds kLogTime{1};
// After the end of draining, for the last answers to be sent and for a pass of the LLM to finish.
constexpr std::chrono::seconds kGrace{2};

class ServeRun {
 public:
  // `signals` and `log` outlive it.
  ServeRun(const ServeOptions& options, const CommonOptions& common, const ServeSignals& signals,
           const ServerLog& log)
      : options_(options), common_(common), signals_(signals), log_(log) {}

  // Listens before it loads, so that early clients get the answer that the model is being loaded.
  Result<ExitCode> run() {
    allow_more_files();
    if (auto prepared = prepare(); !prepared) return prepared.error();
    auto port = http_->bind();
    if (!port) return port.error();
    if (auto written = report_port(options_, *port); !written) return written.error();
    std::thread serving([this] { serve(); });
    std::thread loading([this] { load(); });
    bool stop = false;
    while (!stop && !loaded_ && !served_)
      stop = stop_came(kLookInterval);
    if (!loaded_) {  // loading can't be interrupted, and nothing else was begun
      if (served_) exit_at_once(fail(*serve_error_));
      spdlog::info("stopped while the model was being loaded");
      exit_at_once(kSuccess);
    }
    loading.join();
    auto end = end_of_stopping();
    if (!load_error_) {
      spdlog::info("ready: model {}, {} requests at a time", model_name_, options_.engine.parallel);
      while (!stop && !served_)
        stop = stop_came(kLookInterval);
      end = drain();
    }
    stop_serving(serving, end);
    if (load_error_) return *load_error_;
    if (serve_error_) return *serve_error_;
    spdlog::info("stopped");
    return kSuccess;
  }

 private:
  // Everything that can be wrong is found before anything is listened on.
  Result<void> prepare() {
    server::HttpServerOptions http = options_.http;
    http.log = log_.access_sink();
    http.memory_bytes = options_.memory_mib << 20U;
    http.messages = log_sink();
    auto keys = server::read_api_keys(options_.credentials);
    if (!keys) return keys.error();
    http.keys = server::ApiKeys(*keys);
    auto tls = server::read_tls(options_.credentials);
    if (!tls) return tls.error();
    http.tls = *std::move(tls);
    if (keys->empty() && http.unix_socket.empty() && !is_own_machine(http.host)) {
      spdlog::warn("everybody who can reach {} may call: there is no API key (--api-key-file)",
                   http.host);
    }
    auto defaults = rank_options(options_.decoder, options_.windows);
    if (!defaults) return defaults.error();
    warn_of_unused(options_.decoder);
    auto engine = engine_options(options_.engine, common_);
    if (!engine) return engine.error();
    engine_options_ = *std::move(engine);
    engine_options_.policy = options_.decoder.policy;
    engine_options_.agent = options_.decoder.agent;
    if (const auto named = named_policies(policy_names(options_.decoder)); !named)
      return named.error();
    server::ServiceLimits limits = options_.limits;
    limits.texts = candidate_texts(engine_options_);
    limits.requests_per_key = requests_per_key(options_, keys->size());
    if (options_.max_tokens > 0) defaults->max_tokens = options_.max_tokens;
    service_.emplace(limits, *std::move(defaults));
    service_->count_dropped_lines([this] { return log_.n_dropped(); });
    http_.emplace(server::application_of(*service_), std::move(http));
    return {};
  }

  // True if a signal to stop has come by then. Any other signal is obeyed at once.
  bool stop_came(std::chrono::milliseconds time) {
    const ServeSignal signal = signals_.wait_for(time);
    if (signal == ServeSignal::kReread) server::reread(options_.credentials, *http_, log_sink());
    return signal == ServeSignal::kStop;
  }

  // In a thread of its own.
  void serve() {
    try {
      if (auto done = http_->serve(); !done) serve_error_ = done.error();
    } catch (const std::exception& defect) {
      serve_error_ = Error(ErrorCode::kRuntime, defect.what());
    }
    served_ = true;
  }

  // In a thread of its own.
  void load() {
    if (auto done = load_engine(); !done) load_error_ = done.error();
    loaded_ = true;
  }

  Result<void> load_engine() try {
    auto loaded = Ranker::load(engine_options_);
    if (!loaded) return loaded.error();
    auto ranker = std::make_unique<Ranker>(*std::move(loaded));
    if (!options_.alias.empty()) ranker->set_model_name(options_.alias);
    model_name_ = ranker->model_name();
    if (auto done = ranker->calibrate(); !done) return done;
    service_->start(std::move(ranker));
    return {};
  } catch (const std::exception& defect) {
    return Error(ErrorCode::kRuntime, defect.what());
  }

  Clock::time_point end_of_stopping() const {
    return Clock::now() + duration_of_ms(1000 * options_.drain_timeout_s);
  }

  // Finishes accepted requests; a second signal ends the waiting. Returns the time by which the
  // answers have to be sent.
  Clock::time_point drain() {
    spdlog::info("stopping: requests that were accepted are finished first");
    auto end = end_of_stopping();
    while (!service_->drain(std::min(Clock::now() + kLookInterval, end))) {
      if (stop_came(std::chrono::milliseconds(0))) end = Clock::now();
      if (Clock::now() < end) continue;
      spdlog::warn(
          "some requests are not finished; their clients get the answer that the server stops");
      break;
    }
    return end;
  }

  // A signal also ends the waiting for clients that don't read their answers. A pass of the LLM
  // that is still running then can't be interrupted and ends with the process.
  void stop_serving(std::thread& serving, Clock::time_point end) {
    service_->stop(Clock::now());
    http_->stop(end);
    while (!served_ && Clock::now() < end + kGrace) {
      if (!stop_came(kLookInterval)) continue;
      end = std::min(end, Clock::now());
      http_->stop(end);
    }
    const bool engine_is_free = service_->stop(std::min(Clock::now(), end) + kGrace);
    if (!served_ || !engine_is_free) {
      spdlog::warn("what is still running is given up");
      exit_at_once(serve_error_ ? fail(*serve_error_) : kSuccess);
    }
    serving.join();
  }

  // Waits for the log only; no destructor runs.
  [[noreturn]] void exit_at_once(int code) {
    http_->remove_socket_file();
    log_.flush(kLogTime);
    std::_Exit(code);
  }

  const ServeOptions& options_;
  const CommonOptions& common_;
  const ServeSignals& signals_;
  const ServerLog& log_;
  EngineOptions engine_options_;
  std::optional<server::Service> service_;
  std::optional<server::HttpServer> http_;  // uses the service
  std::string model_name_;                  // set before loaded_
  std::optional<Error> load_error_;         // set before loaded_
  std::optional<Error> serve_error_;        // set before served_
  std::atomic<bool> loaded_{false};
  std::atomic<bool> served_{false};
};

// If nobody reads standard error, the process ends without its destructors, which would wait for
// the thread that writes there.
int serve(const ServeOptions& options, const CommonOptions& common) {
  const ServeSignals signals;
  const ServerLog log(
      options.log_format == "json" ? ServerLogFormat::kJson : ServerLogFormat::kText,
      options.level_is_given);
  const int code = [&]() -> int {
    auto result = ServeRun(options, common, signals, log).run();
    return result ? *result : fail(result.error());
  }();
  if (!log.flush(kLogTime)) std::_Exit(code);
  return code;
}

void add_http_options(CLI::App& command, ServeOptions& options) {
  Flags flags(command, "Server");
  CLI::Option& host =
      flags.add({"--host", "HOST", "Address to listen on"}, options.http.host, not_empty());
  CLI::Option& port = flags.add({"--port", "PORT", "Port to listen on; 0 = any that is free"},
                                options.http.port, whole_number(0, 65535));
  CLI::Option& port_file = flags.add({"--port-file", "FILE", "File to write the port to"},
                                     options.port_file, not_empty());
  flags
      .add({"--unix-socket", "PATH",
            "Unix socket to listen on in place of host and port, for its owner and group"},
           options.http.unix_socket, not_empty())
      .excludes(&host)
      ->excludes(&port)
      ->excludes(&port_file);
  flags
      .add({"--allowed-hosts", "NAME,...",
            "Names by which the server may be called, and whose pages may call it, parted by "
            "commas; * = any. Without it those of loopback where --host is one of them"},
           options.http.allowed_hosts, not_empty())
      .delimiter(',');
  flags.add({"-a,--alias", "NAME", "The model's name for clients"}, options.alias, not_empty());
  flags.add({"--log-format", "NAME", "text, or json: an object a line"}, options.log_format,
            one_of({"text", "json"}));
  flags.add({"--drain-timeout", "S", "Seconds to finish what was accepted, once SIGTERM has come"},
            options.drain_timeout_s, positive_number(86400));
  flags.add_switch(
      "--strict",
      "Refuse unknown fields on the rerank routes, too; else they are ignored and reported",
      options.is_strict);
}

// Files that the server reads again at SIGHUP.
void add_credential_options(CLI::App& command, server::CredentialFiles& files) {
  Flags flags(command, "Server");
  flags.add({"--api-key-file", "FILE",
             "File with the API keys, one a line; else RSD_API_KEY or LLAMA_API_KEY of the "
             "environment; without any, everybody may call"},
            files.api_keys, not_empty());
  CLI::Option& certificate =
      flags.add({"--tls-cert", "FILE",
                 "Serve HTTPS with this certificate, followed by those of its issuers; PEM"},
                files.tls.certificate, not_empty());
  CLI::Option& key =
      flags.add({"--tls-key", "FILE", "Private key of the certificate, without a passphrase; PEM"},
                files.tls.key, not_empty());
  certificate.needs(&key);
  key.needs(&certificate);
}

void add_limit_options(CLI::App& command, ServeOptions& options) {
  Flags flags(command, "Limits");
  flags.add({"--queue", "N", "Requests that may wait; those beyond are refused with 429"},
            options.limits.jobs.queue, whole_number(1, 100'000));
  flags.add({"--connections", "N",
             "Connections whose requests are served at a time; as many more may wait"},
            options.http.connections, whole_number(1, 10'000));
  flags.add({"--connections-per-client", "N",
             "Of them, those of one address (IPv6: /64); beyond 429; 0 = any number. Without it "
             "128, and any number for this machine's own addresses"},
            options.connections_per_client, whole_number(0, 10'000));
  flags.add({"--requests-per-key", "N",
             "Ranking requests that one API key may have under way; beyond 429; 0 = any number. "
             "Without it half of --queue where there are several keys"},
            options.requests_per_key, whole_number(0, 100'000));
  flags.add({"--max-tokens-per-request", "N",
             "Tokens that a list may be expected to send through the LLM, over all its windows; "
             "beyond 413; 0 = any number"},
            options.max_tokens, whole_number(0, 1'000'000'000));
  flags.add({"--memory-limit", "MIB",
             "MiB that all requests under way may take, from their bodies to their answers, "
             "beside the model; those beyond are refused with 503"},
            options.memory_mib, whole_number(1, kMaxCount));
  flags.add({"--max-candidates", "N", "Candidates of a request"}, options.limits.max_candidates,
            whole_number(1, kMaxCount));
  flags.add({"--max-body", "BYTES", "Bytes of a request's body"}, options.http.max_body_bytes,
            whole_number(1, std::uint64_t{1} << 30U));
  flags.add({"--max-depth", "N", "Levels that its JSON may nest"}, options.limits.max_depth,
            whole_number(4, 1000));
  flags.add({"--request-timeout", "S",
             "Seconds for a request to arrive whole, and for its answer to be taken"},
            options.http.request_timeout_s, positive_number(3600));
  flags.add({"--keep-alive", "S",
             "Seconds that an idle connection is kept; longer than a proxy in front keeps it"},
            options.http.keep_alive_s, positive_number(86400));
}

}  // namespace

void add_serve_command(CLI::App& app, Selected& selected) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = add_command(app, selected, "serve", "Rank over HTTP");
  constexpr std::size_t kParallel = 4;
  constexpr std::size_t kCacheMib = 64;
  add_http_options(*command, *options);
  add_credential_options(*command, options->credentials);
  add_limit_options(*command, *options);
  add_decoder_options(*command, options->decoder);
  command->get_option("--decoder")
      ->description("For requests that name none: rsd, exact, sd, std or ar");
  add_window_options(*command, options->windows);
  add_engine_options(*command, options->engine);
  options->engine.cache_ram = kCacheMib;
  add_cache_option(*command, options->engine);
  add_index_option(*command, options->engine);
  options->engine.parallel = kParallel;
  add_parallel_option(*command, options->engine);
  add_remote_options(*command, options->engine.remote);
  command->callback([&selected, options, command] {
    settle_parallel(*command, options->engine);
    settle_cache(*command, options->engine);
    options->level_is_given = command->get_option("--log-level")->count() > 0;
    if (options->connections_per_client)
      options->http.connections_per_client = limit_of(*options->connections_per_client);
    // Other servers' clients send fields that mean nothing here.
    if (options->is_strict) options->limits.unknown_fields = server::UnknownFields::kRefused;
    selected.run = [&selected, options] { return serve(*options, selected.common); };
  });
}

}  // namespace rsd::cli
