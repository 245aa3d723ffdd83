#include "llm/cache_room.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "llm/prompt_cache.h"
#include "rsd/core/check.h"
#include "rsd/llm/llama_engine.h"

namespace rsd {

std::size_t Resident::n_common(const Prompt& prompt) const {
  const bool may_use = prompt.blocks.empty() && cache_scope == prompt.cache_scope;
  return may_use ? common_beginning(tokens, prompt.tokens) : 0;
}

CacheRoom::CacheRoom(KvCells& cells, const CacheLimits& limits) : cells_(cells), limits_(limits) {
  places_.for_all = limits.parallel;
}

std::size_t CacheRoom::n_short_users() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      users_, [](const CacheUser* user) { return user->length() == Length::kShort; }));
}

bool CacheRoom::has_place(Length length) const {
  return places_.has_one(users_.size(), n_short_users(), length);
}

void CacheRoom::make_place() {
  if (users_.size() >= places_.total()) users_.front()->lose_cache();
}

void CacheRoom::reserve_places(std::size_t n_places) {
  RSD_CHECK(users_.empty() && n_places <= kReservedPlaces, "places that can be kept");
  if (!limits_.takes_one) places_.for_short = n_places;
}

std::size_t CacheRoom::max_cells() const {
  return limits_.context_size + places_.for_short * kShortRequest;
}

std::size_t CacheRoom::claimed_cells() const {
  std::size_t claimed = 0;
  for (const CacheUser* user : users_)
    claimed += user->claimed_cells();
  return claimed;
}

std::size_t CacheRoom::free_cells() const {
  return max_cells() - std::min(max_cells(), claimed_cells());
}

std::size_t CacheRoom::room_for(std::size_t n_needed) const {
  if (length_of(n_needed) == Length::kShort) return free_cells();
  std::size_t n_kept = places_.for_short * kShortRequest;
  for (const CacheUser* user : users_)
    if (user->length() == Length::kShort) n_kept -= std::min(n_kept, user->claimed_cells());
  return free_cells() - std::min(free_cells(), n_kept);
}

Result<void> CacheRoom::grow(std::size_t n_more) {
  // Where one user is open at a time, what is resident is the beginning of its prompt.
  const std::size_t n_resident = resident_ && takes_several() ? resident_->tokens.size() : 0;
  const std::size_t n_cells = claimed_cells() + n_more + n_resident;
  if (n_cells <= cells_.n_cells()) return {};
  // Copies would not share the prompts' cells, and those of sliding windows would lack some.
  for (CacheUser* user : users_)
    limits_.slides ? user->forget_cache() : user->forget_other_lanes();
  if (limits_.slides) release_resident();
  auto resized = cells_.resize(std::min(max_cells(), std::bit_ceil(n_cells)));
  if (resized.kept_all) return resized.done;
  // What lacks is encoded again.
  for (CacheUser* user : users_)
    user->forget_cache();
  release_resident();
  return resized.done;
}

void CacheRoom::make_room_for(const Prompt& prompt, std::size_t n_cells) {
  if (!resident_) return;
  if (takes_several() && n_cells + resident_->tokens.size() <= free_cells()) return;
  const std::size_t n_common = resident_->n_common(prompt);
  if (n_common < kMinReusedTokens) return release_resident();
  cells_.truncate(resident_->sequence, n_common);
  resident_->tokens.resize(n_common);
  if (n_cells > free_cells()) release_resident();
}

void CacheRoom::leave(Resident resident) {
  release_resident();
  resident_ = std::move(resident);
}

void CacheRoom::release_resident() {
  if (resident_) cells_.release(resident_->sequence);
  resident_.reset();
}

}  // namespace rsd
