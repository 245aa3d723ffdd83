// Who takes how many cells of the LLM's cache: the open scorers, and the last prompt that one of
// them has left there for the next.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "llm/kv_cells.h"
#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/decode/places.h"
#include "rsd/prompt/prompt_builder.h"

namespace rsd {

// A prompt that a scorer has left in the cache for the next one, which may begin alike.
struct Resident {
  std::vector<TokenId> tokens;
  std::size_t sequence = 0;
  std::string cache_scope;

  // Tokens that the prompt may use of it.
  std::size_t n_common(const Prompt& prompt) const;
};

// An open scorer, as the owner of cells.
class CacheUser {
 public:
  virtual Length length() const = 0;
  // Cells that are, or may come to be, its own.
  virtual std::size_t claimed_cells() const = 0;
  // Another one takes its place: removes itself.
  virtual void lose_cache() = 0;
  // Keeps the first lane; the others begin anew when they are used.
  virtual void forget_other_lanes() = 0;
  // Its prompt is encoded again when it is needed.
  virtual void forget_cache() = 0;

 protected:
  ~CacheUser() = default;
};

struct CacheLimits {
  std::size_t context_size = 0;  // tokens that prompt and ranking may take
  std::size_t parallel = 1;      // users that may be open
  bool takes_one = false;        // the model's cache allows only one user at a time
  bool slides = false;           // the model has a sliding window
};

// Not thread-safe.
class CacheRoom {
 public:
  // The cells outlive it.
  CacheRoom(KvCells& cells, const CacheLimits& limits);
  CacheRoom(const CacheRoom&) = delete;
  CacheRoom& operator=(const CacheRoom&) = delete;

  // In the order of opening.
  std::span<CacheUser* const> users() const noexcept { return users_; }
  void add(CacheUser& user) { users_.push_back(&user); }
  void remove(CacheUser& user) { std::erase(users_, &user); }

  std::size_t n_places() const noexcept { return places_.total(); }
  // For another user of that length.
  bool has_place(Length length) const;
  // Where there is none, the oldest user loses its own.
  void make_place();
  // Keeps n_places more for short users. No user may be open.
  void reserve_places(std::size_t n_places);

  std::size_t claimed_cells() const;
  // Cells that no user has a claim to; the resident prompt's count as free.
  std::size_t free_cells() const;
  // Cells for a prompt that needs `n_needed`, the ranking's included: long ones leave the room that
  // is kept for short ones.
  std::size_t room_for(std::size_t n_needed) const;
  // Makes the cache large enough for what users claim, the resident prompt and n_more cells. It
  // begins small, so that short prompts don't pay for the longest that are allowed; what is in the
  // cache comes along. kRuntime, and the cache has its old size, where the memory is lacking.
  Result<void> grow(std::size_t n_more);
  // Frees what of the resident prompt is of no use to this one, if it can't be of use to others or
  // there is no room for it beside so many cells.
  void make_room_for(const Prompt& prompt, std::size_t n_cells);

  const std::optional<Resident>& resident() const noexcept { return resident_; }
  // Takes the place of the one that was there.
  void leave(Resident resident);
  void release_resident();

 private:
  std::size_t max_cells() const;
  bool takes_several() const { return places_.total() > 1; }
  std::size_t n_short_users() const;

  KvCells& cells_;
  CacheLimits limits_;
  Places places_;
  std::vector<CacheUser*> users_;
  std::optional<Resident> resident_;
};

}  // namespace rsd
