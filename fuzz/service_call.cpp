#include "fuzz/service_call.h"

#include <memory>
#include <optional>
#include <string>

#include "fuzz/target.h"
#include "json/read_json.h"
#include "server/synthetic_engine_test.h"

namespace rsd::fuzz {
namespace {

constexpr std::size_t kMaxCandidates = 50;  // more than fit one prompt of the engine's

// Ends with the process.
server::Service& service() {
  static server::Gate gate;
  static server::Service* const kService = [] {
    auto* made = new server::Service({.max_candidates = kMaxCandidates}, {});
    made->start(server::synthetic_ranker(std::make_unique<server::SyntheticEngine>(gate), 1));
    return made;
  }();
  return *kService;
}

}  // namespace

void call_service(std::string_view input, const RouteOf& route) {
  const auto parts = parts_of(input, 2);
  const server::Call call{.body = parts[0],
                          .header_of = [&](const char*) -> std::optional<std::string> {
                            if (parts[1].empty()) return std::nullopt;
                            return std::string(parts[1]);
                          },
                          .hung_up = [] { return false; },
                          .request_id = "call-1",
                          .arrival = Clock::now()};
  const server::Reply reply = route(service(), call);
  require(reply.status == 200 || (reply.status >= 400 && reply.status < 500),
          "a call is answered or refused, and is no internal error: " + reply.notes.failure);
  require(is_value(read_json(reply.body)), "the reply is JSON");
}

}  // namespace rsd::fuzz
