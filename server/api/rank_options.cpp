#include "server/api/rank_options.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

namespace rsd::server {
namespace {

constexpr double kMaxDeadlineMs = 1e9;  // eleven days; a clock can add it

// A header's number as JSON, so that the same limits hold for fields and headers; other text stays
// text.
Json number_of(const std::string& text) {
  std::size_t whole = 0;
  double number = 0;
  const char* const end = text.data() + text.size();
  if (const auto read = std::from_chars(text.data(), end, whole);
      read.ec == std::errc() && read.ptr == end) {
    return whole;
  }
  if (const auto read = std::from_chars(text.data(), end, number);
      read.ec == std::errc() && read.ptr == end && std::isfinite(number)) {
    return number;
  }
  return text;
}

// A header may hold any bytes; an error that quotes it must be UTF-8 all the same.
std::string printable(std::string text) {
  for (char& c : text)
    if (c < ' ' || c > '~') c = '?';
  return text;
}

// A name that `parse` knows; any other is a fault of its field.
template <class Parse>
auto named(Fields& fields, const char* field, Parse parse)
    -> std::optional<typename decltype(parse(std::string_view()))::value_type> {
  const auto name = fields.optional_text(field);
  if (!name) return std::nullopt;
  auto value = parse(*name);
  if (value) return *std::move(value);
  fields.fail(value.error());
  return std::nullopt;
}

template <class T>
void take(std::optional<T> read, T& option) {
  if (read) option = *std::move(read);
}
template <class T>
void take(std::optional<T> read, std::optional<T>& option) {
  if (read) option = std::move(read);
}

void read_deadline(Fields& fields, const char* field, RankOptions& options) {
  if (const auto ms = fields.positive_number(field, kMaxDeadlineMs)) options.deadline.emplace(*ms);
}

}  // namespace

void read_common_options(Fields& fields, RankOptions& options) {
  take(named(fields, "decoder", parse_decoder), options.decoder);
  take(fields.whole_number("budget", kMaxCount), options.budget);
  read_deadline(fields, "deadline_ms", options);
  const WindowChoice own{.method = named(fields, "window_method", parse_window_method),
                         .size = fields.whole_number("window", kMaxCount),
                         .stride = fields.whole_number("stride", kMaxCount)};
  options.windows = own.over(options.windows);
  take(fields.number_up_to("min_score", 1), options.min_score);
  if (auto salt = fields.optional_text("cache_salt")) options.cache_scope = *std::move(salt);
}

void read_all_options(Fields& fields, RankOptions& options) {
  read_common_options(fields, options);
  take(fields.whole_number("top_n", kMaxCount), options.top_n);
  take(named(fields, "draft", parse_draft), options.draft);
  take(fields.optional_text("policy"), options.policy);
}

Result<void> read_option_headers(const HeaderOf& header_of, RankOptions& options) {
  Json given = Json::object();
  if (const auto text = header_of("X-RSD-Decoder")) given["X-RSD-Decoder"] = printable(*text);
  for (const char* name : {"X-RSD-Budget", "X-RSD-Deadline-Ms"}) {
    if (const auto text = header_of(name)) given[name] = number_of(printable(*text));
  }
  Fields headers(given);
  take(named(headers, "X-RSD-Decoder", parse_decoder), options.decoder);
  take(headers.whole_number("X-RSD-Budget", kMaxCount), options.budget);
  read_deadline(headers, "X-RSD-Deadline-Ms", options);
  return headers.finish();
}

}  // namespace rsd::server
