#include "rsd/jobs/rank_file.h"

#include <optional>
#include <utility>
#include <vector>

#include "jobs/rank_input.h"
#include "jobs/rank_output.h"
#include "jobs/rank_run.h"
#include "rsd/data/answer_reader.h"
#include "rsd/ranker/conditions.h"
#include "rsd/ranker/ranker.h"

namespace rsd {
namespace {

std::vector<std::string> inputs_of(const RankFileOptions& files) {
  std::vector<std::string> paths{files.requests, files.trec.run, files.trec.topics};
  paths.insert(paths.end(), files.trec.corpus.begin(), files.trec.corpus.end());
  return paths;
}

Result<std::optional<PreviousAnswers>> previous_of(const RankFileOptions& files) {
  if (files.previous.empty()) return std::optional<PreviousAnswers>();
  auto previous = PreviousAnswers::read(files.previous);
  if (!previous) return previous.error();
  return std::optional(*std::move(previous));
}

Result<Conditions> conditions_of(const RankFileOptions& files, const EngineOptions& engine,
                                 const RankOptions& options) {
  auto conditions = ranking_conditions(engine, options);
  if (!conditions) return conditions;
  if (!files.previous.empty()) (*conditions)["previous"] = identity_of(files.previous);
  if (files.output.format == AnswerFormat::kTrec) (*conditions)["tag"] = files.output.tag;
  return conditions;
}

Result<Ranker> load(const EngineOptions& engine, const RankOptions& options) {
  auto ranker = Ranker::load(engine);
  if (!ranker || !options.deadline) return ranker;
  if (auto done = ranker->calibrate(); !done) return done.error();
  return ranker;
}

}  // namespace

Result<RankFileReport> rank_file(EngineOptions engine, const RankOptions& rank_options,
                                 const RankFileOptions& files, const JobSeams& seams) {
  RankOptions options = rank_options;
  options.keep_rounds = !files.output.trace.empty();
  auto output = RankOutput::plan(files.output, inputs_of(files));
  if (!output) return output.error();
  auto served = with_served_model(std::move(engine));
  if (!served) return served.error();
  auto input = RankInput::open(files.requests, files.trec, candidate_texts(*served));
  if (!input) return input.error();
  const auto previous = previous_of(files);
  if (!previous) return previous.error();
  const auto conditions = conditions_of(files, *served, options);
  if (!conditions) return conditions.error();
  if (auto read = output->read_kept(*conditions); !read) return read.error();
  auto ranker = load(*served, options);
  if (!ranker) return ranker.error();
  if (auto opened = output->open(*conditions, ranker->llm().model_name()); !opened)
    return opened.error();
  return RankRun({.ranker = *ranker,
                  .input = *input,
                  .output = *output,
                  .options = options,
                  .previous = *previous,
                  .seams = seams})
      .run();
}

}  // namespace rsd
