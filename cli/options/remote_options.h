// The options that choose an LLM on other machines.
#pragma once

#include <CLI/App.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/remote/remote_engine.h"

namespace rsd::cli {

inline constexpr const char* kLocalEngine = "llama";

struct RemoteFlags {
  std::string engine = kLocalEngine;
  std::vector<std::string> urls;
  std::string model;  // empty = the first of the server
  bool key_over_http = false;
  std::optional<std::size_t> timeout_ms;
  std::optional<ServedModel> served;  // as the server says; nullopt: it was not asked yet

  bool is_remote() const { return engine != kLocalEngine; }
};

// --engine, --engine-url, --engine-model, --engine-key-over-http, --engine-timeout-ms.
void add_remote_options(CLI::App& command, RemoteFlags& options);

// kInvalidArgument: options that contradict each other.
Result<void> check_remote_options(const RemoteFlags& options);

// The options as the library takes them, without the tokenizer. The key is read from
// RSD_ENGINE_API_KEY.
RemoteOptions remote_options(const RemoteFlags& options);

}  // namespace rsd::cli
