#include "core/xxh64.h"

#include <array>
#include <bit>
#include <cstring>

#include "rsd/core/hex.h"

namespace rsd {
namespace {

constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87U;
constexpr std::uint64_t kPrime2 = 0xC2B2AE3D27D4EB4FU;
constexpr std::uint64_t kPrime3 = 0x165667B19E3779F9U;
constexpr std::uint64_t kPrime4 = 0x85EBCA77C2B2AE63U;
constexpr std::uint64_t kPrime5 = 0x27D4EB2F165667C5U;
constexpr std::size_t kStripe = 32;  // bytes: four lanes of eight

template <class Word>
std::uint64_t little_endian(const std::uint8_t* at) {
  if constexpr (std::endian::native == std::endian::little) {
    Word word = 0;
    std::memcpy(&word, at, sizeof(word));
    return word;
  }
  std::uint64_t word = 0;
  for (std::size_t b = 0; b < sizeof(Word); ++b)
    word |= static_cast<std::uint64_t>(at[b]) << (8 * b);
  return word;
}

std::uint64_t round_of(std::uint64_t lane, std::uint64_t word) {
  return std::rotl(lane + word * kPrime2, 31) * kPrime1;
}

// The four lanes over all whole stripes, joined. `at` moves behind them.
std::uint64_t joined_lanes(const std::uint8_t*& at, std::size_t n_stripes, std::uint64_t seed) {
  std::array<std::uint64_t, 4> lanes{seed + kPrime1 + kPrime2, seed + kPrime2, seed,
                                     seed - kPrime1};
  for (std::size_t stripe = 0; stripe < n_stripes; ++stripe, at += kStripe)
    for (std::size_t lane = 0; lane < lanes.size(); ++lane)
      lanes[lane] = round_of(lanes[lane], little_endian<std::uint64_t>(at + 8 * lane));
  std::uint64_t hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) +
                       std::rotl(lanes[3], 18);
  for (const std::uint64_t lane : lanes)
    hash = (hash ^ round_of(0, lane)) * kPrime1 + kPrime4;
  return hash;
}

std::uint64_t with_rest(std::uint64_t hash, const std::uint8_t* at, std::size_t n_left) {
  for (; n_left >= 8; at += 8, n_left -= 8)
    hash = std::rotl(hash ^ round_of(0, little_endian<std::uint64_t>(at)), 27) * kPrime1 + kPrime4;
  if (n_left >= 4) {
    hash = std::rotl(hash ^ (little_endian<std::uint32_t>(at) * kPrime1), 23) * kPrime2 + kPrime3;
    at += 4;
    n_left -= 4;
  }
  for (; n_left > 0; ++at, --n_left)
    hash = std::rotl(hash ^ (*at * kPrime5), 11) * kPrime1;
  return hash;
}

}  // namespace

std::uint64_t xxh64(std::span<const std::uint8_t> bytes, std::uint64_t seed) noexcept {
  const std::uint8_t* at = bytes.data();
  const std::size_t n_stripes = bytes.size() / kStripe;
  std::uint64_t hash = n_stripes > 0 ? joined_lanes(at, n_stripes, seed) : seed + kPrime5;
  hash = with_rest(hash + bytes.size(), at, bytes.size() % kStripe);
  hash = (hash ^ (hash >> 33U)) * kPrime2;
  hash = (hash ^ (hash >> 29U)) * kPrime3;
  return hash ^ (hash >> 32U);
}

std::uint64_t xxh64(std::string_view text, std::uint64_t seed) noexcept {
  return xxh64(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()), seed);
}

std::string hex(std::uint64_t digest) {
  std::array<unsigned char, sizeof(digest)> bytes{};
  for (std::size_t b = 0; b < bytes.size(); ++b)
    bytes[bytes.size() - 1 - b] = static_cast<unsigned char>(digest >> (8 * b));
  return hex(bytes);
}

}  // namespace rsd
