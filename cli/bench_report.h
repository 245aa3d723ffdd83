// bench.json and table.md of `rsd bench`.
#pragma once

#include <string>
#include <vector>

#include "bench_measurement.h"
#include "rsd/core/machine.h"
#include "rsd/core/result.h"

namespace rsd::cli {

struct BenchedFile {
  std::string name;
  std::vector<BenchedRequest> requests;  // at least one
};

struct BenchResults {
  std::string model;
  std::string shipped_model;  // empty: none
  std::string policy;
  std::size_t threads = 0;
  std::string command_line;
  Machine machine;
  std::vector<BenchedFile> files;
};

// Medians over the requests; ratios are the medians of each request's own.
std::string bench_json(const BenchResults& results);
std::string bench_markdown(const BenchResults& results);

}  // namespace rsd::cli
