#include "server/http/http_server.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <new>
#include <set>
#include <string_view>
#include <utility>

#include "rsd/core/duration.h"
#include "rsd/core/shown_text.h"
#include "server/http/connection_server.h"
#include "server/http/failure.h"
#include "server/http/host_check.h"
#include "server/http/renewable.h"
#include "server/http/request_head.h"
#include "server/http/words.h"

namespace rsd::server {
namespace {

using httplib::Request;
using httplib::Response;

constexpr const char* kNoRoute = "other";

// The call that this thread serves. Its key is looked up once, when its head has come: keys that
// are replaced while its body comes change nothing for it.
struct CurrentCall {
  std::string id;
  Clock::time_point arrival;  // of its headers, then of its body
  std::string route = kNoRoute;
  std::optional<std::string> type_fault;  // of its body
  bool needs_key = false;
  std::optional<std::string> key;  // as ApiKeys::name_of; nullopt: missing, wrong or not needed
  CallNotes notes = {};
};
thread_local CurrentCall t_call;

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration_of_ms(1000 * seconds));
}

ServerLimits limits_of(const HttpServerOptions& options) {
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

void close_after_response() {
  if (Connection* connection = Connection::current()) connection->close_after_response();
}

std::string shown(const std::string& header) {
  constexpr std::size_t kShownHeaderChars = 100;
  return shown_text(header, kShownHeaderChars, Letters::kAscii);
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

// "/v1/models/" of "/v1/models/{model}"; nothing of a path without such a part.
std::optional<std::string_view> fixed_part(std::string_view path) {
  if (!path.ends_with('}')) return std::nullopt;
  return path.substr(0, path.find('{'));
}

// httplib reads paths as regular expressions.
std::string pattern_of(std::string_view path) {
  const auto fixed = fixed_part(path);
  std::string pattern;
  for (const char c : fixed.value_or(path))
    pattern += c == '.' ? std::string("\\.") : std::string(1, c);
  return fixed ? pattern + ".+" : pattern;
}

bool fits(const HttpRoute& route, std::string_view path) {
  const auto fixed = fixed_part(route.path);
  return fixed ? path.size() > fixed->size() && path.starts_with(*fixed) : path == route.path;
}

bool is_open(const HttpRoute* route) {
  return route != nullptr && route->access == HttpRoute::Access::kOpen;
}

std::set<std::string_view> methods_of(const HttpRoute& route) {
  if (route.method == HttpRoute::Method::kGet) return {"GET", "HEAD"};
  return {"POST"};
}

// httplib leaves the path empty where it doesn't know the method.
std::string path_of(const Request& request) {
  return request.path.empty() ? request.target.substr(0, request.target.find('?')) : request.path;
}

// httplib knows it only if it could parse the head.
std::string client_of(const Request& request) {
  std::string address = request.remote_addr;
  int port = 0;
  if (const Connection* connection = Connection::current();
      connection != nullptr && address.empty())
    connection->get_remote_ip_and_port(address, port);
  return address;
}

// Does a request with this head go to a route that is brief?
bool is_brief(const std::vector<HttpRoute>& routes, std::string_view head) {
  const std::string plain = plain_head(head);
  const std::string_view line = std::string_view(plain).substr(0, plain.find('\r'));
  const std::size_t first = line.find(' ');
  if (first == std::string_view::npos) return false;
  const std::string_view method = line.substr(0, first);
  const std::string_view path =
      line.substr(first + 1, line.find_first_of(" ?", first + 1) - first - 1);
  return std::ranges::any_of(routes, [&](const HttpRoute& route) {
    return route.is_brief && fits(route, path) && methods_of(route).contains(method);
  });
}

Failure too_large(std::size_t max_bytes) {
  return {.status = 413,
          .message = "the body has more than " + std::to_string(max_bytes) +
                     " bytes, which is what this server takes"};
}

}  // namespace

struct HttpServer::State {
  State(HttpApplication served, HttpServerOptions wanted)
      : application(std::move(served)),
        keys(std::make_shared<ApiKeys>(std::move(wanted.keys))),
        options(std::move(wanted)),
        hosts(options.unix_socket.empty() ? options.host : "", options.allowed_hosts),
        memory(options.memory_bytes),
        http(limits_of(options), options.messages) {}

  void add_routes();
  void add_hooks();
  const HttpRoute* route_of(const Request& request) const;
  Reply reply_to(const Failure& failure, const Request& request) const;
  void count_refused(std::string_view reason) const;
  void begin_call(Request& request) const;
  std::optional<Failure> refusal_of(const Request& request) const;
  bool refuse(const Request& request, Response& response);
  void serve_call(const HttpRoute& route, const Request& request, Response& response);
  void complete_error(const Request& request, Response& response) const;
  std::optional<Failure> foreign_site(const Request& request, const HttpRoute* route) const;
  std::optional<Failure> want_of_room() const;
  std::optional<Failure> want_of_memory(const Request& request);
  std::optional<Failure> take_memory(std::size_t bytes);
  void finish_headers(Response& response) const;
  void log_call(const Request& request, const Response& response);

  const HttpApplication application;
  Renewable<ApiKeys> keys;
  const HttpServerOptions options;  // without keys and tls, which may be replaced
  const HostCheck hosts;
  Quota memory;  // bytes, of all calls
  ConnectionServer http;
};

// ---- Routes -----------------------------------------------------------------------------------

void HttpServer::State::add_routes() {
  for (const HttpRoute& route : application.routes) {
    const auto serve = [this, &route](const Request& request, Response& response) {
      serve_call(route, request, response);
    };
    const std::string pattern = pattern_of(route.path);
    if (route.method == HttpRoute::Method::kGet) {
      http.Get(pattern, serve);
    } else {
      http.Post(pattern, serve);
    }
  }
}

// Null where nothing is at the path.
const HttpRoute* HttpServer::State::route_of(const Request& request) const {
  const std::string path = path_of(request);
  const auto found = std::ranges::find_if(
      application.routes, [&](const HttpRoute& route) { return fits(route, path); });
  return found == application.routes.end() ? nullptr : &*found;
}

Reply HttpServer::State::reply_to(const Failure& failure, const Request& request) const {
  return application.reply_to_failure(failure, path_of(request));
}

void HttpServer::State::count_refused(std::string_view reason) const {
  if (application.on_refused) application.on_refused(reason);
}

// ---- One call ---------------------------------------------------------------------------------

// httplib would parse forms, and read a body without a length until the client hangs up.
void HttpServer::State::begin_call(Request& request) const {
  const HttpRoute* route = route_of(request);
  const auto valid = keys.get();
  t_call = {.id = request_id_or_new(request.get_header_value("X-Request-Id")),
            .arrival = Clock::now(),
            .route = route == nullptr ? kNoRoute : route->path,
            .needs_key = !valid->empty()};
  if (t_call.needs_key) t_call.key = valid->name_of(request.get_header_value("Authorization"));
  if (leaves_doubt_about_the_next(request)) close_after_response();
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

// nullopt: there is room.
std::optional<Failure> HttpServer::State::want_of_room() const {
  const Connection* connection = Connection::current();
  if (connection == nullptr || connection->room() == Room::kThere) return std::nullopt;
  constexpr long kRetrySeconds = 1;
  if (connection->room() == Room::kNone) {
    count_refused("connections");
    return Failure{
        .status = 503, .message = "too many connections", .retry_after_s = kRetrySeconds};
  }
  count_refused("client");
  return Failure{.status = 429,
                 .message = "too many requests of this address at a time",
                 .retry_after_s = kRetrySeconds};
}

// Reserves the bytes until the reply is sent.
std::optional<Failure> HttpServer::State::take_memory(std::size_t bytes) {
  Connection* connection = Connection::current();
  auto share = memory.take("", bytes);
  if (share) {
    if (connection != nullptr) connection->keep(*std::move(share));
    return std::nullopt;
  }
  count_refused("memory");
  if (bytes <= memory.limit()) return no_memory();
  return Failure{.status = 413,
                 .message = "the request takes up to " + std::to_string(bytes) +
                            " bytes of memory; this server has " + std::to_string(memory.limit()) +
                            " for all"};
}

// For the body, whose buffer grows as it comes; a chunked one may be as long as bodies may be.
// Reserved once, though this may be called before and after "100 Continue".
std::optional<Failure> HttpServer::State::want_of_memory(const Request& request) {
  constexpr std::size_t kCopies = 2;
  const Connection* connection = Connection::current();
  if (connection == nullptr || connection->keeps_any()) return std::nullopt;
  const std::size_t n_bytes = request.has_header("Transfer-Encoding")
                                  ? options.max_body_bytes
                                  : request.get_header_value<std::uint64_t>("Content-Length");
  return n_bytes == 0 ? std::nullopt : take_memory(kCopies * n_bytes);
}

// A page of another site can make a browser that reaches this server call it. Such a page has no
// key, so if keys are needed, hosts are checked only against --allowed-hosts. Open routes may be
// linked to from anywhere, and probes ask for the health by any name.
std::optional<Failure> HttpServer::State::foreign_site(const Request& request,
                                                       const HttpRoute* route) const {
  if (t_call.needs_key && options.allowed_hosts.empty()) return std::nullopt;
  const auto named = request.headers.equal_range("Host");
  for (auto host = named.first; host != named.second; ++host) {
    if ((route != nullptr && route->any_host) || hosts.takes_host(host->second)) continue;
    return Failure{.status = 403,
                   .message = "this server is not called " + shown(host->second) +
                              "; --allowed-hosts says by which names it may be"};
  }
  if (is_open(route)) return std::nullopt;
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

// Why a request is refused before its body is read. An unknown path needs a key, too, so that
// strangers don't learn which paths exist.
std::optional<Failure> HttpServer::State::refusal_of(const Request& request) const {
  if (const Connection* connection = Connection::current()) {
    if (auto fault = framing_fault(connection->head())) return fault;
  }
  const HttpRoute* route = route_of(request);
  if (!is_open(route) && t_call.needs_key && !t_call.key)
    return Failure{.status = 401, .message = "the API key is missing or wrong"};
  if (auto failure = foreign_site(request, route)) return failure;
  if (t_call.type_fault && request.method == "POST")
    return Failure{.status = 415, .message = *t_call.type_fault};
  // Decompressed, it could have any size.
  if (const auto encoding = request.get_header_value("Content-Encoding");
      !encoding.empty() && encoding != "identity") {
    return Failure{.status = 415, .message = "the body must not be compressed"};
  }
  if (request.get_header_value<std::uint64_t>("Content-Length") > options.max_body_bytes)
    return too_large(options.max_body_bytes);
  return std::nullopt;
}

// True: it is refused, and its body is not read.
bool HttpServer::State::refuse(const Request& request, Response& response) {
  auto failure = want_of_room();
  if (!failure) failure = refusal_of(request);
  if (!failure) failure = want_of_memory(request);
  if (!failure) return false;
  close_after_response();
  apply(reply_to(*failure, request), response);
  return true;
}

void HttpServer::State::serve_call(const HttpRoute& route, const Request& request,
                                   Response& response) {
  t_call.arrival = Clock::now();
  if (request.body.size() > options.max_body_bytes)  // in chunks
    return apply(reply_to(too_large(options.max_body_bytes), request), response);
  const Connection* connection = Connection::current();
  const Call call{
      .body = request.body,
      .header_of = [&](const char* name) -> std::optional<std::string> {
        if (!request.has_header(name)) return std::nullopt;
        return request.get_header_value(name);
      },
      .hung_up = [connection] { return connection != nullptr && connection->hung_up(); },
      .request_id = t_call.id,
      .arrival = t_call.arrival,
      .needs_key = t_call.needs_key,
      .key = t_call.key.value_or(""),
      .take_memory = [this](std::size_t bytes) { return take_memory(bytes); }};
  apply(route.handle(call), response);
}

// Gives the errors of httplib itself a body and, where it has none, the right status.
void HttpServer::State::complete_error(const Request& request, Response& response) const {
  if (!response.body.empty()) return;
  // Where a malformed request ends is unknown.
  if (response.status == 400 || t_call.id.empty()) close_after_response();
  const Connection* connection = Connection::current();
  Failure failure{.status = response.status, .message = "the request is malformed"};
  const HttpRoute* route = route_of(request);
  const auto methods = route == nullptr ? std::set<std::string_view>() : methods_of(*route);
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
  } else if (route != nullptr && !methods.contains(request.method)) {
    failure.status = 405;
    failure.message = "the method is not allowed here";
    std::string allowed;
    for (const std::string_view method : methods)
      allowed.append(allowed.empty() ? "" : ", ").append(method);
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
  apply(reply_to(failure, request), response);
  if (!notes.failure.empty()) t_call.notes = std::move(notes);
}

void HttpServer::State::finish_headers(Response& response) const {
  if (t_call.id.empty()) t_call.id = request_id_or_new("");  // a malformed request
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
  if (application.on_answered) application.on_answered(t_call.route, response.status, ms);
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
  http.on_is_brief([this](std::string_view head) { return is_brief(application.routes, head); });
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

HttpServer::HttpServer(HttpApplication application, HttpServerOptions options) {
  auto tls = std::exchange(options.tls, nullptr);
  state_ = std::make_unique<State>(std::move(application), std::move(options));
  state_->http.set_tls(std::move(tls));
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
