#include "http_server.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <new>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "connection_server.h"
#include "failure.h"
#include "host_check.h"
#include "page_files.h"
#include "renewable.h"
#include "request_head.h"
#include "rsd/core/duration.h"
#include "rsd/core/shown_text.h"
#include "words.h"

namespace rsd::server {
namespace {

using httplib::Request;
using httplib::Response;

// What is known of the call that this thread serves.
struct CurrentCall {
  std::string id;
  Clock::time_point arrival;  // of its headers, then of its body
  std::string route = "other";
  std::optional<std::string> type_fault;  // of its body
  std::shared_ptr<const ApiKeys> keys;    // that it is held to
  CallNotes notes = {};
};
thread_local CurrentCall t_call;

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration_of_ms(1000 * seconds));
}

ServerLimits limits_of(const HttpOptions& options) {
  constexpr std::size_t kFewestVisitors = 64;
  const auto request = milliseconds(options.request_timeout_s);
  return {.connection = {.request = request,
                         .response = request,
                         .max_body_bytes = options.max_body_bytes},
          .lobby = {.keep_alive = milliseconds(options.keep_alive_s),
                    .head = request,
                    .visitors = std::max(2 * options.connections, kFewestVisitors)},
          .places = options.connections,
          .places_per_client = options.connections_per_client};
}

void close_behind_response() {
  if (Connection* connection = Connection::current()) connection->close_behind_response();
}

std::string shown(const std::string& header) {
  constexpr std::size_t kShownChars = 100;
  return shown_text(header, kShownChars, Letters::kAscii);
}

constexpr const char* kContinue = "100-continue";

// May what is left of a request pass for the next one? The body of most methods isn't read.
bool leaves_doubt_about_the_next(const Request& request) {
  static const std::set<std::string_view> kReadsBody = {"POST", "PUT", "PATCH"};
  if (kReadsBody.contains(request.method)) return false;
  const std::string length = request.get_header_value("Content-Length");
  return request.has_header("Transfer-Encoding") || (!length.empty() && length != "0");
}

void apply(Reply reply, Response& response) {
  response.status = reply.status;
  for (const auto& [name, value] : reply.headers)
    response.set_header(name, value);
  t_call.notes = std::move(reply.notes);
  response.set_content(reply.body, reply.content_type);
}

Dialect dialect_of(const std::string& path) {
  static const std::set<std::string_view> kTei = {"/rerank", "/reranking", "/v1/reranking"};
  return kTei.contains(path) ? Dialect::kTei : Dialect::kRerank;
}

constexpr std::string_view kModels = "/v1/models/";
constexpr const char* kOneModel = "/v1/models/{model}";

// httplib takes paths for regular expressions.
std::string pattern_of(const std::string& path) {
  if (path == kOneModel) return std::string(kModels) + ".+";
  std::string pattern;
  for (const char c : path)
    pattern += c == '.' ? std::string("\\.") : std::string(1, c);
  return pattern;
}

// httplib leaves the path empty where it doesn't know the method.
std::string path_of(const Request& request) {
  return request.path.empty() ? request.target.substr(0, request.target.find('?')) : request.path;
}

// Under which name a path stands among the routes.
std::string route_name(const std::string& path) {
  return path.size() > kModels.size() && path.starts_with(kModels) ? kOneModel : path;
}

// httplib tells it only where the head was understood.
std::string client_of(const Request& request) {
  std::string address = request.remote_addr;
  int port = 0;
  if (const Connection* connection = Connection::current();
      connection != nullptr && address.empty())
    connection->get_remote_ip_and_port(address, port);
  return address;
}

// Such requests are answered however much there is to do.
bool is_about_the_server(std::string_view head) {
  static const std::set<std::string_view> kTargets = {"/health", "/ready", "/metrics"};
  const std::string plain = plain_head(head);
  const std::string_view line = std::string_view(plain).substr(0, plain.find('\r'));
  const std::size_t first = line.find(' ');
  if (first == std::string_view::npos) return false;
  const std::string_view method = line.substr(0, first);
  const std::string_view target =
      line.substr(first + 1, line.find_first_of(" ?", first + 1) - first - 1);
  return (method == "GET" || method == "HEAD") && kTargets.contains(target);
}

Failure too_large(std::size_t max_bytes) {
  return {.status = 413,
          .message = "the body has more than " + std::to_string(max_bytes) +
                     " bytes, which is what this server takes"};
}

}  // namespace

