// What the programs of the study have in common: a line of JSON for each request of a file.
#pragma once

#include <cstddef>
#include <exception>
#include <iostream>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/rank/request.h"

namespace study {

// Writes measure(request), a Result of JSON, for all requests but the first `skip`, each at once,
// so that an interrupted run loses little.
template <class Measure>
rsd::Result<void> write_by_request(const std::vector<rsd::Request>& requests, std::size_t skip,
                                   const Measure& measure) {
  for (std::size_t n = skip; n < requests.size(); ++n) {
    const auto line = measure(requests[n]);
    if (!line) return line.error().within("request \"" + requests[n].id + "\"");
    std::cout << *line << '\n' << std::flush;
  }
  return {};
}

// The exit code of a program whose work is `run`, which returns a Result<void>.
template <class Run>
int exit_code_of(const char* program, const Run& run) try {
  const auto done = run();
  if (!done) std::cerr << program << ": " << done.error().message() << '\n';
  return done ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << program << ": " << error.what() << '\n';
  return 1;
}

}  // namespace study
