// What a call is and what it gets, without the HTTP around it.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rank_options.h"
#include "rsd/decode/position_scorer.h"

namespace rsd::server {

struct Failure;

struct Call {
  std::string_view body;
  HeaderOf header_of;
  std::function<bool()> hung_up;  // has the client gone away?
  std::string request_id;
  Clock::time_point arrival;  // the body was there
  std::string key;  // whose it is: the API key's name (ApiKeys); empty where none is needed
  // Takes so many bytes of the memory of all calls until the answer is sent, or tells that there
  // are no more. May be empty: there is no account of it.
  std::function<std::optional<Failure>(std::size_t bytes)> take_memory;
};

// What the access log tells about a call besides its status.
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
