// Models that were prepared: adapters merged into the weights, the weights stored for speed. The
// default model is one (rsd/models/default_model.h).
//
// Safe to call from several threads for different outputs, except that all share the process's one
// log (rsd/llm/llama_engine.h).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/log.h"
#include "rsd/core/progress.h"
#include "rsd/core/result.h"
#include "rsd/llm/llama_engine.h"
#include "rsd/llm/prepare_model.h"
#include "rsd/rank/request.h"

namespace rsd {

// The default model's.
inline constexpr WeightType kDefaultWeightType = WeightType::kF16;

// The inputs and the output of prepare().
struct Preparation {
  std::string model;
  std::string model_hash;  // SHA-256 that the model must have; empty = any
  std::vector<LoraFile> loras;
  WeightType type = kDefaultWeightType;
  std::string output;
  // If the output is one of the cache's files: only one process at a time prepares in this folder,
  // and leftovers are removed. Empty: the output is the caller's, and is made next to it.
  std::string cache_folder;
};

struct PrepareOptions {
  int threads = 0;  // 0 = one per core
  LogSink log;
  OnProgress on_progress;  // of check_agreement and try_types
};

// Makes the output, and "<output>.json" with the hashes of the sources and its own checksum.
// Returns false, and writes nothing, if both exist and agree in every byte. The output appears by a
// rename, whole or not at all. kNotFound, kInvalidInput, kUnsupported: see merge_adapters;
// kInvalidArgument: the output is one of the inputs; kRuntime: it can't be written. Makes no
// encodings.
Result<bool> prepare(const Preparation& preparation, const PrepareOptions& options = {});

// How well the `ar` rankings of a prepared model agree with those of the model with its adapters at
// run time.
struct ModelAgreement {
  std::size_t requests = 0;
  double kendall_tau = 0;  // the mean
  double identical = 0;    // the share of requests whose rankings are the same
  double top_1 = 0;        // the share whose first items are the same
};

// Ranks the requests, at least one, by `preparation.output` and by its sources (the model with the
// adapters), one model at a time in memory. Errors: see LlamaEngine::load and LlmEngine::open.
// Cost: as many encodings as the requests have candidates, twice.
Result<ModelAgreement> check_agreement(const Preparation& preparation,
                                       const std::vector<Request>& requests,
                                       const PrepareOptions& options = {});

// The agreement in the record of a prepared model; nullopt if none was measured.
std::optional<ModelAgreement> recorded_agreement(const std::string& model);
// kRuntime: it can't be written.
Result<void> record_agreement(const std::string& model, const ModelAgreement& agreement);

// The mean Kendall tau with the rankings of F16 weights that a type must reach: about the tau of
// F16 weights with themselves in passes of other sizes (docs/measurements.md).
inline constexpr double kLeastAgreement = 0.97;

struct TypeTrial {
  WeightType type = WeightType::kF16;
  double answer_ms = 0;    // median over the requests, rsd with a budget of 2
  double kendall_tau = 0;  // of ar's rankings with those of F16
  bool keeps_rankings() const { return kendall_tau >= kLeastAgreement; }
};

// Makes the model in each type in a folder beside `preparation.output`, one after the other and
// back again, so that a machine that grows slower meanwhile favours none; ranks the requests, at
// least one, with each. The first is F16. Errors: see prepare() and LlamaEngine::load.
Result<std::vector<TypeTrial>> try_types(const Preparation& preparation,
                                         const std::vector<Request>& requests,
                                         const PrepareOptions& options = {});

// The fastest that keeps the rankings. `trials` as try_types gives them.
WeightType fastest_type(const std::vector<TypeTrial>& trials);

}  // namespace rsd
