// Runs every setting on every request.
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
#include "rsd/decode/llm_engine.h"
#include "rsd/eval/record.h"
#include "rsd/eval/setting.h"
#include "rsd/rank/request.h"

namespace rsd {

enum class ExistingRecords { kReplace, kResume };

struct EvaluationOptions {
  std::string dataset;  // the name in reports and of the records file; not empty, no '/'
  std::vector<Request> requests;
  SettingGrid grid;
  // Opens a scorer for a request with its candidates in presented order; it lives until the next
  // call.
  std::function<Result<OpenedRequest>(const Request&)> open;

  // Shuffles each request's candidates with a generator seeded from this and the request's id, so
  // that neither the order nor the number of the requests matters. nullopt keeps the file's order.
  std::optional<std::uint64_t> shuffle_seed;
  // The number of presentation orders of each request on which ar is run to measure order
  // consistency: 0 = not measured, else at least 2. With shuffle_seed the evaluated order is the
  // first, and the others are shuffled with the following seeds; without it all are shuffled, with
  // the seeds from 1 on. Each further order costs a prefill and K-2 encodings, which count in no
  // setting's times.
  std::size_t order_shuffles = 0;
  // Relevance by request id, in place of the requests' own; requests that are missing in it have no
  // labels.
  std::optional<Qrels> qrels;
  // The least grade with which a candidate counts as relevant where relevance is a probability
  // (ReliabilityFigures): 2 for TREC's passage judgements, whose grade 1 is of the topic without an
  // answer. Metrics of rankings don't depend on it, nor do records.
  int relevant_from = 1;

  // The folder of <dataset>.jsonl, created if needed; empty = no file, and no resuming.
  std::string records_folder;
  ExistingRecords existing_records = ExistingRecords::kReplace;
  // Everything else that the figures depend on, e.g. {"model", …}, {"template", …}: stored with the
  // records and compared on resuming.
  Conditions conditions;

  // Called after each request; requests in a resumed file count as done. May be empty.
  std::function<void(std::size_t done, std::size_t total)> progress;
  std::function<Clock::time_point()> now = &Clock::now;
};

struct Evaluation {
  std::string dataset;
  std::vector<Setting> settings;  // ar first
  bool ar_is_listed = false;      // false: it is only the target and not a row
  std::optional<std::uint64_t> shuffle_seed;
  std::size_t order_shuffles = 0;
  int relevant_from = 1;
  std::vector<RequestRecord> records;  // in the order of the requests, at least one
  std::vector<FailedRequest> failed;
};

// One scorer and one prefill per request serve all settings: each setting is billed the prefill,
// and starts with nothing cached after the prompt. Each record is appended and flushed at once, so
// that a killed evaluation can be resumed; a half-written last line is then dropped, and failed
// requests are tried again.
//
// kInvalidArgument: invalid options (see plan_settings; no requests, a repeated request id, a bad
// dataset name), or records made under other conditions or from other requests; the message names
// the differences, and the file is unchanged. kInvalidInput: a damaged records file, with its line;
// or all requests failed, with the first reason. kRuntime: the records can't be written; those on
// disk are kept.
Result<Evaluation> evaluate(const EvaluationOptions& options);

}  // namespace rsd
