#include "rsd/train/hold_out.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>

#include "rsd/rank/presentation.h"

namespace rsd {
namespace {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Normalises spaces and ASCII case, so that differently typed queries compare equal.
std::string plain(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool is_space = c == ' ' || (c >= '\t' && c <= '\r');
    if (!is_space) {
      result += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (!result.empty() && result.back() != ' ') {
      result += ' ';
    }
  }
  if (result.ends_with(' ')) result.pop_back();
  return result;
}

// A hash that is the same on every machine.
std::uint64_t draw(std::string_view text) {
  return request_generator(/*seed=*/0, text)();
}

std::string_view without_piece(std::string_view id) {
  std::string_view rest = id;
  while (!rest.empty() && is_digit(rest.back()))
    rest.remove_suffix(1);
  constexpr std::string_view kPiece = "-s";
  const bool is_piece = rest.size() < id.size() && rest.size() > kPiece.size();
  return is_piece && rest.ends_with(kPiece) ? rest.substr(0, rest.size() - kPiece.size()) : id;
}

}  // namespace

std::string split_key(const Request& request) {
  const bool asks_for_user = request.task == Task::kRecommendation && !request.history.empty();
  const std::uint64_t digest = draw(plain(asks_for_user ? request.history.front() : request.query));
  std::array<char, 16> hex;
  const auto end = std::to_chars(hex.data(), hex.data() + hex.size(), digest, 16);
  return {hex.data(), end.ptr};
}

std::string split_key_of_id(std::string_view id) {
  std::size_t slash = id.rfind('/');
  while (slash != std::string_view::npos && std::ranges::all_of(id.substr(slash + 1), is_digit)) {
    id = id.substr(0, slash);
    slash = id.rfind('/');
  }
  return std::string(without_piece(slash == std::string_view::npos ? id : id.substr(slash + 1)));
}

HoldOut hold_out(std::span<const std::string> keys) {
  constexpr std::uint64_t kEighth = std::numeric_limits<std::uint64_t>::max() / 8;
  HoldOut split;
  for (std::size_t i = 0; i < keys.size(); ++i)
    (draw(keys[i]) <= kEighth ? split.held_out : split.training).push_back(i);
  return split;
}

}  // namespace rsd
