// This machine as one that computes layers of other machines' models: ggml's RPC server.
//
// Its protocol has neither keys nor encryption, and its authors call it a proof of concept: for
// networks that are trusted only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

struct RpcServerOptions {
  std::string host = "127.0.0.1";  // an IPv4 address
  std::uint16_t port = 50052;
  int threads = 0;    // of the CPU; 0 = one per core
  std::string cache;  // folder that large tensors are kept in, by their hash; empty = none
};

// Serves one client at a time on the calling thread, with the GPUs of this machine or else its CPU,
// and returns only where it fails: kInvalidArgument (no IPv4 address), kNotFound (no such folder),
// kUnsupported (a llama.cpp without that backend), kRuntime (the address can't be had). ggml
// reports to stdout.
Result<void> serve_rpc(const RpcServerOptions& options);

// ggml ends the process when a server is lost while its client needs it. `handler` is called right
// before that, on any thread, with what ggml says; it may leave the process in another way. Holds
// for connections that break, where the process ignores SIGPIPE: a server that only falls silent is
// waited for.
void on_ggml_abort(void (*handler)(const char* message));

// Those of `servers`, "HOST:PORT", that take no connection within five seconds each: for a handler
// of on_ggml_abort, which isn't told whose connection broke. A server that is there again, or whose
// connection alone broke, is not among them. Safe on any thread.
std::vector<std::string> unreachable_rpc_servers(const std::vector<std::string>& servers);

}  // namespace rsd
