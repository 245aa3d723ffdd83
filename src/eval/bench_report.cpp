#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "eval/bench_ways.h"
#include "eval/statistics.h"
#include "rsd/eval/bench.h"

namespace rsd {
namespace {

using Json = nlohmann::ordered_json;

struct Spread {
  double median = 0;
  double low = 0;   // 10th percentile
  double high = 0;  // 90th
};

// Of what `value` gives for a request, where it gives something.
std::optional<Spread> spread(
    const BenchedFile& file,
    const std::function<std::optional<double>(const BenchedRequest&)>& value) {
  std::vector<double> values;
  values.reserve(file.requests.size());
  for (const BenchedRequest& request : file.requests)
    if (const auto given = value(request)) values.push_back(*given);
  if (values.empty()) return std::nullopt;
  return Spread{percentile(values, 0.5), percentile(values, 0.1), percentile(values, 0.9)};
}

using Part = double WayCost::*;

struct Ratio {
  const char* name;
  const char* text;
  std::function<std::optional<double>(const BenchedRequest&)> value;
};

// A part of one way over a part of another.
std::function<std::optional<double>(const BenchedRequest&)> over(const char* way, Part part,
                                                                 const char* other_way,
                                                                 Part other_part) {
  return [=](const BenchedRequest& request) -> std::optional<double> {
    const WayCost* a = request.find(way);
    const WayCost* b = request.find(other_way);
    if (!a || !b || !(b->*other_part > 0)) return std::nullopt;
    return a->*part / b->*other_part;
  };
}

std::vector<Ratio> ratios() {
  return {
      {"rsd_over_prefill", "`rsd` T=2, end to end, over the bare prefill",
       over(kRsdWay, &WayCost::total_ms, kRsdWay, &WayCost::prefill_ms)},
      {"ar_over_rsd_decode", "decoding: `ar` over `rsd` T=2",
       over("ar", &WayCost::decode_ms, kRsdWay, &WayCost::decode_ms)},
      {"generation_over_rsd_decode", "decoding: generated text over `rsd` T=2",
       over(kGeneration, &WayCost::decode_ms, kRsdWay, &WayCost::decode_ms)},
      {"shipped_generation_over_rsd",
       "end to end: generated text, model as shipped, over `rsd` T=2",
       over(kShippedGeneration, &WayCost::total_ms, kRsdWay, &WayCost::total_ms)},
      {"ar_over_exact_decode", "decoding: `ar` over `exact`",
       over("ar", &WayCost::decode_ms, "exact", &WayCost::decode_ms)},
      {"overhead", "share of `rsd` T=2 that is not the LLM's passes",
       [](const BenchedRequest& request) { return std::optional(request.overhead); }},
      {"reuse_speedup", "prefill: all of it over a prompt of which 80 % are known",
       [](const BenchedRequest& request) { return std::optional(request.reuse_speedup); }},
  };
}

std::vector<std::string> ways_of(const BenchedFile& file) {
  std::vector<std::string> names;
  for (const WayCost& cost : file.requests.front().ways)
    names.push_back(cost.way);
  // One order for all reports, whatever was measured first.
  std::ranges::sort(names);
  return names;
}

double median(const BenchedFile& file, const std::string& way,
              const std::function<double(const WayCost&)>& value) {
  return spread(file,
                [&](const BenchedRequest& request) -> std::optional<double> {
                  const WayCost* cost = request.find(way);
                  return cost ? std::optional(value(*cost)) : std::nullopt;
                })
      .value_or(Spread{})
      .median;
}

struct WayRow {
  std::string way;
  double encodings, tokens, prefill_ms, decode_ms, total_ms;
};

std::vector<WayRow> rows_of(const BenchedFile& file) {
  std::vector<WayRow> rows;
  for (const std::string& way : ways_of(file)) {
    rows.push_back({way, median(file, way, [](const WayCost& c) { return double(c.encodings); }),
                    median(file, way, [](const WayCost& c) { return double(c.tokens_encoded); }),
                    median(file, way, [](const WayCost& c) { return c.prefill_ms; }),
                    median(file, way, [](const WayCost& c) { return c.decode_ms; }),
                    median(file, way, [](const WayCost& c) { return c.total_ms; })});
  }
  return rows;
}

std::string number(double value, int digits) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

double median_items(const BenchedFile& file) {
  return spread(file, [](const BenchedRequest& r) { return std::optional(double(r.n_items)); })
      ->median;
}

double median_prompt(const BenchedFile& file) {
  return spread(file,
                [](const BenchedRequest& r) { return std::optional(double(r.n_prompt_tokens)); })
      ->median;
}

Json machine_json(const Machine& machine) {
  Json json = {{"cpu", machine.cpu},
               {"n_cpus", machine.n_cpus},
               {"memory_bytes", machine.memory_bytes},
               {"system", machine.system}};
  json["load_average"] = machine.load_average ? Json(*machine.load_average) : Json(nullptr);
  return json;
}

Json file_json(const BenchedFile& file) {
  Json json = {{"name", file.name},
               {"requests", file.requests.size()},
               {"candidates", median_items(file)},
               {"prompt_tokens", median_prompt(file)},
               {"rows", Json::array()},
               {"ratios", Json::object()}};
  for (const WayRow& row : rows_of(file)) {
    json["rows"].push_back({{"way", row.way},
                            {"encodings", row.encodings},
                            {"tokens_encoded", row.tokens},
                            {"prefill_p50_ms", row.prefill_ms},
                            {"decode_p50_ms", row.decode_ms},
                            {"p50_ms", row.total_ms}});
  }
  for (const Ratio& ratio : ratios()) {
    if (const auto found = spread(file, ratio.value))
      json["ratios"][ratio.name] = {
          {"p50", found->median}, {"p10", found->low}, {"p90", found->high}};
  }
  return json;
}

}  // namespace

std::string bench_json(const BenchResults& results) {
  Json json = {{"model", results.model},
               {"shipped_model",
                results.shipped_model.empty() ? Json(nullptr) : Json(results.shipped_model)},
               {"policy", results.policy},
               {"threads", results.threads},
               {"command_line", results.command_line},
               {"machine", machine_json(results.machine)},
               {"datasets", Json::array()}};
  for (const BenchedFile& file : results.files)
    json["datasets"].push_back(file_json(file));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string bench_markdown(const BenchResults& results) {
  std::string text = "# Speed of " + results.model + "\n\n" + results.machine.cpu + ", " +
                     std::to_string(results.threads) + " threads";
  if (results.machine.load_average)
    text += ", load average " + number(results.machine.load_average->front(), 1);
  text += "; policy `" + results.policy + "`. Medians, in milliseconds.\n";
  for (const BenchedFile& file : results.files) {
    text +=
        "\n## " + file.name + ": " + std::to_string(file.requests.size()) + " requests, " +
        number(median_items(file), 0) + " candidates, prompts of " +
        number(median_prompt(file), 0) +
        " tokens\n\n| | encodings | tokens | prefill | decoding | total |\n|-|-:|-:|-:|-:|-:|\n";
    for (const WayRow& row : rows_of(file)) {
      text += "| " + row.way + " | " + number(row.encodings, 1) + " | " + number(row.tokens, 0) +
              " | " + number(row.prefill_ms, 0) + " | " + number(row.decode_ms, 0) + " | " +
              number(row.total_ms, 0) + " |\n";
    }
    text += "\n| ratio, of each request | median | 10 % | 90 % |\n|-|-:|-:|-:|\n";
    for (const Ratio& ratio : ratios()) {
      if (const auto found = spread(file, ratio.value))
        text += "| " + std::string(ratio.text) + " | " + number(found->median, 3) + " | " +
                number(found->low, 3) + " | " + number(found->high, 3) + " |\n";
    }
  }
  return text;
}

}  // namespace rsd
