// Describes the machine that figures were measured on.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>

namespace rsd {

// Fields that the operating system does not report are empty or 0.
struct Machine {
  std::string cpu;         // the processor's name
  std::size_t n_cpus = 0;  // logical CPUs
  std::size_t memory_bytes = 0;
  std::string system;  // "Linux 6.1.0 x86_64"
  // Mean number of runnable tasks over 1, 5 and 15 minutes: timings of a busy machine mean little.
  std::optional<std::array<double, 3>> load_average;
};

// Describes this machine, with its present load. Never fails.
Machine describe_machine();

// `wanted` threads, or one per core for 0. At least 1.
int thread_count(int wanted);

}  // namespace rsd
