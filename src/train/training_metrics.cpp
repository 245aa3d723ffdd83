#include "train/training_metrics.h"

namespace rsd {

using nlohmann::ordered_json;

ordered_json metrics_of(const SupervisedTraining::Step& step, std::size_t number) {
  return {{"stage", "supervised"},
          {"step", number},
          {"loss", step.loss},
          {"gradient_norm", step.gradient_norm},
          {"learning_rate", step.learning_rate}};
}

ordered_json metrics_of(const Validation& validation, std::size_t number) {
  return {{"stage", "validation"},
          {"step", number},
          {"loss", validation.loss},
          {"kendall_tau", validation.kendall_tau},
          {"heuristic_kendall_tau", validation.heuristic_kendall_tau}};
}

ordered_json metrics_of(const RpoTraining::Step& step, std::size_t number) {
  return {{"stage", "rpo"},
          {"step", number},
          {"return", step.mean_return},
          {"reference_return", step.reference_return},
          {"loss", step.loss},
          {"kl", step.kl},
          {"entropy", step.entropy},
          {"clipped", step.clipped},
          {"gradient_norm", step.gradient_norm},
          {"learning_rate", step.learning_rate}};
}

ordered_json metrics_of_rpo_validation(double held_out_return, std::size_t number) {
  return {{"stage", "rpo-validation"}, {"step", number}, {"return", held_out_return}};
}

}  // namespace rsd
