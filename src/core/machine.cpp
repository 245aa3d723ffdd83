#include "rsd/core/machine.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <thread>

namespace rsd {
namespace {

// The value of the first "key : value" line whose key begins with `key`.
std::string cpuinfo_value(const std::string& key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with(key) && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

}  // namespace

Machine describe_machine() {
  Machine machine{.cpu = cpuinfo_value("model name"),
                  .n_cpus = std::thread::hardware_concurrency()};
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page_bytes = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page_bytes > 0) {
    machine.memory_bytes = static_cast<std::size_t>(pages) * static_cast<std::size_t>(page_bytes);
  }
  if (utsname name{}; uname(&name) == 0) {
    machine.system = std::string(name.sysname) + " " + name.release + " " + name.machine;
  }
  if (std::array<double, 3> load{}; getloadavg(load.data(), 3) == 3) machine.load_average = load;
  return machine;
}

int thread_count(int wanted) {
  const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  return wanted > 0 ? wanted : cores;
}

}  // namespace rsd