struct HttpServer::State {
  State(Service& ranking, HttpOptions wanted)
      : service(ranking),
        options(std::move(wanted)),
        keys(std::make_shared<ApiKeys>(options.keys)),
        hosts(options.unix_socket.empty() ? options.host : "", options.allowed_hosts),
        memory(options.memory_bytes),
        http(limits_of(options), options.messages) {
    http.set_tls(options.tls);
  }

  using Handler = std::function<Reply(const Call&)>;
  enum class Access { kOpen, kWithKey };
  struct Route {
    Access access = Access::kWithKey;
    std::set<std::string> methods;
  };

  void add_routes();
  void add_rerank_routes();
  void add_page();
  void add_hooks();
  void get(const std::string& path, Access access, Handler handler);
  void post(const std::string& path, Handler handler);
  void begin_call(Request& request) const;
  std::optional<Failure> refusal_of(const Request& request) const;
  bool refuse(const Request& request, Response& response);
  void serve_call(const Request& request, Response& response, const Handler& handler);
  void complete_error(const Request& request, Response& response);
  std::optional<Failure> foreign_site(const Request& request, bool is_open) const;
  std::optional<Failure> want_of_room() const;
  std::optional<Failure> want_of_memory(const Request& request);
  std::optional<Failure> take_memory(std::size_t bytes);
  void finish_headers(Response& response) const;
  void log_call(const Request& request, const Response& response);

  Service& service;
  const HttpOptions options;
  Renewable<ApiKeys> keys;
  const HostCheck hosts;
  Quota memory;  // bytes, of all calls
  ConnectionServer http;
  std::map<std::string, Route, std::less<>> routes;  // by path
};

// ---- Routes -----------------------------------------------------------------------------------

void HttpServer::State::get(const std::string& path, Access access, Handler handler) {
  routes[path] = {.access = access, .methods = {"GET", "HEAD"}};
  http.Get(pattern_of(path),
           [this, handler = std::move(handler)](const Request& request, Response& response) {
             serve_call(request, response, handler);
           });
}

void HttpServer::State::post(const std::string& path, Handler handler) {
  routes[path] = {.access = Access::kWithKey, .methods = {"POST"}};
  http.Post(pattern_of(path),
            [this, handler = std::move(handler)](const Request& request, Response& response) {
              serve_call(request, response, handler);
            });
}

void HttpServer::State::add_routes() {
  get("/health", Access::kOpen, [this](const Call&) { return service.health(); });
  get("/ready", Access::kOpen, [this](const Call&) { return service.ready(); });
  get("/openapi.json", Access::kOpen,
      [](const Call&) { return Reply{.body = std::string(openapi_json())}; });
  get("/v1/models", Access::kWithKey, [this](const Call&) { return service.models(); });
  get(kOneModel, Access::kWithKey, [this](const Call&) { return service.model(); });
  get("/info", Access::kWithKey, [this](const Call&) { return service.info(); });
  // Xinference's clients ask before they show their key.
  get("/v1/cluster/auth", Access::kOpen, [this](const Call&) {
    return Reply{.body = keys.get()->empty() ? R"({"auth":false})" : R"({"auth":true})"};
  });
  get("/metrics", Access::kWithKey, [this](const Call&) { return service.metrics_text(); });
  post("/v1/rank", [this](const Call& call) { return service.rank(call); });
  add_rerank_routes();
  add_page();
}

void HttpServer::State::add_rerank_routes() {
  const std::initializer_list<std::pair<const char*, RerankRoute>> paths = {
      {"/v1/rerank", RerankRoute::kV1},
      {"/v2/rerank", RerankRoute::kV2},
      {"/rerank", RerankRoute::kPlain},
      {"/reranking", RerankRoute::kLlamaServer},
      {"/v1/reranking", RerankRoute::kLlamaServer},
      {"/infinity/rerank", RerankRoute::kInfinity},
  };
  for (const auto& [path, route] : paths)
    post(path, [this, route = route](const Call& call) { return service.rerank(call, route); });
}

