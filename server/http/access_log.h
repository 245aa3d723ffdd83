// A line for each call.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "server/http/call.h"

namespace rsd::server {

struct AccessRecord {
  std::string request_id;
  std::string client;  // its address
  std::string method;
  std::string path;
  int status = 0;
  double ms = 0;  // from the end of the request's body
  std::size_t bytes_in = 0;
  std::size_t bytes_out = 0;
  CallNotes notes;
};

using AccessSink = std::function<void(const AccessRecord&)>;

// "127.0.0.1 POST /v1/rerank 200 12.3 ms, id …": one line of ASCII, whatever the client sent.
std::string text_line(const AccessRecord& record);
// The same as a JSON object, with `time` and `level` as they are given.
std::string json_line(const AccessRecord& record, std::string_view time, std::string_view level);
// Any other message: one line of at most 2,000 characters without control characters, whatever an
// engine or a client has put into it.
std::string message_line(std::string_view message);
// The same as a JSON object.
std::string json_line(std::string_view message, std::string_view time, std::string_view level);

// The client's own id if it has 1 to 128 letters, digits and "._:-" and nothing else; otherwise a
// new one.
std::string request_id_or_new(std::string_view given);

}  // namespace rsd::server
