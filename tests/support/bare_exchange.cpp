#include "support/bare_exchange.h"

#include <httplib.h>

namespace rsd {

struct BareExchange::State {
  httplib::Client client;
};

BareExchange::BareExchange(const std::string& host, int port)
    : state_(new State{.client = httplib::Client(host, port)}) {
  state_->client.set_keep_alive(true);
  state_->client.set_tcp_nodelay(true);
}

BareExchange::~BareExchange() = default;

std::string BareExchange::post(const std::string& path, const std::string& body) {
  const auto reply = state_->client.Post(path, body, "application/json");
  return reply && reply->status == 200 ? reply->body : "";
}

}  // namespace rsd
