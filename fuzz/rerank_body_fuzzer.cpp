// A body of the rerank routes. A digit in front of it chooses the route; without one it is
// /v1/rerank.
#include <array>

#include "fuzz/service_call.h"
#include "fuzz/target.h"

namespace rsd::fuzz {
namespace {

using server::RerankRoute;

constexpr std::array kRoutes{RerankRoute::kV1, RerankRoute::kV2, RerankRoute::kPlain,
                             RerankRoute::kLlamaServer, RerankRoute::kInfinity};

}  // namespace

void take_input(std::string_view input) {
  RerankRoute route = RerankRoute::kV1;
  const std::size_t digit =
      input.empty() ? kRoutes.size() : static_cast<std::size_t>(input[0] - '0');
  if (digit < kRoutes.size()) {
    route = kRoutes[digit];
    input.remove_prefix(1);
  }
  call_service(input, [route](server::Service& service, const server::Call& call) {
    return service.rerank(call, route);
  });
}

}  // namespace rsd::fuzz
