// How a list that is longer than one prompt is ranked in windows (docs/long-lists.md).
//
//   method     | windows of W items                               | orders
//   -----------+--------------------------------------------------+--------------------------------
//   sliding    | from the end to the front, a stride apart; what  | the whole list
//              | was ranked highest moves up (RankGPT,            |
//              | arXiv 2304.09542)                                |
//   top-down   | the first W; then all others against one of its  | what the last window ranks; the
//              | items, the pivot; then what beat it              | rest by its place in its window
//              | (arXiv 2405.14589)                               |
//   tournament | groups, whose first go on to the next round      | the first places; the others by
//              |                                                  | the round that they reached
//   calibrated | the first W; then all others beside one of its   | the whole list, by how far the
//              | items, the pivot; one encoding each              | first rows have it above that
//   relevance  | all, one encoding each; then the W most relevant | what the last window ranks; the
//              | ones (LlmEngine::reads_relevance)                | rest by its relevance
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "rsd/core/result.h"

namespace rsd {

enum class WindowMethod { kSliding, kTopDown, kTournament, kCalibrated, kRelevance };

std::string_view to_string(WindowMethod method) noexcept;
// kInvalidArgument for other names than sliding, top-down, tournament, calibrated,
// relevance.
Result<WindowMethod> parse_window_method(std::string_view name);

// A user's partial choice of windows; the comments give the defaults. If nothing is chosen but a
// list needs windows, ListRequest chooses the method.
struct WindowChoice {
  std::optional<WindowMethod> method;  // sliding
  std::optional<std::size_t> size;     // 20
  std::optional<std::size_t> stride;   // size / 2
  std::optional<std::size_t> passes;   // 1
  std::optional<std::size_t> pivot;    // size / 2
  std::optional<std::size_t> pool;     // all
  std::optional<std::size_t> advance;  // top_n or 10, at most size / 2

  // This choice with its missing fields taken from `other`. Fields of `other` are left out if they
  // belong to another method than this choice names, or depend on a size that this choice replaces.
  WindowChoice over(const WindowChoice& other) const;
};

}  // namespace rsd
