// Reading ranking requests: JSON lines in either of two shapes.
//
//   {"id", "query" | "history": […], "candidates": [{"id", "text"}], "relevance": {id: grade}?,
//    "task"?}
//   {"query": {"text", "qid"}, "candidates": [{"docid", "score", "doc": {"text" | …, "title"?}}]}
//
// The second is rank_llm's; its document text is the first of text, segment, contents, content,
// body, passage that is not empty, and a title goes before it ("title. text") or stands for it. It
// also takes a plain string for the query and for a candidate (the line number and the 1-based
// place in the list then serve as ids), and "doc" as a plain string.
//
// Common to both: ids may be integers. "task" is "passage" (needs the query) or "recommendation"
// (needs the history); without it the one that is there decides, and both together are an error. A
// candidate's "score" is its first-stage score. Grades are integers, 1.0 included. null is the same
// as absent. Keys that are not named here are ignored: real data carry more than we need. Text of
// nothing but white space is empty.
#pragma once

#include <cstddef>
#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/rank/request.h"

namespace rsd {

struct RequestLimits {
  std::size_t max_line_bytes = 64u << 20;
  std::size_t max_candidates = 10'000;
};

// One line. kInvalidInput names the field, the value and the limit, not the source: broken JSON or
// JSON that nests deeper than 32 levels, invalid UTF-8, a missing or empty query, history or id, no
// candidates, an empty candidate text, a duplicate candidate id, a field of the wrong type, a task
// that is unknown or doesn't fit, more than `limits`. `fallback_id` is the request's id where the
// line has none (rank_llm's shape without qid and id).
Result<Request> parse_request(std::string_view line, const std::string& fallback_id,
                              const RequestLimits& limits = {});

// Streams a file's requests. Blank lines are skipped. Not thread-safe.
class RequestReader {
 public:
  // `path` "-" reads standard input, "<stdin>" in errors. kNotFound when it can't be opened.
  static Result<RequestReader> open(const std::string& path, RequestLimits limits = {});
  // For tests and for callers with a stream of their own, not null; `source` is the name in errors.
  RequestReader(std::unique_ptr<std::istream> stream, std::string source,
                RequestLimits limits = {});

  // The next request; nullopt at the end. A bad line is an error "<source>:<line>: …" and reading
  // can go on behind it: kInvalidInput for the faults that `parse_request` knows, a line above
  // `max_line_bytes` (passed over, not kept) and an id that an earlier request had. kRuntime when
  // reading breaks off; the reader is then at its end. Windows line ends and a byte order mark at
  // the start of a line are no faults.
  Result<std::optional<Request>> next();

  // Would next() have to wait for whoever writes the requests? Of standard input and pipes only, at
  // the end of what is there by now. Standard input must be unsynchronised
  // (std::ios::sync_with_stdio(false)), or what is buffered is not seen.
  bool would_wait() const;

  const std::string& source() const noexcept { return source_; }
  std::size_t line() const noexcept { return line_; }  // of the request read last, 1-based

 private:
  Result<std::optional<Request>> parse(const std::string& line);
  Error located(const Error& error) const;

  std::unique_ptr<std::istream> stream_;  // null behind a failure of the stream
  std::string source_;
  RequestLimits limits_;
  bool is_complete_ = true;  // a file, all of which is there
  int descriptor_ = -1;      // where data can be waited for
  std::size_t line_ = 0;
  std::unordered_map<std::string, std::size_t> seen_;  // the line of each id
};

// The whole file or its first `limit` requests; lines behind them are not read. The first bad line
// is the error, and a file without requests is kInvalidInput.
Result<std::vector<Request>> read_requests(const std::string& path,
                                           std::optional<std::size_t> limit = std::nullopt);

}  // namespace rsd
