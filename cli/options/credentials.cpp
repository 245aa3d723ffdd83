#include "options/credentials.h"

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <utility>

#include "server/http/api_keys.h"

namespace rsd::cli {
namespace {

void reread_keys(const CredentialFiles& files, server::HttpServer& http) {
  auto keys = server::ApiKeys::read_file(files.api_keys);
  if (!keys) {
    spdlog::warn("the API keys stay as they were: {}", keys.error().message());
    return;
  }
  http.set_keys(server::ApiKeys(*keys));
  spdlog::info("{} API keys were read again", keys->size());
}

void reread_tls(const CredentialFiles& files, server::HttpServer& http) {
  auto identity = read_tls(files);
  if (!identity) {
    spdlog::warn("the certificate stays as it was: {}", identity.error().message());
    return;
  }
  http.set_tls(*std::move(identity));
  spdlog::info("the certificate was read again");
}

}  // namespace

Result<std::vector<std::string>> read_api_keys(const CredentialFiles& files) {
  if (!files.api_keys.empty()) return server::ApiKeys::read_file(files.api_keys);
  for (const char* name : {"RSD_API_KEY", "LLAMA_API_KEY"}) {
    if (const char* key = std::getenv(name)) return server::ApiKeys::parse(key, name);
  }
  return std::vector<std::string>();
}

Result<std::shared_ptr<const server::TlsIdentity>> read_tls(const CredentialFiles& files) {
  if (files.tls.certificate.empty()) return std::shared_ptr<const server::TlsIdentity>();
  auto identity = server::TlsIdentity::load(files.tls);
  if (!identity) return identity.error();
  return std::shared_ptr<const server::TlsIdentity>(
      std::make_shared<server::TlsIdentity>(*std::move(identity)));
}

void reread(const CredentialFiles& files, server::HttpServer& http) {
  if (!files.api_keys.empty()) reread_keys(files, http);
  if (!files.tls.certificate.empty()) reread_tls(files, http);
  if (files.api_keys.empty() && files.tls.certificate.empty())
    spdlog::info("SIGHUP: there are no files of keys or certificates to read again");
}

}  // namespace rsd::cli
