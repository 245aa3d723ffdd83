// Running every setting on every request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/data/qrels.h"
#include "rsd/data/resumable_output.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/eval/record.h"
#include "rsd/eval/setting.h"
#include "rsd/rank/request.h"

namespace rsd {

struct OpenedRequest {
  std::unique_ptr<PositionScorer> scorer;  // not null, of as many items as the request
  std::size_t truncated_candidates = 0;    // texts that were cut to fit the context
};

enum class ExistingRecords { kReplace, kResume };

struct EvaluationOptions {
  std::string dataset;  // the name in reports and of the records file; not empty, no '/'
  std::vector<Request> requests;
  SettingGrid grid;
  // Opens the LLM's view of a request as it is presented; the scorer lives until the next call.
  std::function<Result<OpenedRequest>(const Request&)> open;

  // Shuffles each request's candidates by a generator that is seeded from this and the request's
  // id: neither the order of the requests nor their number matters. nullopt keeps the file's order.
  std::optional<std::uint64_t> shuffle_seed;
  // On how many orders of each request's candidates ar is run to see whether they agree: 0 = this
  // is not measured, else at least 2. With shuffle_seed the order at hand is the first, and the
  // others are shuffled by the seeds that follow it; without, all are shuffled, by the seeds from 1
  // on. Each order more costs a prefill and K-2 encodings, in nobody's times.
  std::size_t order_shuffles = 0;
  // Relevance by request id, in place of the requests' own; a request that it lacks has no labels.
  std::optional<Qrels> qrels;

  // Where <dataset>.jsonl goes, made if need be; empty = no file, and nothing can be resumed.
  std::string records_folder;
  ExistingRecords existing_records = ExistingRecords::kReplace;
  // What the figures depend on besides these options, e.g. {"model", …}, {"template", …}: kept with
  // the records and compared when they are resumed.
  Conditions conditions;

  // Called behind each request; those that a resumed file holds count as done. May be empty.
  std::function<void(std::size_t done, std::size_t total)> progress;
  std::function<Clock::time_point()> now = &Clock::now;
};

struct Evaluation {
  std::string dataset;
  std::vector<Setting> settings;  // ar first
  bool ar_is_listed = false;      // else it is the target only, and not a row
  std::optional<std::uint64_t> shuffle_seed;
  std::size_t order_shuffles = 0;
  std::vector<RequestRecord> records;  // in the order of the requests, at least one
  std::vector<FailedRequest> failed;
};

// Per request one scorer and one prefill serve all settings: each is billed the prefill, and begins
// with nothing cached behind the prompt. Each record is appended and flushed when it is made, so
// that an evaluation that was killed can be resumed; a half-written last line is then dropped, and
// requests that had failed are tried again.
//
// kInvalidArgument: options that make no sense (see plan_settings; no requests, a repeated request
// id, a bad dataset name), or records that were made under other conditions or from other requests;
// what differs is told, and the file is left alone. kInvalidInput: a damaged records file, with its
// line, or every request failed, with the first reason. kRuntime: the records can't be written;
// those on disk are kept.
Result<Evaluation> evaluate(const EvaluationOptions& options);

}  // namespace rsd
