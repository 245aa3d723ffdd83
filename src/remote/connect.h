// What is asked of the replicas before the first request.
#pragma once

#include <memory>

#include "remote/http_client.h"
#include "remote/protocol.h"
#include "rsd/core/result.h"
#include "rsd/remote/remote_engine.h"

namespace rsd {

// kInvalidArgument names the option. The URLs become what parse_replica_url makes of them.
Result<void> check_remote_options(RemoteOptions& options);

// Asks all replicas. Errors as of RemoteEngine::connect.
Result<ServedModel> find_model(HttpClient& http, const RemoteOptions& options);

// Reads a text back from its tokens, where a replica can do that: kInvalidArgument where it reads
// another, by which the tokenizer isn't the model's.
Result<void> check_vocabulary(HttpClient& http, const RemoteOptions& options,
                              const ServedModel& model);

// The best way of asking that all replicas understand, tried with a short question.
Result<std::shared_ptr<const Protocol>> find_protocol(HttpClient& http,
                                                      const RemoteOptions& options,
                                                      const ServedModel& model);

}  // namespace rsd
