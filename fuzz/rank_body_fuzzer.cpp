// A body of /v1/rank.
#include "fuzz/service_call.h"
#include "fuzz/target.h"

namespace rsd::fuzz {

void take_input(std::string_view input) {
  call_service(
      input, [](server::Service& service, const server::Call& call) { return service.rank(call); });
}

}  // namespace rsd::fuzz
