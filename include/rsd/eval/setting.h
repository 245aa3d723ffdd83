// A setting: one way of decoding that is evaluated, and one row of a report.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/decoding.h"
#include "rsd/decode/ranking_policy.h"

namespace rsd {

// Fields that the decoder does not use are empty: the policy of ar, std and sd, the draft of ar and
// std (for others an empty draft means default_draft()), and the budget of all but rsd and a
// limited sd.
struct Setting {
  DecoderKind decoder = DecoderKind::kAr;
  std::string policy;
  std::optional<Draft> draft;
  std::optional<std::size_t> budget;

  bool operator==(const Setting&) const = default;
};

// The draft in force; nullopt for ar and std, which have none.
std::optional<Draft> draft_of(const Setting& setting);

// One line, unique among settings: "rsd mean-logprob first-token T=2".
std::string to_string(const Setting& setting);

// The grid of settings to compare.
struct SettingGrid {
  std::vector<DecoderKind> decoders;
  std::vector<std::size_t> budgets;                            // for sd and rsd
  std::vector<std::shared_ptr<const RankingPolicy>> policies;  // for exact and rsd, not null
  std::vector<std::optional<Draft>> drafts = {
      std::nullopt};  // for sd, exact and rsd; nullopt = default
};

// All settings of the grid: ar, std, sd (per draft: each budget, then without one), exact (per
// policy and draft), rsd (per policy, draft and budget). ar is the target and always comes first,
// even if it isn't listed. kInvalidArgument: no decoders, a budget of 0, a listed decoder without
// the budgets, policies or drafts that it needs, or a repeated setting (from a repeated name or
// number).
Result<std::vector<Setting>> plan_settings(const SettingGrid& grid);

}  // namespace rsd
