#include "rsd/rank/presentation.h"

#include <array>
#include <charconv>
#include <limits>
#include <numeric>
#include <utility>

#include "rank/digest.h"
#include "rsd/core/utf8.h"

namespace rsd {
namespace {

Request without_candidates(const Request& request) {
  return {.id = request.id,
          .task = request.task,
          .query = request.query,
          .history = request.history,
          .candidates = {},
          .relevance = request.relevance};
}

// Uniform in [0, limit): values that would cause a bias are drawn again.
std::uint64_t below(std::uint64_t limit, std::mt19937_64& generator) {
  const std::uint64_t fair = std::numeric_limits<std::uint64_t>::max() / limit * limit;
  std::uint64_t drawn = generator();
  while (drawn >= fair)
    drawn = generator();
  return drawn % limit;
}

}  // namespace

std::mt19937_64 request_generator(std::uint64_t seed, std::string_view request_id) {
  Digest digest;
  digest.add_number(seed);
  digest.add_text(request_id);
  return std::mt19937_64(digest.value());
}

void shuffle(std::vector<std::size_t>& order, std::mt19937_64& generator) {
  for (std::size_t n = order.size(); n > 1; --n) {
    std::swap(order[n - 1], order[below(n, generator)]);
  }
}

std::vector<std::size_t> presentation_order(const Request& request,
                                            std::optional<std::uint64_t> seed) {
  std::vector<std::size_t> order(request.candidates.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (seed) {
    auto generator = request_generator(*seed, request.id);
    shuffle(order, generator);
  }
  return order;
}

Request presented(const Request& request, const std::vector<std::size_t>& order) {
  Request shown = without_candidates(request);
  shown.candidates.reserve(order.size());
  for (const std::size_t place : order)
    shown.candidates.push_back(request.candidates[place]);
  return shown;
}

Request presented(const Request& request, std::span<const ItemId> order) {
  Request shown = without_candidates(request);
  shown.candidates.reserve(order.size());
  for (const ItemId item : order)
    shown.candidates.push_back(request.candidates[item.slot()]);
  return shown;
}

std::vector<ItemId> items_with_text(const Request& request) {
  std::vector<ItemId> items;
  for (std::size_t i = 0; i < request.candidates.size(); ++i)
    if (!single_line(request.candidates[i].text).empty()) items.emplace_back(i);
  return items;
}

Request without_blank_candidates(const Request& request) {
  const auto items = items_with_text(request);
  return items.size() == request.candidates.size() ? request : presented(request, items);
}

namespace {

void add_content(Digest& digest, const Request& request) {
  digest.add_text(request.id);
  digest.add_number(static_cast<std::uint64_t>(request.task));
  digest.add_text(request.query);
  digest.add_number(request.history.size());
  for (const auto& text : request.history)
    digest.add_text(text);
  digest.add_number(request.candidates.size());
  for (const auto& candidate : request.candidates) {
    digest.add_text(candidate.id);
    digest.add_text(candidate.text);
  }
}

std::string hex_of(const Digest& digest) {
  std::array<char, 16> hex;
  const auto end = std::to_chars(hex.data(), hex.data() + hex.size(), digest.value(), 16);
  return {hex.data(), end.ptr};
}

}  // namespace

std::string request_digest(const Request& request) {
  Digest digest;
  add_content(digest, request);
  for (const auto& [id, grade] : request.relevance) {
    digest.add_text(id);
    digest.add_number(static_cast<std::uint64_t>(grade));
  }
  return hex_of(digest);
}

std::string content_digest(const Request& request) {
  Digest digest;
  add_content(digest, request);
  return hex_of(digest);
}

}  // namespace rsd
