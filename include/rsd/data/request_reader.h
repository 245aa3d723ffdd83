// Reading ranking requests: JSON lines, or one JSON array of requests, in either of two shapes.
//
//   {"id", "query" | "history": […], "candidates": [{"id", "text"}], "relevance": {id: grade}?,
//    "task"?}
//   {"query": {"text", "qid"}, "candidates": [{"docid", "score", "doc": {"text" | …, "title"?}}]}
//
// The second is rank_llm's; its document text is the first of text, segment, contents, content,
// body, passage that is not blank, and a title goes before it ("title. text") or stands for it;
// numbers stand for their digits there. It also takes a plain string for the query and for a
// candidate (the line's number, or the place in the array, and the 1-based place in the list then
// serve as ids), and "doc" as a plain string; and rank_llm's older files, whose list is called
// "hits" and whose documents are the candidates themselves.
//
// A request's id may be called id, _id, qid or query_id, and stand in the line, in "query" or, as
// qid, in the first candidate; where two tell different ones, that is an error. A candidate's may
// be called id, _id, docid, doc_id, docno or pid.
//
// Common to both: ids may be integers. "task" is "passage" (needs the query) or "recommendation"
// (needs the history); without it the one that is there decides, and both together are an error. A
// candidate's "score" is its first-stage score. Grades are integers, 1.0 included. null is the same
// as absent, and so is NaN, which is no JSON. Keys that are not named here are ignored: real data
// carry more than we need. Text of nothing but white space is empty: an error for a query or in a
// history; a candidate's is kept as an empty text as long as another of the list says something,
// and so is one that is null.
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

class RecordStream;

struct RequestLimits {
  std::size_t max_line_bytes = 64u << 20;
  std::size_t max_candidates = 10'000;
  // A line of our own shape without an id: an error, or named by the fallback as rank_llm's are.
  enum class WithoutId { kError, kFallback };
  WithoutId without_id = WithoutId::kError;
};

// One line. kInvalidInput names the field, the value and the limit, not the source: broken JSON or
// JSON that nests deeper than 512 levels, invalid UTF-8, a missing or empty query, history or id,
// ids that differ, no candidates or blank ones only, a duplicate candidate id, a field of the wrong
// type, a task that is unknown or doesn't fit, more than `limits`. `fallback_id` is the request's
// id where the line has none (rank_llm's shape without qid and id).
Result<Request> parse_request(std::string_view line, const std::string& fallback_id,
                              const RequestLimits& limits = {});

// The id that such a line tells, also where it can't be used otherwise; nullopt where there is
// none, or more than one.
std::optional<std::string> request_id(std::string_view line);

// Streams a file's requests: those of its lines, blank ones are skipped, or, where it begins with
// '[', the elements of that JSON array, which may be laid out over many lines. No more than one
// request is held. Not thread-safe.
class RequestReader {
 public:
  // `path` "-" reads standard input, "<stdin>" in errors. kNotFound when it can't be opened.
  static Result<RequestReader> open(const std::string& path, RequestLimits limits = {});
  // For tests and for callers with a stream of their own, not null; `source` is the name in errors.
  RequestReader(std::unique_ptr<std::istream> stream, std::string source,
                RequestLimits limits = {});

  // The next request; nullopt at the end. A bad line is an error "<source>:<line>: …" (an element
  // of an array is named by the line where it begins) and reading can go on behind it:
  // kInvalidInput for the faults that `parse_request` knows, a line or element above
  // `max_line_bytes` (passed over, not kept) and an id that an earlier request had. kRuntime when
  // reading breaks off, kInvalidInput for an array that isn't closed and for files that are
  // compressed or UTF-16; the reader is then at its end. Windows line ends and a byte order mark at
  // the start of a line are no faults.
  Result<std::optional<Request>> next();

  // Would next() have to wait for whoever writes the requests? Of standard input and pipes only, at
  // the end of what is there by now. Standard input must be unsynchronised
  // (std::ios::sync_with_stdio(false)), or what is buffered is not seen.
  bool would_wait() const;

  const std::string& source() const noexcept { return source_; }
  std::size_t line() const noexcept;  // where the request read last begins, 1-based

  RequestReader(RequestReader&&) noexcept;
  RequestReader& operator=(RequestReader&&) noexcept;
  ~RequestReader();

 private:
  Result<std::optional<Request>> parse(const std::string& record);
  Error located(const Error& error) const;

  std::unique_ptr<RecordStream> records_;
  std::string source_;
  RequestLimits limits_;
  bool is_complete_ = true;                            // a file, all of which is there
  int descriptor_ = -1;                                // where data can be waited for
  std::unordered_map<std::string, std::size_t> seen_;  // the line of each id
};

// The whole file or its first `limit` requests; lines behind them are not read. The first bad line
// is the error, and a file without requests is kInvalidInput.
Result<std::vector<Request>> read_requests(const std::string& path,
                                           std::optional<std::size_t> limit = std::nullopt);

}  // namespace rsd
