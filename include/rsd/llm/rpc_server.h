// Serves this machine's processors to other machines' models: ggml's RPC server.
//
// Its protocol has neither keys nor encryption, and its authors call it a proof of concept: use it
// in trusted networks only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

struct RpcServerOptions {
  std::string host = "127.0.0.1";  // an IPv4 address
  std::uint16_t port = 50052;
  int threads = 0;    // CPU threads; 0 = one per core
  std::string cache;  // folder for a cache of large tensors, by their hash; empty = no cache
};

// kInvalidArgument: the host is not an IPv4 address; kNotFound: the cache is not a folder.
Result<void> check(const RpcServerOptions& options);

// Serves one client at a time on the calling thread, with this machine's GPUs or else its CPU, and
// returns only if it fails: the errors of check(), kUnsupported (a llama.cpp without that backend),
// kRuntime (the address can't be bound). ggml writes its messages to stdout.
Result<void> serve_rpc(const RpcServerOptions& options);

// ggml aborts the process when the connection to a server in use breaks. `handler` is called right
// before that, on any thread, with ggml's message; it may end the process in another way. This
// requires that the process ignores SIGPIPE. A server that stays connected but does not answer is
// waited for.
void on_ggml_abort(void (*handler)(const char* message));

// Returns those of `servers`, "HOST:PORT", that accept no connection within five seconds each: for
// a handler of on_ggml_abort, since ggml does not name the server. A server that is reachable again
// is not among them. Safe on any thread.
std::vector<std::string> unreachable_rpc_servers(const std::vector<std::string>& servers);

}  // namespace rsd
