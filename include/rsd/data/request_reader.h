// Reads ranking requests: JSON lines, or one JSON array of requests, in either of two shapes.
//
//   {"id", "query" | "history": […], "candidates": [{"id", "text"}], "relevance": {id: grade}?,
//    "task"?}
//   {"query": {"text", "qid"}, "candidates": [{"docid", "score", "doc": {"text" | …, "title"?}}]}
//
// The second is rank_llm's. Its document text is the first field of text, segment, contents,
// content, body, passage that is not blank; a title is put before it ("title. text") or replaces a
// missing text; numbers are read as their digits. Query, candidates and "doc" may also be plain
// strings; the ids are then the number of the line or array element, and the candidate's 1-based
// place in the list. rank_llm's older files are read, too: their list is called "hits", and their
// documents are the candidates themselves.
//
// A request's id is a field id, _id, qid, query_id, query-id or topic_id of the line or of "query",
// or qid of its candidates. A candidate's id is a field id, _id, pid, passage_id, docid, doc_id or
// docno; beside pid and passage_id, the last three name another document, and are not read.
// Different ids are an error.
//
// In both shapes, ids may be integers. "task" is "passage" (requires a query) or "recommendation"
// (requires a history). Without it, the presence of query or history decides, and both together are
// an error. A candidate's "score" is its first-stage score. Grades are integers, 1.0 included.
// null, and NaN, which is not valid JSON, count as absent. Keys that are not named here are
// ignored, since real data have more than rsd needs. Numbers stand for their digits in texts and
// titles. Text of only white space is empty, which is an error for a query. A title of a history,
// and a candidate's text, may be empty or null as long as another one is not: blank titles are left
// out.
#pragma once

#include <cstddef>
#include <functional>
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
  // The text of a candidate by its id; nullopt: there is none of that id.
  using Texts = std::function<Result<std::optional<std::string>>(const std::string& id)>;

  std::size_t max_line_bytes = 64u << 20;
  std::size_t max_candidates = 10'000;
  // A request of the first shape without an id: an error, or named by the fallback id like
  // rank_llm's.
  enum class WithoutId { kError, kFallback };
  WithoutId without_id = WithoutId::kError;
  // Of candidates that are given by their ids alone, such as {"id": "m3"}. Empty: each has a text.
  Texts texts{};
};

// Parses one line. kInvalidInput names the field, the value and the limit, but not the source:
// broken JSON or JSON nested deeper than 512 levels, invalid UTF-8, a missing or empty query,
// history or id, different ids, no candidates or only blank ones, a duplicate candidate id, a field
// of the wrong type, a task that is unknown or doesn't fit, or a value above `limits`.
// `fallback_id` is the id of a request without one (see RequestLimits::WithoutId).
Result<Request> parse_request(std::string_view line, const std::string& fallback_id,
                              const RequestLimits& limits = {});

// The id of such a line, even if the line is invalid otherwise; nullopt if it has none, or
// different ones.
std::optional<std::string> request_id(std::string_view line);

// Streams a file's requests: its lines without blank ones, or, if it begins with '[', the elements
// of that JSON array, which may span many lines. Holds at most one request. Not thread-safe.
class RequestReader {
 public:
  // `path` "-" reads standard input, "<stdin>" in errors. kNotFound when it can't be opened.
  static Result<RequestReader> open(const std::string& path, RequestLimits limits = {});
  // For tests and callers with their own stream, which must not be null; `source` is the name in
  // errors.
  RequestReader(std::unique_ptr<std::istream> stream, std::string source,
                RequestLimits limits = {});

  // The next request; nullopt at the end. A bad line is an error "<source>:<line>: …" (for an
  // element of an array, the line where it begins) after which reading can continue: kInvalidInput
  // for the errors of `parse_request`, a line or element above `max_line_bytes` (skipped, not kept)
  // and the id of an earlier request. kRuntime when reading breaks off, kInvalidInput for an array
  // that isn't closed and for files that are compressed or UTF-16; the reader is then at its end.
  // Windows line ends and a byte order mark at the start of a line are accepted.
  Result<std::optional<Request>> next();

  // True if next() would have to wait for more input. Only possible for standard input and pipes,
  // when all available data are consumed. Standard input must be unsynchronised
  // (std::ios::sync_with_stdio(false)), or buffered data are not seen.
  bool would_wait() const;

  const std::string& source() const noexcept { return source_; }
  std::size_t line() const noexcept;  // the line where the last request begins, 1-based

  RequestReader(RequestReader&&) noexcept;
  RequestReader& operator=(RequestReader&&) noexcept;
  ~RequestReader();

 private:
  Result<std::optional<Request>> parse(const std::string& record);
  Error located(const Error& error) const;

  std::unique_ptr<RecordStream> records_;
  std::string source_;
  RequestLimits limits_;
  bool is_complete_ = true;                            // the source is a file, which never has to
                                                       // be waited for
  int descriptor_ = -1;                                // for polling
  std::unordered_map<std::string, std::size_t> seen_;  // line by id
};

// Reads the whole file or its first `limit` requests; later lines are not read. Fails at the first
// bad line, and with kInvalidInput for a file without requests.
Result<std::vector<Request>> read_requests(const std::string& path,
                                           std::optional<std::size_t> limit = std::nullopt,
                                           const RequestLimits& limits = {});

}  // namespace rsd
