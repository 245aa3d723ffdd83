#include "rsd/train/checkpoint.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "json/read_json.h"

namespace rsd {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kFormat = "rsd.checkpoint";
constexpr int kVersion = 2;

Json bytes_of(const std::vector<float>& values) {
  std::vector<std::uint8_t> bytes(values.size() * sizeof(float));
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return Json::binary(std::move(bytes));
}

std::vector<float> floats_of(const Json& json) {
  const auto& bytes = json.get_binary();
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

Json to_json(const AdamWState& state) {
  return {
      {"first", bytes_of(state.first)}, {"second", bytes_of(state.second)}, {"steps", state.steps}};
}

AdamWState adamw_from(const Json& json) {
  return {.first = floats_of(json.at("first")),
          .second = floats_of(json.at("second")),
          .steps = json.at("steps").get<std::size_t>()};
}

Json to_json(const SupervisedState& state) {
  return {{"step", state.step},
          {"adamw", to_json(state.adamw)},
          {"weights", bytes_of(state.weights)},
          {"best_weights", bytes_of(state.best_weights)},
          {"best_kendall_tau", state.best_kendall_tau ? Json(*state.best_kendall_tau) : Json()},
          {"without_gain", state.without_gain}};
}

SupervisedState supervised_from(const Json& json) {
  SupervisedState state{.step = json.at("step").get<std::size_t>(),
                        .adamw = adamw_from(json.at("adamw")),
                        .weights = floats_of(json.at("weights")),
                        .best_weights = floats_of(json.at("best_weights")),
                        .best_kendall_tau = std::nullopt,
                        .without_gain = json.at("without_gain").get<std::size_t>()};
  if (!json.at("best_kendall_tau").is_null())
    state.best_kendall_tau = json.at("best_kendall_tau").get<double>();
  return state;
}

Json to_json(const RpoState& state) {
  return {{"step", state.step},
          {"adamw", to_json(state.adamw)},
          {"weights", bytes_of(state.weights)},
          {"best_weights", bytes_of(state.best_weights)},
          {"best_return", state.best_return ? Json(*state.best_return) : Json()}};
}

RpoState rpo_from(const Json& json) {
  RpoState state{.step = json.at("step").get<std::size_t>(),
                 .adamw = adamw_from(json.at("adamw")),
                 .weights = floats_of(json.at("weights")),
                 .best_weights = floats_of(json.at("best_weights")),
                 .best_return = std::nullopt};
  if (!json.at("best_return").is_null()) state.best_return = json.at("best_return").get<double>();
  return state;
}

Error invalid(const std::string& what) {
  return {ErrorCode::kInvalidInput, what};
}

}  // namespace

std::string serialised(const Checkpoint& checkpoint) {
  Json json{{"format", kFormat}, {"version", kVersion}};
  if (checkpoint.supervised) json["supervised"] = to_json(*checkpoint.supervised);
  if (checkpoint.initial_weights) json["initial_weights"] = bytes_of(*checkpoint.initial_weights);
  if (checkpoint.rpo) json["rpo"] = to_json(*checkpoint.rpo);
  std::string content;
  Json::to_cbor(json, content);
  return content;
}

Result<Checkpoint> parse_checkpoint(std::string_view content) {
  const auto read = read_cbor(content);
  if (!read) return read.error().within("this is no checkpoint of rsd, or a damaged one");
  const Json& json = *read;
  if (!json.is_object() || json.value("format", Json()) != kFormat) {
    return invalid("this is no checkpoint of rsd, or a damaged one");
  }
  if (const Json version = json.value("version", Json()); version != kVersion) {
    return invalid("this is a checkpoint of version " + version.dump() +
                   "; this rsd reads version " + std::to_string(kVersion));
  }
  try {
    Checkpoint checkpoint;
    if (json.contains("supervised")) checkpoint.supervised = supervised_from(json["supervised"]);
    if (json.contains("initial_weights")) {
      checkpoint.initial_weights = floats_of(json["initial_weights"]);
    }
    if (json.contains("rpo")) checkpoint.rpo = rpo_from(json["rpo"]);
    return checkpoint;
  } catch (const Json::exception& problem) {
    return invalid(std::string("this checkpoint is damaged: ") + problem.what());
  }
}

}  // namespace rsd
