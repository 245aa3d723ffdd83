#include "rsd/train/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "json/read_json.h"

namespace rsd {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kFormat = "rsd.checkpoint";

// Thrown for well-formed CBOR that is not a checkpoint; never leaves this file.
struct BadCheckpoint {
  std::string what;
};

void require(bool condition, const std::string& what) {
  if (!condition) throw BadCheckpoint{what};
}

Json bytes_of(const std::vector<float>& values) {
  std::vector<std::uint8_t> bytes(values.size() * sizeof(float));
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return Json::binary(std::move(bytes));
}

std::vector<float> floats_of(const Json& object, const char* key) {
  const auto& bytes = object.at(key).get_binary();
  require(bytes.size() % sizeof(float) == 0,
          std::string(key) + " must hold whole numbers of float32");
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  require(std::ranges::all_of(values, [](float value) { return std::isfinite(value); }),
          std::string(key) + " has a value that is not finite");
  return values;
}

std::size_t count_of(const Json& object, const char* key) {
  constexpr std::size_t kMost = std::size_t{1} << 53U;  // far beyond any training
  const Json& value = object.at(key);
  require(value.is_number_unsigned() && value.get<std::size_t>() <= kMost,
          std::string(key) + " must be a whole number from 0 to 2^53");
  return value.get<std::size_t>();
}

// A figure of the best weights; null before the first validation.
std::optional<double> figure_of(const Json& object, const char* key) {
  const Json& value = object.at(key);
  if (value.is_null()) return std::nullopt;
  require(value.is_number() && std::isfinite(value.get<double>()),
          std::string(key) + " must be a finite number or null");
  return value.get<double>();
}

Json to_json(const AdamWState& state) {
  return {
      {"first", bytes_of(state.first)}, {"second", bytes_of(state.second)}, {"steps", state.steps}};
}

AdamWState adamw_from(const Json& json) {
  AdamWState state{.first = floats_of(json, "first"),
                   .second = floats_of(json, "second"),
                   .steps = count_of(json, "steps")};
  require(std::ranges::all_of(state.second, [](float square) { return square >= 0; }),
          "second must hold means of squares, at least 0");
  return state;
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
  return {.step = count_of(json, "step"),
          .adamw = adamw_from(json.at("adamw")),
          .weights = floats_of(json, "weights"),
          .best_weights = floats_of(json, "best_weights"),
          .best_kendall_tau = figure_of(json, "best_kendall_tau"),
          .without_gain = count_of(json, "without_gain")};
}

Json to_json(const RpoState& state) {
  return {{"step", state.step},
          {"adamw", to_json(state.adamw)},
          {"weights", bytes_of(state.weights)},
          {"best_weights", bytes_of(state.best_weights)},
          {"best_return", state.best_return ? Json(*state.best_return) : Json()}};
}

RpoState rpo_from(const Json& json) {
  return {.step = count_of(json, "step"),
          .adamw = adamw_from(json.at("adamw")),
          .weights = floats_of(json, "weights"),
          .best_weights = floats_of(json, "best_weights"),
          .best_return = figure_of(json, "best_return")};
}

Checkpoint checkpoint_from(const Json& json) {
  require(json.is_object() && json.value("format", Json()) == kFormat,
          "this is no checkpoint of rsd, or a damaged one");
  const Json version = json.value("version", Json());
  require(version == kCheckpointVersion,
          "this is a checkpoint of version " +
              version.dump(-1, ' ', false, Json::error_handler_t::replace) +
              "; this rsd reads version " + std::to_string(kCheckpointVersion));
  Checkpoint checkpoint;
  if (json.contains("supervised")) checkpoint.supervised = supervised_from(json["supervised"]);
  if (json.contains("initial_weights"))
    checkpoint.initial_weights = floats_of(json, "initial_weights");
  if (json.contains("rpo")) checkpoint.rpo = rpo_from(json["rpo"]);
  return checkpoint;
}

}  // namespace

std::string serialised(const Checkpoint& checkpoint) {
  Json json{{"format", kFormat}, {"version", kCheckpointVersion}};
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
  try {
    return checkpoint_from(*read);
  } catch (const BadCheckpoint& bad) {
    return Error(ErrorCode::kInvalidInput, bad.what);
  } catch (const Json::exception& problem) {
    return Error(ErrorCode::kInvalidInput,
                 std::string("this checkpoint is damaged: ") + problem.what());
  }
}

}  // namespace rsd
