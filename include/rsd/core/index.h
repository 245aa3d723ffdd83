// Integers that must not be mistaken for each other.
#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace rsd {

// A 32-bit index into one kind of sequence. Construction is explicit; different kinds don't mix.
template <class Kind>
class Index {
 public:
  constexpr Index() = default;
  template <std::integral Integer>
  constexpr explicit Index(Integer value) : value_(static_cast<std::int32_t>(value)) {}

  constexpr std::int32_t value() const noexcept { return value_; }
  constexpr std::size_t slot() const noexcept { return static_cast<std::size_t>(value_); }
  constexpr auto operator<=>(const Index&) const = default;

 private:
  std::int32_t value_ = 0;
};

// A candidate of one request, by its place in the request's candidate list (0-based).
using ItemId = Index<struct ItemKind>;
// A place in a ranking, best first (0-based; a rank is 1-based).
using Position = Index<struct PositionKind>;
// A token of the LLM's vocabulary.
using TokenId = Index<struct TokenKind>;
// The token that labels an item in the prompt and in the answer.
using IdentifierToken = Index<struct IdentifierKind>;

}  // namespace rsd

template <class Kind>
struct std::hash<rsd::Index<Kind>> {
  std::size_t operator()(rsd::Index<Kind> index) const noexcept {
    return std::hash<std::int32_t>{}(index.value());
  }
};
