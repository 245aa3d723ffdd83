// The names of RPO's forms (rpo.h), in flags, conditions, notes and measurements. Defaults first.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/check.h"
#include "rsd/train/rpo.h"

namespace rsd {

template <class Value>
struct NamedForm {
  std::string_view name;
  Value value;
};

inline constexpr std::array kSampledNames{
    NamedForm<Sampled>{"all", Sampled::kAllRounds}, NamedForm<Sampled>{"one", Sampled::kOneRound},
    NamedForm<Sampled>{"one-common-noise", Sampled::kOneRoundCommonNoise}};
inline constexpr std::array kReturnNames{
    NamedForm<ReturnKind>{"spearman", ReturnKind::kSpearman},
    NamedForm<ReturnKind>{"inversions", ReturnKind::kInversions},
    NamedForm<ReturnKind>{"log-error", ReturnKind::kLogError}};
inline constexpr std::array kAdvantageNames{
    NamedForm<Advantage>{"reference", Advantage::kReference},
    NamedForm<Advantage>{"group", Advantage::kGroup},
    NamedForm<Advantage>{"none", Advantage::kNone}};
inline constexpr std::array kAdvantageScaleNames{
    NamedForm<AdvantageScale>{"none", AdvantageScale::kNone},
    NamedForm<AdvantageScale>{"deviation", AdvantageScale::kDeviation}};

// The names of a table, in its order.
template <class Forms>
std::vector<std::string> names_in(const Forms& forms) {
  std::vector<std::string> names;
  names.reserve(forms.size());
  for (const auto& form : forms)
    names.emplace_back(form.name);
  return names;
}

// The form of this name, which the table has.
template <class Forms>
auto form_named(const Forms& forms, std::string_view name) {
  const auto* const found =
      std::ranges::find_if(forms, [&](const auto& form) { return form.name == name; });
  RSD_CHECK(found != forms.end(), "a name of the table");
  return found->value;
}

// The name of this form, which the table has.
template <class Forms, class Value>
std::string name_of_form(const Forms& forms, Value value) {
  const auto* const found =
      std::ranges::find_if(forms, [&](const auto& form) { return form.value == value; });
  RSD_CHECK(found != forms.end(), "a form of the table");
  return std::string(found->name);
}

}  // namespace rsd
