// What proves who is who: the API keys of clients, and the server's own certificate.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "rsd/core/log.h"
#include "rsd/core/result.h"
#include "server/http/http_server.h"
#include "server/http/tls.h"

namespace rsd::server {

struct CredentialFiles {
  std::string api_keys;  // empty: the environment's
  TlsFiles tls;          // both empty: plain HTTP
};

// The file's, else those of RSD_API_KEY or LLAMA_API_KEY. One that is set but blank is a mistake,
// and not a server that is open to everybody.
Result<std::vector<std::string>> read_api_keys(const CredentialFiles& files);
// nullptr without files.
Result<std::shared_ptr<const TlsIdentity>> read_tls(const CredentialFiles& files);

// Reads the files again for a running server, from any thread. What can't be read stays as it was,
// and the log gives the reason.
void reread(const CredentialFiles& files, HttpServer& http, const LogSink& log);

}  // namespace rsd::server