void HttpServer::State::add_page() {
  for (const PageFile& file : page_files()) {
    get(std::string(file.path), Access::kOpen, [file](const Call&) {
      return Reply{.body = std::string(file.content),
                   .content_type = std::string(file.content_type),
                   .headers = {{"Content-Security-Policy",
                                "default-src 'self'; frame-ancestors 'none'; form-action 'none'; "
                                "base-uri 'none'"},
                               {"X-Frame-Options", "DENY"},
                               {"Referrer-Policy", "no-referrer"},
                               {"Cache-Control", "no-cache"}}};
    });
  }
}

// ---- One call ---------------------------------------------------------------------------------

// httplib would take forms apart, and read a body without a length until the client hangs up.
void HttpServer::State::begin_call(Request& request) const {
  const auto route = routes.find(route_name(path_of(request)));
  t_call = {.id = request_id(request.get_header_value("X-Request-Id")),
            .arrival = Clock::now(),
            .route = route == routes.end() ? "other" : route->first,
            .keys = keys.get()};
  if (leaves_doubt_about_the_next(request)) close_behind_response();
  if (!request.has_header("Content-Length") && !request.has_header("Transfer-Encoding"))
    request.set_header("Content-Length", "0");
  if (same_word(request.get_header_value("Expect"), kContinue)) {
    request.headers.erase("Expect");
    request.set_header("Expect", kContinue);
  }
  const auto types = request.headers.equal_range("Content-Type");
  for (auto type = types.first; type != types.second; ++type)
    if (auto fault = fault_of_type(type->second)) t_call.type_fault = std::move(fault);
  request.headers.erase("Content-Type");
}

// Nothing where there is room.
std::optional<Failure> HttpServer::State::want_of_room() const {
  const Connection* connection = Connection::current();
  if (connection == nullptr || connection->room() == Room::kThere) return std::nullopt;
  constexpr long kRetrySeconds = 1;
  if (connection->room() == Room::kNone) {
    service.metrics().count_refused("connections");
    return Failure{
        .status = 503, .message = "too many connections", .retry_after_s = kRetrySeconds};
  }
  service.metrics().count_refused("client");
  return Failure{.status = 429,
                 .message = "too many requests of this address at a time",
                 .retry_after_s = kRetrySeconds};
}

// Until the answer is sent.
std::optional<Failure> HttpServer::State::take_memory(std::size_t bytes) {
  Connection* connection = Connection::current();
  auto share = memory.take("", bytes);
  if (share) {
    if (connection != nullptr) connection->keep(*std::move(share));
    return std::nullopt;
  }
  service.metrics().count_refused("memory");
  if (bytes <= memory.limit()) return no_memory();
  return Failure{.status = 413,
                 .message = "the request takes up to " + std::to_string(bytes) +
                            " bytes of memory; this server has " + std::to_string(memory.limit()) +
                            " for all"};
}

// For the body, which grows while it comes. Of one in chunks only the most is known. Taken once,
// though it may be asked for before and behind "100 Continue".
std::optional<Failure> HttpServer::State::want_of_memory(const Request& request) {
  constexpr std::size_t kCopies = 2;
  const Connection* connection = Connection::current();
  if (connection == nullptr || connection->keeps_any()) return std::nullopt;
  const std::size_t n_bytes = request.has_header("Transfer-Encoding")
                                  ? options.max_body_bytes
                                  : request.get_header_value<std::uint64_t>("Content-Length");
  return n_bytes == 0 ? std::nullopt : take_memory(kCopies * n_bytes);
}

// A page of another site may make the browser of somebody who can reach this server call it. It
// doesn't have a key; so where there are keys, hosts count only if they were named. What is open to
// all may be linked to from anywhere, and health is asked for by whatever name.
std::optional<Failure> HttpServer::State::foreign_site(const Request& request, bool is_open) const {
  static const std::set<std::string_view> kAnyName = {"/health", "/ready"};
  if (!t_call.keys->empty() && options.allowed_hosts.empty()) return std::nullopt;
  const auto named = request.headers.equal_range("Host");
  for (auto host = named.first; host != named.second; ++host) {
    if (kAnyName.contains(path_of(request)) || hosts.takes_host(host->second)) continue;
    return Failure{.status = 403,
                   .message = "this server is not called " + shown(host->second) +
                              "; --allowed-hosts says by which names it may be"};
  }
  if (is_open) return std::nullopt;
  const std::string host = request.get_header_value("Host");
  const auto origins = request.headers.equal_range("Origin");
  for (auto origin = origins.first; origin != origins.second; ++origin) {
    if (hosts.takes_origin(origin->second, host)) continue;
    return Failure{.status = 403,
                   .message = "pages of " + shown(origin->second) + " may not call this server"};
  }
  if (request.has_header("Origin") ||
      !same_word(request.get_header_value("Sec-Fetch-Site"), "cross-site")) {
    return std::nullopt;
  }
  return Failure{.status = 403, .message = "pages of other sites may not call this server"};
}

