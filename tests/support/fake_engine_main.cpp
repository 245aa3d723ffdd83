// The fake server as a program: writes its port to standard output and serves until standard input
// ends; then it writes the number of queries for its models.
//
// usage: rsd_fake_engine [--no-generate] [--key KEY] [--slow-ms N] [--port N]

#include <cstdlib>
#include <iostream>
#include <string>

#include "support/fake_engine_server.h"

int main(int argc, char** argv) {
  rsd::FakeEngineOptions options;
  rsd::FakeFault each;
  for (int n = 1; n < argc; ++n) {
    const std::string argument = argv[n];
    const bool has_value = n + 1 < argc;
    if (argument == "--no-generate") {
      options.has_generate = false;
    } else if (argument == "--key" && has_value) {
      options.api_key = argv[++n];
    } else if (argument == "--port" && has_value) {
      options.port = std::atoi(argv[++n]);
    } else if (argument == "--slow-ms" && has_value) {
      each = {.kind = rsd::FakeFault::Kind::kSlow, .slow_ms = std::atoi(argv[++n])};
    } else {
      std::cerr << "rsd_fake_engine: what is " << argument << "?\n";
      return 2;
    }
  }
  rsd::FakeEngineServer server(options);
  server.set_faults([each](std::size_t) { return each; });
  std::cout << server.port() << '\n' << std::flush;
  for (std::string line; std::getline(std::cin, line);) {
  }
  std::cout << server.n_listings() << '\n';
  return 0;
}
