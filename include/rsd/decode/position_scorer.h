// The interface between decoders and an LLM: identifier logits at the positions of a proposed
// ranking.
//
// The decoders own this interface; a local LLM (llm/llama_engine.h), a remote one
// (remote/remote_engine.h) or a table of numbers in a test implements it.
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
  // The index, from 0, of one of several concurrent decodings of the request. A lane continues from
  // its own last encoding; the choice of lane changes the result by rounding at most.
  std::size_t lane = 0;
};

struct Encoding {
  LogitMatrix rows;  // [query.rows.size(), n_items]
  // Tokens that went through the LLM for this encoding. The prompt's are counted only if this
  // encoding carried them (has_own_prefill).
  std::size_t n_tokens = 0;
  double ms = 0;
};

struct Prefill {
  std::size_t n_tokens = 0;  // tokens that went through the LLM
  std::size_t n_reused = 0;  // tokens of the prompt reused from an earlier request
  double ms = 0;
  // Candidates whose texts did not go through the LLM, since their blocks were kept or are in an
  // index; nullopt: the prompt is not in blocks.
  std::optional<std::size_t> candidates_reused = std::nullopt;
  // By item, the log-odds that it is relevant, whatever else is in the list; empty: the LLM doesn't
  // read it, or a later piece of the prompt brings it.
  std::vector<float> relevance{};
  std::size_t n_left =
      0;  // tokens of the prompt that are not encoded yet, after a pass with a piece of it
};

// The LLM's view of one request. Not thread-safe; used by one decoding at a time. A scorer may
// share an engine with others; LlmEngine::open documents their lifetimes.
class PositionScorer {
 public:
  virtual ~PositionScorer() = default;

  virtual std::size_t n_items() const noexcept = 0;
  // Tokens that a first prefill() would encode now: the prompt's, less a beginning reused from an
  // earlier request or encoded in earlier passes (PassPart::max_tokens).
  virtual std::size_t n_prefill_tokens() const = 0;

  // True if the prompt goes through the LLM in a pass of its own, which computes row 0. Otherwise
  // prefill() only reports the prompt's tokens and takes no time; the first encoding carries the
  // prompt and is billed for it.
  virtual bool has_own_prefill() const noexcept { return true; }

  // Encodes the prompt once: later calls return the figures of the first, so that each of several
  // decodings of one request can be billed for it. kDeadlineExceeded when `give_up_at` passes
  // meanwhile (a later call starts anew); kRuntime when the LLM fails.
  virtual Result<Prefill> prefill(std::optional<Clock::time_point> give_up_at) = 0;

  // Drops the cache after the prompt: the next encoding pays for all of its tokens, as the first
  // one of a request does. For measuring several decodings of one request side by side.
  virtual void forget_proposals() = 0;

  // The logits of query.rows, in order; prefill() must come first. Only the tokens from the first
  // changed one on go through the LLM. Errors as for prefill(); after one the scorer can still be
  // used. Cost: one pass of the LLM over at most proposal.size() tokens.
  virtual Result<Encoding> encode(const EncodingQuery& query) = 0;

  // The same for several lanes, one query each, in order. If the scorer can, it encodes them in one
  // batch, which costs less than one after the other; each is then billed by its share of the
  // tokens, and the earliest give_up_at holds for all. An error fails all queries.
  virtual Result<std::vector<Encoding>> encode_all(std::span<const EncodingQuery> queries);
};

inline constexpr std::size_t kWholePrompt = std::numeric_limits<std::size_t>::max();

// One scorer's part of a pass that several scorers share.
struct PassPart {
  PositionScorer* scorer = nullptr;
  std::optional<EncodingQuery> query;  // nullopt: the prefill
  // The most tokens that a prefill may encode now, at least 1. The next prefill of the scorer
  // continues from there (Prefill::n_left); the figures of each are its own. An LLM that can't stop
  // within a prompt encodes all of it.
  std::size_t max_tokens = kWholePrompt;
};

using PartResult = std::variant<Prefill, Encoding>;

// The milliseconds that the part is billed.
inline double ms_of(const PartResult& result) {
  return std::visit([](const auto& part) { return part.ms; }, result);
}

// Parts that an LLM encodes concurrently, each ending in its own time, as on several machines. Not
// thread-safe; work goes on only inside wait().
class PartQueue {
 public:
  using Ticket = std::size_t;
  struct Ended {
    Ticket ticket = 0;
    Result<PartResult> result;  // billed from start() on; kRuntime when the LLM fails
  };

  virtual ~PartQueue() = default;

  // Starts a part of a scorer that this LLM has opened. Scorer and proposal must live until the
  // part has ended or is cancelled.
  virtual Ticket start(const PassPart& part) = 0;
  virtual void cancel(Ticket ticket) = 0;
  // The parts that ended, as soon as there is one; none if `until` comes first.
  virtual std::vector<Ended> wait(Clock::time_point until) = 0;
};

// An LLM that serves the scorers of several requests in one pass. Not thread-safe.
class BatchScorer {
 public:
  virtual ~BatchScorer() = default;

  // The queue of an LLM whose parts don't wait for each other; it lives as long as the LLM. nullptr
  // if parts share one machine, so that a pass takes longer the more it holds.
  virtual PartQueue* queue() noexcept { return nullptr; }

  // The results that prefill() and encode() would give, in order. All parts are of scorers that
  // this LLM has opened, one part per scorer. Each is billed the time of the pass by its share of
  // the tokens, or its own time if parts run concurrently. An error fails all parts and leaves the
  // scorers usable, as for one scorer: kDeadlineExceeded when `give_up_at` passes meanwhile (the
  // queries' own are ignored), kRuntime when the LLM fails.
  virtual Result<std::vector<PartResult>> encode_parts(
      std::span<const PassPart> parts, std::optional<Clock::time_point> give_up_at) = 0;
};

}  // namespace rsd