// What there is to say against a request before its body is read. A path that isn't known is as
// secret as any.
std::optional<Failure> HttpServer::State::refusal_of(const Request& request) const {
  if (const Connection* connection = Connection::current()) {
    if (auto fault = framing_fault(connection->head())) return fault;
  }
  const auto route = routes.find(route_name(path_of(request)));
  const bool is_open = route != routes.end() && route->second.access == Access::kOpen;
  if (!is_open && !t_call.keys->empty() &&
      !t_call.keys->name_of(request.get_header_value("Authorization"))) {
    return Failure{.status = 401, .message = "the API key is missing or wrong"};
  }
  if (auto failure = foreign_site(request, is_open)) return failure;
  if (t_call.type_fault && request.method == "POST")
    return Failure{.status = 415, .message = *t_call.type_fault};
  // It could unfold to any size.
  if (const auto encoding = request.get_header_value("Content-Encoding");
      !encoding.empty() && encoding != "identity") {
    return Failure{.status = 415, .message = "the body must not be compressed"};
  }
  if (request.get_header_value<std::uint64_t>("Content-Length") > options.max_body_bytes)
    return too_large(options.max_body_bytes);
  return std::nullopt;
}

// The body that may follow is not read.
bool HttpServer::State::refuse(const Request& request, Response& response) {
  auto failure = want_of_room();
  if (!failure) failure = refusal_of(request);
  if (!failure) failure = want_of_memory(request);
  if (!failure) return false;
  close_behind_response();
  apply(error_reply(*failure, dialect_of(path_of(request))), response);
  return true;
}

void HttpServer::State::serve_call(const Request& request, Response& response,
                                   const Handler& handler) {
  t_call.arrival = Clock::now();
  if (request.body.size() > options.max_body_bytes) {  // in chunks
    const Failure failure = too_large(options.max_body_bytes);
    return apply(error_reply(failure, dialect_of(path_of(request))), response);
  }
  const Connection* connection = Connection::current();
  const auto key = t_call.keys->name_of(request.get_header_value("Authorization"));
  const Call call{
      .body = request.body,
      .header_of = [&](const char* name) -> std::optional<std::string> {
        if (!request.has_header(name)) return std::nullopt;
        return request.get_header_value(name);
      },
      .hung_up = [connection] { return connection != nullptr && connection->hung_up(); },
      .request_id = t_call.id,
      .arrival = t_call.arrival,
      .key = key.value_or(""),
      .take_memory = [this](std::size_t bytes) { return take_memory(bytes); }};
  apply(handler(call), response);
}

// What httplib itself has refused gets a body, and the status that it deserves.
void HttpServer::State::complete_error(const Request& request, Response& response) {
  if (!response.body.empty()) return;
  // Where a request that was not understood ends, nobody knows.
  if (response.status == 400 || t_call.id.empty()) close_behind_response();
  const Connection* connection = Connection::current();
  Failure failure{.status = response.status, .message = "the request is malformed"};
  const std::string path = path_of(request);
  const auto route = routes.find(route_name(path));
  if (connection != nullptr && connection->is_over_head()) {
    failure = {.status = 431, .message = "the request's line and headers are too long"};
  } else if (connection != nullptr && connection->is_over_length()) {
    failure = too_large(options.max_body_bytes);
  } else if (connection != nullptr && connection->is_over_end()) {
    failure.status = 503;
    failure.message = "the server is shutting down";
  } else if (connection != nullptr && connection->is_over_time()) {
    failure.status = 408;
    failure.message = "the request did not arrive in time";
  } else if (route != routes.end() && !route->second.methods.contains(request.method)) {
    failure.status = 405;
    failure.message = "the method is not allowed here";
    std::string allowed;
    for (const std::string& method : route->second.methods)
      allowed += (allowed.empty() ? "" : ", ") + method;
    response.set_header("Allow", allowed);
  } else if (response.status == 404) {
    failure.message = "there is nothing at this path";
  } else if (response.status == 414) {
    failure.message = "the path is too long";
  } else if (response.status == 503) {
    failure = no_memory();
  } else if (response.status >= 500) {
    failure.message = "the server failed; its log says why";
  }
  CallNotes notes = t_call.notes;
  apply(error_reply(failure, dialect_of(path)), response);
  if (!notes.failure.empty()) t_call.notes = std::move(notes);
}

