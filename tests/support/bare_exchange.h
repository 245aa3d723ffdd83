// The plainest way to post a body: what an exchange costs without anything of ours.
#pragma once

#include <memory>
#include <string>

namespace rsd {

class BareExchange {
 public:
  BareExchange(const std::string& host, int port);
  BareExchange(const BareExchange&) = delete;
  BareExchange& operator=(const BareExchange&) = delete;
  ~BareExchange();

  // The answer's body, over a connection that is kept; empty where there is none.
  std::string post(const std::string& path, const std::string& body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rsd
