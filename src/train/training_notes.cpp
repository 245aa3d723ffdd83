#include "train/training_notes.h"

#include <filesystem>
#include <vector>

#include "train/training_input.h"

namespace rsd {
namespace {

void append(std::string& list, const std::string& entry) {
  list += (list.empty() ? "" : ", ") + entry;
}

void append_names(std::string& list, const std::vector<std::string>& paths) {
  for (const std::string& path : paths)
    append(list, std::filesystem::path(path).filename().string());
}

}  // namespace

AgentNotes TrainingNotes::on_top_of(AgentNotes before) const {
  AgentNotes notes = std::move(before);
  notes["rsd"] = RSD_VERSION;
  notes["seed"] = std::to_string(options.seed);
  if (!model.empty()) notes["model"] = model;
  append_names(notes["requests"], options.requests);
  if (options.limit) notes["limit"] = std::to_string(*options.limit);
  if (supervises(options)) {
    append(notes["stages"], "supervised");
    notes["supervised_loss"] = name_of(options.supervised_loss);
    notes["supervised_steps"] = std::to_string(options.supervised_steps);
    if (!options.requests.empty()) notes["decodings"] = std::to_string(options.decodings);
    append_names(notes["traces"], options.traces);
  }
  if (!options.supervised_only) {
    append(notes["stages"], "rpo");
    notes["rpo_steps"] = std::to_string(options.rpo_steps);
    notes["rpo_learning_rate"] = shortest_decimal(options.rpo_learning_rate);
    notes["requests_per_step"] = std::to_string(options.requests_per_step);
    notes["rollouts"] = std::to_string(options.rollouts);
    notes["budget"] = std::to_string(options.budget);
    notes["beta"] = shortest_decimal(options.beta);
    notes["sampled_rounds"] = name_of(options.sampled);
    notes["return"] = name_of(options.return_kind);
    notes["advantage"] = name_of(options.advantage);
    notes["advantage_scale"] = name_of(options.advantage_scale);
  }
  std::erase_if(notes, [](const auto& note) { return note.second.empty(); });
  return notes;
}

}  // namespace rsd
