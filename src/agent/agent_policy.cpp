#include "rsd/agent/agent_policy.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "rsd/decode/policies.h"

namespace rsd {
namespace {

class AgentPolicy final : public RankingPolicy {
 public:
  AgentPolicy(RelevanceNetwork network, std::string name)
      : network_(std::move(network)), name_(std::move(name)) {}

  std::string_view name() const noexcept override { return name_; }
  std::size_t rounds_read() const noexcept override { return network_.shape().input.max_rounds; }

  Result<std::vector<double>> score(const History& history,
                                    std::optional<std::size_t> encodings_left) const override {
    if (history.n_items() > kMostAgentItems) return blend_policy()->score(history, encodings_left);
    std::vector<double> scores(history.n_items(), 0.0);
    if (history.n_items() - history.known().size() < 2) return scores;
    const AgentInput input = agent_input(history, encodings_left, network_.shape().input);
    const auto of_open = network_.scores({&input, 1}).front();
    if (!std::ranges::all_of(of_open, [](double score) { return std::isfinite(score); })) {
      return Error(ErrorCode::kRuntime, "the agent gave a score that is not finite");
    }
    for (std::size_t i = 0; i < of_open.size(); ++i)
      scores[input.items[i].slot()] = of_open[i];
    return scores;
  }

 private:
  RelevanceNetwork network_;
  std::string name_;
};

}  // namespace

std::shared_ptr<const RankingPolicy> agent_policy(RelevanceNetwork network, std::string name) {
  return std::make_shared<const AgentPolicy>(std::move(network), std::move(name));
}

}  // namespace rsd
