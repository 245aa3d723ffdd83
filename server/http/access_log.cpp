#include "server/http/access_log.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>

#include "rsd/core/shown_text.h"

namespace rsd::server {
namespace {

using Json = nlohmann::ordered_json;  // members keep their order

constexpr std::size_t kShownLogChars = 200;

std::string printable(std::string_view text) {
  return shown_text(text, kShownLogChars, Letters::kAscii);
}

std::string decimal(double ms) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.1f", ms);
  return text.data();
}

std::string dumped(const Json& line) {
  return line.dump(-1, ' ', true, Json::error_handler_t::replace);
}

bool fits_id(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("._:-").find(c) != std::string_view::npos;
}

}  // namespace

std::string message_line(std::string_view message) {
  constexpr std::size_t kMessageChars = 2000;
  return shown_text(message, kMessageChars);
}

std::string text_line(const AccessRecord& record) {
  std::string line = printable(record.client) + " " + printable(record.method) + " " +
                     printable(record.path) + " " + std::to_string(record.status) + " " +
                     decimal(record.ms) + " ms, id " + printable(record.request_id);
  const CallNotes& notes = record.notes;
  if (notes.n_requests > 0) {
    line += ", " + std::to_string(notes.n_candidates) + " candidates, " +
            std::to_string(notes.encodings) + " encodings, waited " + decimal(notes.queue_ms) +
            " ms";
  }
  if (notes.deadline_hit) line += ", deadline";
  if (!notes.failure.empty()) line += ": " + printable(notes.failure);
  return line;
}

std::string json_line(const AccessRecord& record, std::string_view time, std::string_view level) {
  const auto rounded = [](double ms) { return std::round(ms * 1000) / 1000; };
  const CallNotes& notes = record.notes;
  Json line{{"time", time},
            {"level", level},
            {"event", "request"},
            {"id", message_line(record.request_id)},
            {"client", message_line(record.client)},
            {"method", message_line(record.method)},
            {"path", message_line(record.path)},
            {"status", record.status},
            {"ms", rounded(record.ms)},
            {"bytes_in", record.bytes_in},
            {"bytes_out", record.bytes_out}};
  if (notes.n_requests > 0) {
    line["requests"] = notes.n_requests;
    line["candidates"] = notes.n_candidates;
    line["encodings"] = notes.encodings;
    line["tokens_encoded"] = notes.tokens_encoded;
    line["queue_ms"] = rounded(notes.queue_ms);
    line["deadline_hit"] = notes.deadline_hit;
  }
  if (!notes.failure.empty()) line["error"] = message_line(notes.failure);
  return dumped(line);
}

std::string json_line(std::string_view message, std::string_view time, std::string_view level) {
  return dumped(
      {{"time", time}, {"level", level}, {"event", "log"}, {"message", message_line(message)}});
}

std::string request_id_or_new(std::string_view given) {
  constexpr std::size_t kMaxLength = 128;
  if (!given.empty() && given.size() <= kMaxLength && std::ranges::all_of(given, fits_id))
    return std::string(given);
  thread_local std::mt19937_64 numbers{(std::uint64_t{std::random_device{}()} << 32U) |
                                       std::random_device{}()};
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(numbers()));
  return text.data();
}

}  // namespace rsd::server
