#include "server/credentials.h"

#include <cstdlib>
#include <utility>

#include "rsd/core/log_to.h"
#include "server/http/api_keys.h"

namespace rsd::server {
namespace {

void reread_keys(const CredentialFiles& files, HttpServer& http, const LogSink& log) {
  auto keys = ApiKeys::read_file(files.api_keys);
  if (!keys) {
    log_to(log, LogLevel::kWarning, "the API keys stay as they were: " + keys.error().message());
    return;
  }
  http.set_keys(ApiKeys(*keys));
  log_to(log, LogLevel::kInfo, std::to_string(keys->size()) + " API keys were read again");
}

void reread_tls(const CredentialFiles& files, HttpServer& http, const LogSink& log) {
  auto identity = read_tls(files);
  if (!identity) {
    log_to(log, LogLevel::kWarning,
           "the certificate stays as it was: " + identity.error().message());
    return;
  }
  http.set_tls(*std::move(identity));
  log_to(log, LogLevel::kInfo, "the certificate was read again");
}

}  // namespace

Result<std::vector<std::string>> read_api_keys(const CredentialFiles& files) {
  if (!files.api_keys.empty()) return ApiKeys::read_file(files.api_keys);
  for (const char* name : {"RSD_API_KEY", "LLAMA_API_KEY"}) {
    if (const char* key = std::getenv(name)) return ApiKeys::parse(key, name);
  }
  return std::vector<std::string>();
}

Result<std::shared_ptr<const TlsIdentity>> read_tls(const CredentialFiles& files) {
  if (files.tls.certificate.empty()) return std::shared_ptr<const TlsIdentity>();
  auto identity = TlsIdentity::load(files.tls);
  if (!identity) return identity.error();
  return std::shared_ptr<const TlsIdentity>(std::make_shared<TlsIdentity>(*std::move(identity)));
}

void reread(const CredentialFiles& files, HttpServer& http, const LogSink& log) {
  if (!files.api_keys.empty()) reread_keys(files, http, log);
  if (!files.tls.certificate.empty()) reread_tls(files, http, log);
  if (files.api_keys.empty() && files.tls.certificate.empty())
    log_to(log, LogLevel::kInfo, "there are no files of keys or certificates to read again");
}

}  // namespace rsd::server
