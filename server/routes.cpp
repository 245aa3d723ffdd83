#include "server/routes.h"

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/api/error_reply.h"
#include "server/page_files.h"

namespace rsd::server {
namespace {

using Method = HttpRoute::Method;
using Access = HttpRoute::Access;

Dialect dialect_of(const std::string& path) {
  static const std::set<std::string_view> kTei = {"/rerank", "/reranking", "/v1/reranking"};
  return kTei.contains(path) ? Dialect::kTei : Dialect::kRerank;
}

std::vector<HttpRoute> routes_about_the_server(Service& service) {
  return {
      {.path = "/health",
       .access = Access::kOpen,
       .handle = [&](const Call&) { return service.health(); },
       .is_brief = true,
       .any_host = true},
      {.path = "/ready",
       .access = Access::kOpen,
       .handle = [&](const Call&) { return service.ready(); },
       .is_brief = true,
       .any_host = true},
      {.path = "/metrics",
       .handle = [&](const Call&) { return service.metrics_text(); },
       .is_brief = true},
      {.path = "/openapi.json",
       .access = Access::kOpen,
       .handle = [](const Call&) { return Reply{.body = std::string(openapi_json())}; }},
      {.path = "/v1/models", .handle = [&](const Call&) { return service.models(); }},
      {.path = "/v1/models/{model}", .handle = [&](const Call&) { return service.model(); }},
      {.path = "/info", .handle = [&](const Call&) { return service.info(); }},
      // Xinference's clients ask before they send their key.
      {.path = "/v1/cluster/auth",
       .access = Access::kOpen,
       .handle =
           [](const Call& call) {
             return Reply{.body = call.needs_key ? R"({"auth":true})" : R"({"auth":false})"};
           }},
  };
}

void add_ranking_routes(Service& service, std::vector<HttpRoute>& routes) {
  routes.push_back({.method = Method::kPost, .path = "/v1/rank", .handle = [&](const Call& call) {
                      return service.rank(call);
                    }});
  const std::initializer_list<std::pair<const char*, RerankRoute>> paths = {
      {"/v1/rerank", RerankRoute::kV1},
      {"/v2/rerank", RerankRoute::kV2},
      {"/rerank", RerankRoute::kPlain},
      {"/reranking", RerankRoute::kLlamaServer},
      {"/v1/reranking", RerankRoute::kLlamaServer},
      {"/infinity/rerank", RerankRoute::kInfinity},
  };
  for (const auto& [path, route] : paths) {
    routes.push_back({.method = Method::kPost,
                      .path = path,
                      .handle = [&service, route = route](const Call& call) {
                        return service.rerank(call, route);
                      }});
  }
}

Reply page_reply(const PageFile& file) {
  return {.body = std::string(file.content),
          .content_type = std::string(file.content_type),
          .headers = {{"Content-Security-Policy",
                       "default-src 'self'; frame-ancestors 'none'; form-action 'none'; "
                       "base-uri 'none'"},
                      {"X-Frame-Options", "DENY"},
                      {"Referrer-Policy", "no-referrer"},
                      {"Cache-Control", "no-cache"}}};
}

void add_page(std::vector<HttpRoute>& routes) {
  for (const PageFile& file : page_files()) {
    routes.push_back({.path = std::string(file.path),
                      .access = Access::kOpen,
                      .handle = [file](const Call&) { return page_reply(file); }});
  }
}

}  // namespace

HttpApplication application_of(Service& service) {
  auto routes = routes_about_the_server(service);
  add_ranking_routes(service, routes);
  add_page(routes);
  return {.routes = std::move(routes),
          .reply_to_failure =
              [](const Failure& failure, const std::string& path) {
                return error_reply(failure, dialect_of(path));
              },
          .on_answered = [&service](std::string_view route, int status,
                                    double ms) { service.metrics().count_call(route, status, ms); },
          .on_refused =
              [&service](std::string_view reason) { service.metrics().count_refused(reason); }};
}

}  // namespace rsd::server