void HttpServer::State::finish_headers(Response& response) const {
  if (t_call.id.empty()) t_call.id = request_id("");  // a request that was not understood
  response.set_header("X-Request-Id", t_call.id);
  response.set_header("X-Content-Type-Options", "nosniff");
  if (const Connection* connection = Connection::current();
      connection != nullptr && connection->closes()) {
    response.headers.erase("Keep-Alive");
    response.headers.erase("Connection");
    response.set_header("Connection", "close");
  }
}

void HttpServer::State::log_call(const Request& request, const Response& response) {
  const double ms =
      t_call.arrival == Clock::time_point()
          ? 0
          : std::chrono::duration<double, std::milli>(Clock::now() - t_call.arrival).count();
  service.metrics().count_call(t_call.route, response.status, ms);
  if (options.log) {
    options.log({.request_id = t_call.id,
                 .client = client_of(request),
                 .method = request.method.empty() ? "-" : request.method,
                 .path = request.target.empty() ? "-" : path_of(request),
                 .status = response.status,
                 .ms = ms,
                 .bytes_in = request.body.size(),
                 .bytes_out = response.body.size(),
                 .notes = std::move(t_call.notes)});
  }
  t_call = {};
}

void HttpServer::State::add_hooks() {
  http.on_headers([this](Request& request) { begin_call(request); });
  http.on_is_brief([](std::string_view head) { return is_about_the_server(head); });
  http.set_expect_100_continue_handler([this](const Request& request, Response& response) {
    constexpr int kGoOn = 100;
    return refuse(request, response) ? response.status : kGoOn;
  });
  http.set_pre_routing_handler([this](const Request& request, Response& response) {
    return refuse(request, response) ? httplib::Server::HandlerResponse::Handled
                                     : httplib::Server::HandlerResponse::Unhandled;
  });
  http.set_exception_handler([](const Request&, Response& response, std::exception_ptr thrown) {
    response.status = 500;
    try {
      std::rethrow_exception(std::move(thrown));
    } catch (const std::bad_alloc&) {
      response.status = 503;
      t_call.notes.failure = "out of memory";
    } catch (const std::exception& defect) {
      t_call.notes.failure = defect.what();
    } catch (...) {
      t_call.notes.failure = "an unknown exception";
    }
  });
  http.set_error_handler(
      [this](const Request& request, Response& response) { complete_error(request, response); });
  http.set_post_routing_handler(
      [this](const Request&, Response& response) { finish_headers(response); });
  http.set_logger(
      [this](const Request& request, const Response& response) { log_call(request, response); });
}

// -----------------------------------------------------------------------------------------------

HttpServer::HttpServer(Service& service, HttpOptions options)
    : state_(std::make_unique<State>(service, std::move(options))) {
  state_->add_routes();
  state_->add_hooks();
}

HttpServer::~HttpServer() = default;

Result<int> HttpServer::bind() {
  if (!state_->options.unix_socket.empty()) {
    if (auto bound = state_->http.bind_file(state_->options.unix_socket); !bound)
      return bound.error();
    return 0;
  }
  const int port = state_->http.bind(state_->options.host, state_->options.port);
  if (port < 0) {
    return Error(ErrorCode::kRuntime, "can't listen on " + state_->options.host + ":" +
                                          std::to_string(state_->options.port) +
                                          ": the address is taken or not this machine's");
  }
  return port;
}

Result<void> HttpServer::serve() {
  return state_->http.serve();
}

void HttpServer::stop(Clock::time_point limit) {
  state_->http.end(limit);
}

void HttpServer::set_keys(ApiKeys keys) {
  state_->keys.set(std::make_shared<ApiKeys>(std::move(keys)));
}

void HttpServer::set_tls(std::shared_ptr<const TlsIdentity> identity) {
  state_->http.set_tls(std::move(identity));
}

void HttpServer::remove_socket_file() noexcept {
  state_->http.remove_file();
}

}  // namespace rsd::server
