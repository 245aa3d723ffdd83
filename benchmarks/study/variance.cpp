// How noisy RPO's estimate of its gradient is (rsd/train/gradient_variance.h), as lines of JSON:
// the exhibit `variance` of the study runs it.
//
//   variance --requests FILE --agent FILE [--reference FILE] [--model MODEL] [--rollouts 6]
//            [--budget 3] [--batches 32] [--sampled-rounds all,one,one-common-noise]
//            [--returns spearman,inversions,log-error] [--advantage-scales none,deviation]
//            [--seed 1] [--threads 2] [--limit N] [--skip N]
//
// A line holds a request's id, its number of candidates, and for each way of sampling, return,
// advantage and scale `variance` and `squared_mean`. The agent's plays of a way of sampling are the
// same for all credits. --skip passes over requests that an interrupted run has done.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rsd/agent/agent_file.h"
#include "rsd/core/machine.h"
#include "rsd/data/request_reader.h"
#include "rsd/ranker/prompted_llm.h"
#include "rsd/train/collect.h"
#include "rsd/train/gradient_variance.h"
#include "rsd/train/rpo_names.h"
#include "study/by_request.h"

namespace {

using rsd::Result;

struct Options {
  std::string requests;
  std::string agent;
  std::string reference;
  std::optional<std::size_t> limit;
  std::size_t skip = 0;
  std::vector<std::string> sampled = rsd::names_in(rsd::kSampledNames);
  std::vector<std::string> returns = rsd::names_in(rsd::kReturnNames);
  std::vector<std::string> scales = rsd::names_in(rsd::kAdvantageScaleNames);
  rsd::VarianceOptions variance;
  rsd::EngineOptions engine;
};

void add_sizes(CLI::App& app, Options& options) {
  options.variance.rpo.max_budget = 3;
  app.add_option("--rollouts", options.variance.rpo.rollouts)->check(CLI::Range(2, 10'000));
  app.add_option("--budget", options.variance.rpo.max_budget)->check(CLI::Range(1, 100));
  app.add_option("--batches", options.variance.batches)->check(CLI::Range(2, 10'000));
  app.add_option("--seed", options.variance.rpo.seed);
  app.add_option("--threads", options.engine.threads)->check(CLI::Range(0, 1024));
  app.add_option("--limit", options.limit)->check(CLI::Range(1, 1'000'000));
  app.add_option("--skip", options.skip);
}

Options parse(int argc, char** argv) {
  Options options;
  CLI::App app{"How noisy RPO's estimate of its gradient is."};
  app.add_option("--requests", options.requests)->required();
  app.add_option("--agent", options.agent)->required();
  app.add_option("--reference", options.reference, "the frozen agent; default: the agent itself");
  app.add_option("--model", options.engine.model);
  app.add_option("--sampled-rounds", options.sampled)
      ->delimiter(',')
      ->check(CLI::IsMember(rsd::names_in(rsd::kSampledNames)));
  app.add_option("--returns", options.returns)
      ->delimiter(',')
      ->check(CLI::IsMember(rsd::names_in(rsd::kReturnNames)));
  app.add_option("--advantage-scales", options.scales)
      ->delimiter(',')
      ->check(CLI::IsMember(rsd::names_in(rsd::kAdvantageScaleNames)));
  add_sizes(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  options.variance.rpo.threads = rsd::thread_count(options.engine.threads);
  if (options.reference.empty()) options.reference = options.agent;
  return options;
}

struct NamedCredit {
  nlohmann::ordered_json names;
  rsd::Credit credit;
};

std::vector<NamedCredit> credits_of(const Options& options) {
  std::vector<NamedCredit> credits;
  for (const std::string& kind : options.returns) {
    for (const std::string& scale : options.scales) {
      for (const auto& [name, advantage] : rsd::kAdvantageNames) {
        // Returns in units of their deviation, far from zero: no one trains with these.
        if (name == "none" && scale != "none") continue;
        credits.push_back({.names = {{"return", kind}, {"advantage", name}, {"scale", scale}},
                           .credit = {.return_kind = rsd::form_named(rsd::kReturnNames, kind),
                                      .advantage = advantage,
                                      .scale = rsd::form_named(rsd::kAdvantageScaleNames, scale)}});
      }
    }
  }
  return credits;
}

struct Agents {
  rsd::RelevanceNetwork agent;
  rsd::RelevanceNetwork reference;
};

Result<nlohmann::ordered_json> measure(const Agents& agents, const rsd::PromptedLlm& llm,
                                       const rsd::Request& request, const Options& options) {
  auto opened = llm.open(request);
  if (!opened) return opened.error();
  rsd::PositionScorer& scorer = *opened->scorer;
  const auto target = rsd::target_ranking(scorer);
  if (!target) return target.error();
  const auto credits = credits_of(options);
  rsd::VarianceOptions variance = options.variance;
  variance.credits.clear();
  for (const NamedCredit& one : credits)
    variance.credits.push_back(one.credit);
  nlohmann::ordered_json line{{"id", request.id}, {"k", scorer.n_items()}};
  for (const std::string& sampled : options.sampled) {
    variance.rpo.sampled = rsd::form_named(rsd::kSampledNames, sampled);
    const auto measured = rsd::measure_gradient_variance(
        {.agent = agents.agent, .reference = agents.reference}, scorer, *target, variance);
    if (!measured) return measured.error();
    for (std::size_t c = 0; c < credits.size(); ++c) {
      nlohmann::ordered_json estimate{{"sampled", sampled}};
      estimate.update(credits[c].names);
      estimate["variance"] = (*measured)[c].variance;
      estimate["squared_mean"] = (*measured)[c].squared_mean;
      line["estimates"].push_back(std::move(estimate));
    }
  }
  return line;
}

Result<void> run(const Options& options) {
  auto agent = rsd::load_agent(options.agent);
  if (!agent) return agent.error();
  auto reference = rsd::load_agent(options.reference);
  if (!reference) return reference.error();
  const Agents agents{.agent = std::move(agent->network),
                      .reference = std::move(reference->network)};
  auto llm = rsd::load_prompted(options.engine);
  if (!llm) return llm.error();
  const auto requests = rsd::read_requests(options.requests, options.limit);
  if (!requests) return requests.error();
  return study::write_by_request(*requests, options.skip, [&](const rsd::Request& request) {
    return measure(agents, *llm, request, options);
  });
}

}  // namespace

int main(int argc, char** argv) {
  return study::exit_code_of("variance", [&] { return run(parse(argc, argv)); });
}
