// What better proposals could gain a request (rsd/train/ceiling.h), as lines of JSON: the exhibit
// `ceiling` of the study runs it.
//
//   ceiling --requests FILE [--model MODEL] [--agent FILE] [--budgets 2,3,4] [--samples 32] [--seed
//   1]
//           [--threads 2] [--skip N]
//
// A line holds a request's id, its number of candidates, and for each budget greedy, best,
// best_by_round and mean_by_round. --skip passes over requests that an interrupted run has done.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "rsd/agent/agent_file.h"
#include "rsd/core/machine.h"
#include "rsd/data/request_reader.h"
#include "rsd/ranker/prompted_llm.h"
#include "rsd/train/ceiling.h"
#include "rsd/train/collect.h"
#include "study/by_request.h"

namespace {

using rsd::Result;

struct Options {
  std::string requests;
  std::string agent;
  std::vector<std::size_t> budgets{2, 3, 4};
  std::size_t skip = 0;
  rsd::CeilingOptions ceiling;
  rsd::EngineOptions engine;
};

Options parse(int argc, char** argv) {
  Options options;
  CLI::App app{"What better proposals could gain."};
  app.add_option("--requests", options.requests)->required();
  app.add_option("--agent", options.agent)->required();
  app.add_option("--model", options.engine.model);
  app.add_option("--budgets", options.budgets)->delimiter(',')->check(CLI::Range(2, 100));
  app.add_option("--samples", options.ceiling.samples)->check(CLI::Range(1, 10'000));
  app.add_option("--seed", options.ceiling.seed);
  app.add_option("--threads", options.engine.threads)->check(CLI::Range(0, 1024));
  app.add_option("--skip", options.skip);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  options.ceiling.threads = rsd::thread_count(options.engine.threads);
  return options;
}

Result<nlohmann::ordered_json> measure(const rsd::RelevanceNetwork& agent,
                                       const rsd::PromptedLlm& llm, const rsd::Request& request,
                                       const Options& options) {
  auto opened = llm.open(request);
  if (!opened) return opened.error();
  rsd::PositionScorer& scorer = *opened->scorer;
  const auto target = rsd::target_ranking(scorer);
  if (!target) return target.error();
  nlohmann::ordered_json line{{"id", request.id}, {"k", scorer.n_items()}};
  for (const std::size_t budget : options.budgets) {
    rsd::CeilingOptions ceiling = options.ceiling;
    ceiling.budget = budget;
    const auto measured = rsd::measure_ceiling(agent, scorer, *target, ceiling);
    if (!measured) return measured.error();
    line["budgets"][std::to_string(budget)] = {{"greedy", measured->greedy},
                                               {"best", measured->best},
                                               {"best_by_round", measured->best_by_round},
                                               {"mean_by_round", measured->mean_by_round}};
  }
  return line;
}

Result<void> run(const Options& options) {
  auto agent = rsd::load_agent(options.agent);
  if (!agent) return agent.error();
  auto llm = rsd::load_prompted(options.engine);
  if (!llm) return llm.error();
  const auto requests = rsd::read_requests(options.requests);
  if (!requests) return requests.error();
  return study::write_by_request(*requests, options.skip, [&](const rsd::Request& request) {
    return measure(agent->network, *llm, request, options);
  });
}

}  // namespace

int main(int argc, char** argv) {
  return study::exit_code_of("ceiling", [&] { return run(parse(argc, argv)); });
}
