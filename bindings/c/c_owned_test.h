// Owners for what the C interface gives away, and requests, for its tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "bindings/c/rsd.h"

namespace rsd::bindings {

template <auto kFree>
struct FreedBy {
  template <class Object>
  void operator()(Object* object) const {
    kFree(object);
  }
};
using OwnedRanker = std::unique_ptr<rsd_ranker, FreedBy<rsd_ranker_free>>;
using OwnedAnswer = std::unique_ptr<rsd_answer, FreedBy<rsd_answer_free>>;
using OwnedError = std::unique_ptr<rsd_error, FreedBy<rsd_error_free>>;
using OwnedJob = std::unique_ptr<rsd_job, FreedBy<rsd_job_free>>;

inline constexpr const char* kTinyModel = "tests/models/tiny-bpe.gguf";

// A failed EXPECT shows the message.
inline std::string message_of(rsd_error* error) {
  const OwnedError owned(error);
  return rsd_error_message(owned.get());
}

inline rsd_code code_of(rsd_error* error) {
  const OwnedError owned(error);
  return rsd_error_code(owned.get());
}

inline OwnedRanker load_tiny(rsd_engine_options options = {}) {
  options.struct_size = sizeof options;
  options.model = kTinyModel;
  options.threads = 1;
  options.policy = "replay";
  rsd_ranker* ranker = nullptr;
  EXPECT_EQ(message_of(rsd_ranker_load(&options, &ranker)), "");
  return OwnedRanker(ranker);
}

// `n` candidates whose texts depend on `seed`. The texts stay where they are.
class TextRequest {
 public:
  TextRequest(std::size_t n, int seed) : query_("query number " + std::to_string(seed)) {
    for (std::size_t i = 0; i < n; ++i)
      texts_.push_back("text " + std::to_string(i * 7 + static_cast<std::size_t>(seed)) + " of " +
                       std::string(1 + i % 5, static_cast<char>('a' + (seed + int(i)) % 26)));
    for (const auto& text : texts_)
      pointers_.push_back(text.c_str());
    request_.struct_size = sizeof request_;
    request_.query = query_.c_str();
    request_.n_candidates = n;
    request_.texts = pointers_.data();
  }
  TextRequest(const TextRequest&) = delete;
  TextRequest& operator=(const TextRequest&) = delete;

  rsd_request* operator->() { return &request_; }
  const rsd_request* get() const { return &request_; }
  const std::vector<std::string>& texts() const { return texts_; }
  const std::string& query() const { return query_; }

 private:
  std::string query_;
  std::vector<std::string> texts_;
  std::vector<const char*> pointers_;
  rsd_request request_{};
};

inline std::vector<std::size_t> order_of(const rsd_answer* answer) {
  const std::size_t* order = rsd_answer_order(answer);
  return {order, order + rsd_answer_size(answer)};
}

inline rsd_rank_options budget_of(std::size_t budget) {
  rsd_rank_options options{};
  options.struct_size = sizeof options;
  options.budget = budget;
  return options;
}

inline OwnedAnswer rank(rsd_ranker* ranker, const rsd_request* request,
                        const rsd_rank_options& options) {
  rsd_answer* answer = nullptr;
  EXPECT_EQ(message_of(rsd_rank(ranker, request, &options, &answer)), "");
  return OwnedAnswer(answer);
}

inline rsd_answer_info info_of(const rsd_answer* answer) {
  rsd_answer_info info{};
  info.struct_size = sizeof info;
  EXPECT_EQ(message_of(rsd_answer_get_info(answer, &info)), "");
  return info;
}

}  // namespace rsd::bindings
