// The requests to rank: a file of them, or a TREC run with its topics and its corpus. Internal.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/data/request_reader.h"
#include "rsd/data/trec_requests.h"

namespace rsd {

// Not thread-safe.
class RankInput {
 public:
  // `requests` is the path of a file, "-" for standard input, or empty: then the TREC files are
  // read. `texts`: RequestLimits::texts. kInvalidArgument: both are named, neither is, or a TREC
  // file is missing; else the errors of RequestReader::open and trec_request_lines.
  static Result<RankInput> open(const std::string& requests, const TrecFiles& trec,
                                const RequestLimits::Texts& texts = {});

  RequestReader& reader() noexcept { return reader_; }
  // Lines of the file, or topics of the run, invalid ones included; nullopt: not known in advance.
  std::optional<std::size_t> n_requests() const noexcept { return n_requests_; }
  // Why topics of the TREC run have no request.
  const std::vector<Error>& failed_topics() const noexcept { return failed_topics_; }
  // Names a request in messages: the file, its line and the id, or the run and its topic.
  std::string subject(const std::string& id, std::size_t line) const;

 private:
  explicit RankInput(RequestReader reader) : reader_(std::move(reader)) {}
  static Result<RankInput> open_trec(const TrecFiles& files);

  RequestReader reader_;
  std::optional<std::size_t> n_requests_;
  std::vector<Error> failed_topics_;
  std::string run_;  // the TREC run; empty: the requests are a file
};

}  // namespace rsd
