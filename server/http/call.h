// A call and its reply, without the HTTP around them.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rsd/decode/position_scorer.h"
#include "server/http/failure.h"

namespace rsd::server {

// The value of a request's header; nullopt where it is absent.
using HeaderOf = std::function<std::optional<std::string>(const char* name)>;

struct Call {
  std::string_view body;
  HeaderOf header_of;
  std::function<bool()> hung_up;  // has the client gone away?
  std::string request_id;
  Clock::time_point arrival;  // when the whole body had come
  bool needs_key = false;     // calls need an API key
  std::string key;            // the name of the caller's (ApiKeys); empty where none is needed
  // Reserves so many bytes of the memory of all calls until the answer is sent; a Failure where
  // they aren't free. May be empty: memory is not counted.
  std::function<std::optional<Failure>(std::size_t bytes)> take_memory;
};

// What the access log says about a call besides its status.
struct CallNotes {
  std::size_t n_requests = 0;
  std::size_t n_candidates = 0;
  std::size_t encodings = 0;
  std::size_t tokens_encoded = 0;
  double queue_ms = 0;
  bool deadline_hit = false;
  std::string ignored_fields;  // unknown ones of the body, for the level debug
  std::string failure;         // for the log only
};

struct Reply {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  CallNotes notes = {};
};

}  // namespace rsd::server
