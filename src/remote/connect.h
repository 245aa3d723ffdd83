// The queries to the replicas before the first request.
#pragma once

#include <memory>

#include "remote/http_client.h"
#include "remote/protocol.h"
#include "rsd/core/result.h"
#include "rsd/remote/remote_engine.h"

namespace rsd {

// kInvalidArgument names the option. Replaces the URLs by the results of parse_replica_url.
Result<void> check_remote_options(RemoteOptions& options);

// Queries all replicas. Errors: see RemoteEngine::connect.
Result<ServedModel> find_model(HttpClient& http, const RemoteOptions& options);

// Lets a replica that supports it decode the tokens of a text. kInvalidArgument if the result
// differs: the tokenizer isn't the model's.
Result<void> check_vocabulary(HttpClient& http, const RemoteOptions& options,
                              const ServedModel& model);

// The best protocol that all replicas understand, found by a short question.
Result<std::shared_ptr<const Protocol>> find_protocol(HttpClient& http,
                                                      const RemoteOptions& options,
                                                      const ServedModel& model);

}  // namespace rsd
