// What a call may choose about its ranking: fields beside any shape, or headers.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "json_body.h"
#include "ranking_engine.h"
#include "rsd/core/result.h"
#include "rsd/decode/decoding.h"
#include "rsd/window/list_request.h"

namespace rsd::server {

struct RankOptions {
  std::optional<std::string> decoder;
  std::optional<std::size_t> budget;
  std::optional<double> deadline_ms;
  std::optional<std::size_t> top_n;
  std::optional<std::string> draft;
  std::optional<std::string> policy;
  std::optional<std::size_t> window;
  std::optional<std::size_t> stride;
  std::optional<std::string> window_method;
  std::optional<std::size_t> max_text_tokens;  // rerank's max_tokens_per_doc
  bool refuse_cut = false;                     // rerank's truncate: false
  bool tell_rounds = false;                    // rank's rounds: true
  std::optional<std::string> cache_salt;       // whose prompts may use what is kept of its own
};

// The value of a request's header; nullopt where it is absent.
using HeaderOf = std::function<std::optional<std::string>(const char* name)>;

inline constexpr std::size_t kMaxCount = 1'000'000;  // of anything that a call chooses

// decoder, budget, deadline_ms, window, stride, window_method and cache_salt, which every shape
// takes.
void read_common_options(Fields& fields, RankOptions& options);
// top_n, draft and policy, too.
void read_all_options(Fields& fields, RankOptions& options);
// X-RSD-Decoder, X-RSD-Budget and X-RSD-Deadline-Ms, for what no field has told. kInvalidInput as
// for the fields.
Result<void> read_option_headers(const HeaderOf& header_of, RankOptions& options);

// What holds where a call chooses nothing.
struct RankDefaults {
  DecodingOptions decoding;  // as the options of `rsd serve` name it
  std::size_t budget = 3;    // of rsd, where neither the call nor `decoding` tells one
  std::optional<double> deadline_ms;
  WindowChoice windows;
  std::optional<std::size_t> max_tokens = std::nullopt;  // ListSettings::max_tokens
};

// How a call's lists are ranked, without their deadline. kInvalidArgument: no such decoder, draft,
// policy or window method, or windows as window_options refuses them.
Result<ListSettings> list_settings(const RankOptions& options, const RankDefaults& defaults,
                                   const RankingEngine& engine);

}  // namespace rsd::server
