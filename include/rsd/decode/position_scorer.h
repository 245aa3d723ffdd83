// What a decoder asks of an LLM: the identifier logits at the positions of a proposed ranking.
//
// The decoders own this interface; a local LLM (llm/llama_scorer.h), a remote one or a table of
// numbers in a test implements it.
#pragma once

#include <chrono>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/decode/logits.h"

namespace rsd {

using Clock = std::chrono::steady_clock;

inline double ms_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

// The positions whose logits are wanted, half-open: [first, end).
struct RowRange {
  std::size_t first = 0;
  std::size_t end = 0;

  std::size_t size() const noexcept { return end - first; }
  bool operator==(const RowRange&) const = default;
};

// One encoding of the prompt followed by the identifiers of `proposal`. Row j is conditioned on
// proposal[0..j-1], so `rows.end` is at most proposal.size() + 1.
struct EncodingQuery {
  std::span<const ItemId> proposal;  // distinct items; may be shorter than the request
  RowRange rows;                     // not empty
  std::optional<Clock::time_point> give_up_at;
  // Which of several decodings of the request that go on side by side; each counts from 0. What a
  // lane encoded last is where it goes on from; the result depends on it by rounding at most.
  std::size_t lane = 0;
};

struct Encoding {
  LogitMatrix rows;  // [query.rows.size(), n_items]
  // Tokens that went through the LLM for it. The prompt's are counted only where this encoding
  // carried them (has_own_prefill).
  std::size_t n_tokens = 0;
  double ms = 0;
};

struct Prefill {
  std::size_t n_tokens = 0;  // that went through the LLM
  std::size_t n_reused = 0;  // of the prompt's, which were known from an earlier request
  double ms = 0;
  std::size_t n_left = 0;  // of the prompt's, after a pass that took a piece of it
};

// The LLM's view of one request. Not thread-safe; used by one decoding at a time. A scorer may
// share an engine with others; what that means for their lifetime is said where it is opened.
class PositionScorer {
 public:
  virtual ~PositionScorer() = default;

  virtual std::size_t n_items() const noexcept = 0;
  // Tokens that a first prefill() would encode now: the prompt's, less a beginning that is known
  // from an earlier request, or was encoded in earlier passes (PassPart::max_tokens).
  virtual std::size_t n_prefill_tokens() const = 0;

  // Does the prompt go through the LLM in a pass of its own, of which row 0 comes out? Where it
  // doesn't, prefill() tells the prompt's tokens and takes no time; the first encoding carries the
  // prompt and is billed for it.
  virtual bool has_own_prefill() const noexcept { return true; }

  // Encodes the prompt. Done once: later calls return the figures of the first, so several
  // decodings of one request can each be billed for it. kDeadlineExceeded when `give_up_at` passes
  // meanwhile (a later call starts anew); kRuntime when the LLM fails.
  virtual Result<Prefill> prefill(std::optional<Clock::time_point> give_up_at) = 0;

  // Drops what is cached behind the prompt: the next encoding pays for all of its tokens, as the
  // first one of a request does. For measuring several decodings of one request side by side.
  virtual void forget_proposals() = 0;

  // The logits of query.rows, in order; needs prefill() before. Only what changed since the last
  // call goes through the LLM. Errors as above; after one the scorer can still be used. Cost: one
  // pass of the LLM over at most proposal.size() tokens.
  virtual Result<Encoding> encode(const EncodingQuery& query) = 0;

  // The same for several lanes, one query each, in order. Where the scorer can, they go through the
  // LLM in one batch, which costs less than one after the other; each is billed the time by its
  // share of the tokens, and the earliest give_up_at holds for all. An error is that of all.
  virtual Result<std::vector<Encoding>> encode_all(std::span<const EncodingQuery> queries);
};

inline constexpr std::size_t kWholePrompt = std::numeric_limits<std::size_t>::max();

// What one scorer has to do in a pass that it shares with others.
struct PassPart {
  PositionScorer* scorer = nullptr;
  std::optional<EncodingQuery> query;  // nullopt: the prefill
  // Of a prefill: tokens that it may encode now, 1 at least. The next prefill of the scorer goes on
  // where this one ends (Prefill::n_left), and the figures of each are its own. A limit, where an
  // LLM can stop within a prompt; others encode all of it.
  std::size_t max_tokens = kWholePrompt;
};

using PartResult = std::variant<Prefill, Encoding>;

// The milliseconds that it is billed.
inline double ms_of(const PartResult& result) {
  return std::visit([](const auto& part) { return part.ms; }, result);
}

// Parts that go through the LLM side by side, each in its own time, as on several machines. Not
// thread-safe; nothing goes on but in wait().
class PartQueue {
 public:
  using Ticket = std::size_t;
  struct Ended {
    Ticket ticket = 0;
    Result<PartResult> result;  // billed from start() on; kRuntime when the LLM fails
  };

  virtual ~PartQueue() = default;

  // The part begins, of a scorer that this LLM has opened. Scorer and proposal must stay until the
  // part has ended or is cancelled.
  virtual Ticket start(const PassPart& part) = 0;
  virtual void cancel(Ticket ticket) = 0;
  // Those that ended, as soon as there is one; none when `until` comes first.
  virtual std::vector<Ended> wait(Clock::time_point until) = 0;
};

// An LLM that serves the scorers of several requests in one pass. Not thread-safe.
class BatchScorer {
 public:
  virtual ~BatchScorer() = default;

  // Where parts need not wait for each other; it lives as long as the LLM. nullptr: they share one
  // machine, and a pass takes longer the more is in it.
  virtual PartQueue* queue() noexcept { return nullptr; }

  // What prefill() and encode() would give, in order. The parts are of scorers that this LLM has
  // opened, one of each. Each is billed the time of the pass by its share of the tokens, or side by
  // side its own. An error is that of all, and what can be done about it is as for one scorer:
  // kDeadlineExceeded when `give_up_at` passes meanwhile (the queries' own are not looked at),
  // kRuntime when the LLM fails.
  virtual Result<std::vector<PartResult>> encode_parts(
      std::span<const PassPart> parts, std::optional<Clock::time_point> give_up_at) = 0;
};

}  // namespace rsd
