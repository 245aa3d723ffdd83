#include "rsd/ranker/rank_options.h"

#include <string>

#include "rsd/window/window_plan.h"

namespace rsd {
namespace {

Result<void> at_least_one(const char* name, std::optional<std::size_t> value) {
  if (!value || *value > 0) return {};
  return Error(ErrorCode::kInvalidArgument, std::string(name) + " is 0; it must be 1 or more");
}

}  // namespace

std::optional<std::size_t> budget_of_prompt(const RankOptions& options) noexcept {
  if (options.budget && takes_budget(options.decoder)) return options.budget;
  return options.decoder == DecoderKind::kRsd ? std::optional(kDefaultBudget) : std::nullopt;
}

Result<void> check(const RankOptions& options) {
  if (auto fine = at_least_one("budget", options.budget); !fine) return fine;
  if (auto fine = at_least_one("top_n", options.top_n); !fine) return fine;
  if (auto fine = at_least_one("max_text_tokens", options.max_text_tokens); !fine) return fine;
  if (auto fine = at_least_one("max_tokens", options.max_tokens); !fine) return fine;
  if (options.deadline && !(options.deadline->count() > 0)) {
    return Error(
        ErrorCode::kInvalidArgument,
        "deadline is " + std::to_string(options.deadline->count()) + " ms; it must be more than 0");
  }
  if (options.min_score && !(*options.min_score >= 0 && *options.min_score <= 1)) {
    return invalid_argument("min_score is " + std::to_string(*options.min_score) +
                            "; it must be from 0 to 1");
  }
  const auto windows = window_options(options.windows, options.top_n);
  return windows ? Result<void>() : windows.error();
}

}  // namespace rsd
