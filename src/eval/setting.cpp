#include "rsd/eval/setting.h"

#include <algorithm>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {
namespace {

class Planner {
 public:
  explicit Planner(const SettingGrid& grid) : grid_(grid) {}

  std::vector<Setting> plan() {
    settings_.push_back({.decoder = DecoderKind::kAr});
    if (lists(DecoderKind::kStd)) settings_.push_back({.decoder = DecoderKind::kStd});
    if (lists(DecoderKind::kSd)) add_sd();
    if (lists(DecoderKind::kExact)) add_with_policies(DecoderKind::kExact, {std::nullopt});
    if (lists(DecoderKind::kRsd)) {
      add_with_policies(DecoderKind::kRsd, {grid_.budgets.begin(), grid_.budgets.end()});
    }
    return std::move(settings_);
  }

  Result<void> check_lists() const {
    if (grid_.decoders.empty()) return invalid_argument("no decoders are listed");
    if (std::ranges::count(grid_.budgets, 0U) > 0) {
      return invalid_argument("a budget is 0; it must be at least 1");
    }
    for (const DecoderKind decoder : grid_.decoders) {
      const std::string name = "decoder " + std::string(to_string(decoder));
      if (std::ranges::count(grid_.decoders, decoder) > 1)
        return invalid_argument(name + " is listed twice");
      if (decoder == DecoderKind::kRsd && grid_.budgets.empty()) {
        return invalid_argument(name + " needs at least one budget");
      }
      if (uses_policy(decoder) && grid_.policies.empty()) {
        return invalid_argument(name + " needs at least one policy");
      }
      if ((uses_policy(decoder) || decoder == DecoderKind::kSd) && grid_.drafts.empty()) {
        return invalid_argument(name + " needs at least one draft");
      }
    }
    return {};
  }

 private:
  bool lists(DecoderKind decoder) const {
    return std::ranges::find(grid_.decoders, decoder) != grid_.decoders.end();
  }

  void add_sd() {
    for (const auto& draft : grid_.drafts) {
      for (const std::size_t budget : grid_.budgets) {
        settings_.push_back({.decoder = DecoderKind::kSd, .draft = draft, .budget = budget});
      }
      settings_.push_back({.decoder = DecoderKind::kSd, .draft = draft});
    }
  }

  void add_with_policies(DecoderKind decoder,
                         const std::vector<std::optional<std::size_t>>& budgets) {
    for (const auto& policy : grid_.policies) {
      RSD_CHECK(policy != nullptr, "a policy that is null");
      for (const auto& draft : grid_.drafts) {
        for (const auto& budget : budgets) {
          settings_.push_back({decoder, std::string(policy->name()), draft, budget});
        }
      }
    }
  }

  const SettingGrid& grid_;
  std::vector<Setting> settings_;
};

}  // namespace

std::optional<Draft> draft_of(const Setting& setting) {
  if (setting.decoder == DecoderKind::kAr || setting.decoder == DecoderKind::kStd) {
    return std::nullopt;
  }
  return setting.draft.value_or(default_draft(setting.decoder, setting.budget));
}

std::string to_string(const Setting& setting) {
  std::string text(to_string(setting.decoder));
  if (!setting.policy.empty()) text += " " + setting.policy;
  if (setting.draft) text += " " + std::string(to_string(*setting.draft));
  if (setting.budget) text += " T=" + std::to_string(*setting.budget);
  return text;
}

Result<std::vector<Setting>> plan_settings(const SettingGrid& grid) {
  Planner planner(grid);
  if (auto sound = planner.check_lists(); !sound) return sound.error();
  std::vector<Setting> settings = planner.plan();
  for (const Setting& setting : settings) {
    if (std::ranges::count(settings, setting) > 1) {
      return invalid_argument("the setting \"" + to_string(setting) + "\" is asked for twice");
    }
  }
  return settings;
}

}  // namespace rsd
