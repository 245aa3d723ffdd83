// What proves who is who: the API keys of clients, and the server's own certificate.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "rsd/core/result.h"
#include "server/http/http_server.h"
#include "server/http/tls.h"

namespace rsd::cli {

struct CredentialFiles {
  std::string api_keys;  // empty: the environment's
  server::TlsFiles tls;  // both empty: plain HTTP
};

// The file's, else those of RSD_API_KEY or LLAMA_API_KEY. One that is set but blank is a mistake,
// and not a server that is open to everybody.
Result<std::vector<std::string>> read_api_keys(const CredentialFiles& files);
// Null where there are no files.
Result<std::shared_ptr<const server::TlsIdentity>> read_tls(const CredentialFiles& files);

// Reads again what is in files, for a server that runs. What is broken stays as it was, and the log
// says why.
void reread(const CredentialFiles& files, server::HttpServer& http);

}  // namespace rsd::cli
