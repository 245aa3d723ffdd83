#include "rank_options.h"

#include <charconv>
#include <cmath>
#include <utility>

namespace rsd::server {
namespace {

constexpr double kMaxDeadlineMs = 1e9;  // eleven days; a clock can add it

// A header's number as JSON has it, so that fields and headers are held to the same; text that is
// none stays text.
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

// A header may hold any bytes; what is told back must be UTF-8 all the same.
std::string printable(std::string text) {
  for (char& c : text)
    if (c < ' ' || c > '~') c = '?';
  return text;
}

}  // namespace

void read_common_options(Fields& fields, RankOptions& options) {
  options.decoder = fields.optional_text("decoder");
  options.budget = fields.whole_number("budget", kMaxCount);
  options.deadline_ms = fields.positive_number("deadline_ms", kMaxDeadlineMs);
  options.window = fields.whole_number("window", kMaxCount);
  options.stride = fields.whole_number("stride", kMaxCount);
  options.window_method = fields.optional_text("window_method");
  options.cache_salt = fields.optional_text("cache_salt");
}

void read_all_options(Fields& fields, RankOptions& options) {
  read_common_options(fields, options);
  options.top_n = fields.whole_number("top_n", kMaxCount);
  options.draft = fields.optional_text("draft");
  options.policy = fields.optional_text("policy");
}

Result<void> read_option_headers(const HeaderOf& header_of, RankOptions& options) {
  Json told = Json::object();
  if (const auto text = header_of("X-RSD-Decoder")) told["X-RSD-Decoder"] = printable(*text);
  for (const char* name : {"X-RSD-Budget", "X-RSD-Deadline-Ms"}) {
    if (const auto text = header_of(name)) told[name] = number_of(printable(*text));
  }
  Fields headers(told);
  const auto decoder = headers.optional_text("X-RSD-Decoder");
  const auto budget = headers.whole_number("X-RSD-Budget", kMaxCount);
  const auto deadline_ms = headers.positive_number("X-RSD-Deadline-Ms", kMaxDeadlineMs);
  if (auto read = headers.finish(); !read) return read;
  if (!options.decoder) options.decoder = decoder;
  if (!options.budget) options.budget = budget;
  if (!options.deadline_ms) options.deadline_ms = deadline_ms;
  return {};
}

namespace {

Result<DecodingOptions> decoding_options(const RankOptions& options, const RankDefaults& defaults,
                                         const RankingEngine& engine) {
  DecodingOptions decoding = defaults.decoding;
  if (options.decoder) {
    const auto decoder = parse_decoder(*options.decoder);
    if (!decoder) return decoder.error();
    decoding.decoder = *decoder;
  }
  if (options.draft) {
    const auto draft = parse_draft(*options.draft);
    if (!draft) return draft.error();
    decoding.draft = *draft;
  }
  if (options.top_n) decoding.top_n = options.top_n;
  if (options.tell_rounds) decoding.n_recent = kEveryRound;
  if (options.budget) decoding.budget = options.budget;
  if (!takes_budget(decoding.decoder)) decoding.budget.reset();
  if (decoding.decoder == DecoderKind::kRsd && !decoding.budget) decoding.budget = defaults.budget;
  if (!uses_policy(decoding.decoder)) {
    decoding.policy.reset();
  } else if (options.policy || !decoding.policy) {
    const auto policy = engine.policy(options.policy.value_or(""));
    if (!policy) return policy.error();
    decoding.policy = *policy;
  }
  return decoding;
}

}  // namespace

Result<ListSettings> list_settings(const RankOptions& options, const RankDefaults& defaults,
                                   const RankingEngine& engine) {
  auto decoding = decoding_options(options, defaults, engine);
  if (!decoding) return decoding.error();
  WindowChoice own{.size = options.window, .stride = options.stride};
  if (options.window_method) {
    const auto method = parse_window_method(*options.window_method);
    if (!method) return method.error();
    own.method = *method;
  }
  const WindowChoice choice = own.over(defaults.windows);
  if (const auto sensible = window_options(choice, decoding->top_n); !sensible)
    return sensible.error();
  // A budget that somebody named is the whole list's, the default one each window's.
  const auto named = options.budget ? options.budget : defaults.decoding.budget;
  return ListSettings{
      .decoding = *std::move(decoding),
      .budget = named,
      .deadline = std::nullopt,
      .windows = choice,
      .max_text_tokens = options.max_text_tokens.value_or(kDefaultTextTokens),
      .long_texts = options.refuse_cut ? LongTexts::kRefuse : LongTexts::kCut,
      .max_tokens = defaults.max_tokens,
  };
}

}  // namespace rsd::server
