// The ways that ratios are made of, by name. Internal.
#pragma once

namespace rsd {

inline constexpr const char* kRsdWay = "rsd T=2";
inline constexpr const char* kGeneration = "generation";
inline constexpr const char* kShippedGeneration = "generation, as shipped";

}  // namespace rsd
