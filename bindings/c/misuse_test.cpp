// Whatever a program hands in by mistake is an error object, never a crash.
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "bindings/c/c_owned_test.h"

namespace rsd::bindings {
namespace {

using testing::HasSubstr;

constexpr std::size_t kHuge = std::numeric_limits<std::size_t>::max();  // -1 as a size_t

class Misuse : public testing::Test {
 protected:
  static void SetUpTestSuite() { tiny_ranker = load_tiny().release(); }
  static void TearDownTestSuite() { rsd_ranker_free(tiny_ranker); }

  // The error of ranking three texts after `change`.
  static std::string error_of(const std::function<void(rsd_request&, rsd_rank_options&)>& change) {
    TextRequest request(3, 1);
    rsd_request changed = *request.get();
    rsd_rank_options options = budget_of(1);
    change(changed, options);
    rsd_answer* answer = reinterpret_cast<rsd_answer*>(&changed);
    rsd_error* error = rsd_rank(tiny_ranker, &changed, &options, &answer);
    EXPECT_EQ(answer == nullptr, error != nullptr);
    const OwnedAnswer owned(answer);
    const OwnedError owned_error(error);
    return std::string(rsd_code_name(rsd_error_code(error))) + ": " + rsd_error_message(error);
  }

  static rsd_ranker* tiny_ranker;
};

rsd_ranker* Misuse::tiny_ranker = nullptr;

TEST_F(Misuse, NullArgumentsAreNamed) {
  const TextRequest request(3, 1);
  rsd_answer* answer = nullptr;
  rsd_job* job = nullptr;
  EXPECT_EQ(message_of(rsd_rank(nullptr, request.get(), nullptr, &answer)), "ranker is NULL");
  EXPECT_EQ(message_of(rsd_rank(tiny_ranker, nullptr, nullptr, &answer)), "request is NULL");
  EXPECT_EQ(message_of(rsd_rank(tiny_ranker, request.get(), nullptr, nullptr)), "answer is NULL");
  EXPECT_EQ(message_of(rsd_submit(tiny_ranker, request.get(), nullptr, nullptr)), "job is NULL");
  EXPECT_EQ(message_of(rsd_submit(nullptr, request.get(), nullptr, &job)), "ranker is NULL");
  EXPECT_EQ(message_of(rsd_job_take(nullptr, &answer)), "job is NULL");
  EXPECT_EQ(message_of(rsd_ranker_load(nullptr, nullptr)), "ranker is NULL");
  EXPECT_EQ(message_of(rsd_rank_many(tiny_ranker, nullptr, nullptr)), "batch is NULL");
  EXPECT_EQ(message_of(rsd_ranker_get_info(tiny_ranker, nullptr)), "info is NULL");
  EXPECT_EQ(message_of(rsd_answer_get_info(nullptr, nullptr)), "answer is NULL");
}

TEST_F(Misuse, AccessorsOfNothingReturnNothing) {
  EXPECT_EQ(rsd_answer_size(nullptr), 0);
  EXPECT_EQ(rsd_answer_order(nullptr), nullptr);
  EXPECT_EQ(rsd_answer_id(nullptr, 0), nullptr);
  EXPECT_EQ(rsd_answer_relevance(nullptr), nullptr);
  EXPECT_EQ(rsd_answer_raw_relevance(nullptr), nullptr);
  EXPECT_EQ(rsd_answer_n_rounds(nullptr), 0);
  EXPECT_EQ(rsd_answer_round_row(nullptr, 0, 0), nullptr);
  EXPECT_EQ(rsd_error_code(nullptr), RSD_OK);
  EXPECT_STREQ(rsd_error_message(nullptr), "");
  EXPECT_EQ(rsd_job_wait(nullptr, -1), 1);
  EXPECT_STREQ(rsd_code_name(-1), "unknown");
  EXPECT_STREQ(rsd_code_name(12), "unknown");
  EXPECT_STREQ(rsd_code_name(RSD_INTERNAL), "internal");
  rsd_job_cancel(nullptr);
  rsd_job_free(nullptr);
  rsd_answer_free(nullptr);
  rsd_error_free(nullptr);
  rsd_ranker_free(nullptr);
}

TEST_F(Misuse, RequestsAreChecked) {
  const auto request_error = [](const std::function<void(rsd_request&)>& change) {
    return error_of([&](rsd_request& request, rsd_rank_options&) { change(request); });
  };
  EXPECT_THAT(request_error([](auto& r) { r.struct_size = 0; }),
              HasSubstr("invalid_argument: request.struct_size is 0"));
  EXPECT_THAT(request_error([](auto& r) { r.struct_size = kHuge; }),
              HasSubstr("request.struct_size is 18446744073709551615"));
  EXPECT_THAT(request_error([](auto& r) { r.n_candidates = 0; }),
              HasSubstr("request.n_candidates is 0; it must be 1 to 10000"));
  EXPECT_THAT(request_error([](auto& r) { r.n_candidates = kHuge; }),
              HasSubstr("request.n_candidates is 18446744073709551615"));
  EXPECT_THAT(request_error([](auto& r) { r.texts = nullptr; }),
              HasSubstr("request.texts is NULL"));
  const char* const with_null[] = {"a", nullptr, "c"};
  EXPECT_THAT(request_error([&](auto& r) { r.texts = with_null; }),
              HasSubstr("request.texts[1] is NULL"));
  EXPECT_THAT(request_error([&](auto& r) { r.ids = with_null; }),
              HasSubstr("request.ids[1] is NULL"));
  const char* const same[] = {"a", "b", "a"};
  EXPECT_THAT(request_error([&](auto& r) { r.ids = same; }), HasSubstr("invalid_input"));
  EXPECT_THAT(request_error([](auto& r) { r.query = nullptr; }), HasSubstr("invalid_input"));
  EXPECT_THAT(request_error([](auto& r) { r.query = "\xff\xfe"; }), HasSubstr("invalid_input"));
  EXPECT_THAT(request_error([](auto& r) { r.n_history = 1; }),
              HasSubstr("request.history is NULL"));
  EXPECT_THAT(request_error([](auto& r) { r.n_history = kHuge; }), HasSubstr("request.history"));
  const std::size_t bytes[] = {1, kHuge, 1};
  EXPECT_THAT(request_error([&](auto& r) { r.text_bytes = bytes; }),
              HasSubstr("request.texts[1] is longer than 67108864 bytes"));
  const std::size_t far[] = {0, 1, 3};
  EXPECT_THAT(request_error([&](auto& r) { r.previous = far; }),
              HasSubstr("request.previous[2] is 3; there are 3 candidates"));
  const std::size_t twice[] = {0, 1, 1};
  EXPECT_THAT(request_error([&](auto& r) { r.previous = twice; }), HasSubstr("request.previous"));
}

TEST_F(Misuse, OptionsAreChecked) {
  const auto options_error = [](const std::function<void(rsd_rank_options&)>& change) {
    return error_of([&](rsd_request&, rsd_rank_options& options) { change(options); });
  };
  EXPECT_EQ(options_error([](auto&) {}), "ok: ");
  EXPECT_THAT(options_error([](auto& o) { o.struct_size = 7; }),
              HasSubstr("options.struct_size is 7"));
  EXPECT_THAT(options_error([](auto& o) { o.decoder = "best"; }), HasSubstr("options.decoder"));
  EXPECT_THAT(options_error([](auto& o) { o.decoder = ""; }), HasSubstr("options.decoder"));
  EXPECT_THAT(options_error([](auto& o) { o.draft = "x"; }), HasSubstr("options.draft"));
  EXPECT_THAT(options_error([](auto& o) { o.policy = "x"; }), HasSubstr("policy"));
  EXPECT_THAT(options_error([](auto& o) { o.window_method = "x"; }),
              HasSubstr("options.window_method"));
  EXPECT_THAT(options_error([](auto& o) { o.long_texts = 2; }),
              HasSubstr("options.long_texts is 2"));
  EXPECT_THAT(options_error([](auto& o) { o.budget = kHuge; }), HasSubstr("options.budget is"));
  EXPECT_THAT(options_error([](auto& o) { o.top_n = kHuge; }), HasSubstr("options.top_n is"));
  EXPECT_THAT(options_error([](auto& o) { o.max_text_tokens = kHuge; }),
              HasSubstr("options.max_text_tokens is"));
  for (const double score : {std::nan(""), 1.01, -0.01}) {
    EXPECT_THAT(options_error([score](auto& o) { o.min_score = score; }),
                HasSubstr("options.min_score is"));
  }
  for (const double ms : {std::nan(""), HUGE_VAL, -1.0}) {
    EXPECT_THAT(options_error([ms](auto& o) { o.deadline_ms = ms; }),
                HasSubstr("options.deadline_ms is"));
  }
}

TEST_F(Misuse, EnginesAreChecked) {
  const auto load_error = [](const std::function<void(rsd_engine_options&)>& change) {
    rsd_engine_options options{};
    options.struct_size = sizeof options;
    options.model = kTinyModel;
    change(options);
    auto* ranker = reinterpret_cast<rsd_ranker*>(&options);
    const std::string message = message_of(rsd_ranker_load(&options, &ranker));
    EXPECT_EQ(ranker, nullptr);
    rsd_ranker_free(ranker);
    return message;
  };
  EXPECT_THAT(load_error([](auto& o) { o.struct_size = 1; }),
              HasSubstr("options.struct_size is 1"));
  EXPECT_THAT(load_error([](auto& o) { o.model = "no/such/file.gguf"; }),
              HasSubstr("no/such/file.gguf"));
  EXPECT_THAT(load_error([](auto& o) { o.model = "tests/CMakeLists.txt"; }), HasSubstr("GGUF"));
  EXPECT_THAT(load_error([](auto& o) { o.threads = -1; }), HasSubstr("options.threads is -1"));
  EXPECT_THAT(load_error([](auto& o) { o.gpu_layers = -2; }),
              HasSubstr("options.gpu_layers is -2"));
  EXPECT_THAT(load_error([](auto& o) { o.prompt_cache_mib = -2; }),
              HasSubstr("options.prompt_cache_mib is -2"));
  EXPECT_THAT(load_error([](auto& o) { o.parallel = kHuge; }), HasSubstr("options.parallel is"));
  EXPECT_THAT(load_error([](auto& o) { o.parallel = 100'000; }), HasSubstr("parallel"));
  EXPECT_THAT(load_error([](auto& o) { o.n_loras = 1; }), HasSubstr("options.loras is NULL"));
  EXPECT_THAT(load_error([](auto& o) { o.longest_pass_ms = std::nan(""); }),
              HasSubstr("options.longest_pass_ms is nan"));
  EXPECT_THAT(load_error([](auto& o) { o.remote_server = "vllm"; }),
              HasSubstr("options.remote_urls"));
  const char* const url = "http://127.0.0.1:9";
  EXPECT_THAT(load_error([&](auto& o) {
                o.n_remote_urls = 1;
                o.remote_urls = &url;
                o.remote_server = "ollama";
              }),
              HasSubstr("it must be vllm or sglang"));
  const char* const lora = "tests/models/tiny-lora.gguf";
  const float scale = std::nanf("");
  EXPECT_THAT(load_error([&](auto& o) {
                o.n_loras = 1;
                o.loras = &lora;
                o.lora_scales = &scale;
              }),
              HasSubstr("options.lora_scales[0] is"));
}

TEST_F(Misuse, BatchesAreChecked) {
  const TextRequest request(3, 1);
  const rsd_request* const requests[] = {request.get()};
  rsd_answer* answers[] = {nullptr};
  rsd_error* errors[] = {nullptr};
  const rsd_batch fine{.struct_size = sizeof fine,
                       .n_requests = 1,
                       .requests = requests,
                       .answers = answers,
                       .errors = errors,
                       .on_progress = nullptr,
                       .progress_data = nullptr};
  const auto error_with = [&](const std::function<void(rsd_batch&)>& change) {
    rsd_batch batch = fine;
    change(batch);
    return message_of(rsd_rank_many(tiny_ranker, &batch, nullptr));
  };
  EXPECT_EQ(error_with([](auto& b) { b.answers = nullptr; }), "batch.answers is NULL");
  EXPECT_EQ(error_with([](auto& b) { b.errors = nullptr; }), "batch.errors is NULL");
  EXPECT_EQ(error_with([](auto& b) { b.requests = nullptr; }), "batch.requests is NULL");
  EXPECT_THAT(error_with([](auto& b) { b.n_requests = kHuge; }), HasSubstr("batch.n_requests is"));
  EXPECT_EQ(error_with([](auto& b) { b.n_requests = 0; }), "");
}

// ---- Programs of another age ------------------------------------------------------------------

TEST_F(Misuse, AnOlderProgramsStructHasTheDefaultsOfNewMembers) {
  rsd_rank_options options = budget_of(1);
  options.keep_rounds = 1;  // the last member, which that program doesn't have
  options.struct_size = offsetof(rsd_rank_options, keep_rounds);
  const TextRequest request(3, 1);
  const auto answer = rank(tiny_ranker, request.get(), options);
  EXPECT_EQ(rsd_answer_n_rounds(answer.get()), 0);
}

TEST_F(Misuse, ANewerProgramsStructIsTakenIfItsNewMembersAreZero) {
  struct {
    rsd_rank_options known;
    std::size_t added;
  } newer{budget_of(1), 0};
  newer.known.struct_size = sizeof newer;
  const TextRequest request(3, 1);
  rsd_answer* answer = nullptr;
  EXPECT_EQ(message_of(rsd_rank(tiny_ranker, request.get(), &newer.known, &answer)), "");
  rsd_answer_free(answer);
  newer.added = 1;
  EXPECT_THAT(message_of(rsd_rank(tiny_ranker, request.get(), &newer.known, &answer)),
              HasSubstr("options has members that this version of the library doesn't know"));
}

TEST_F(Misuse, AnOlderProgramsResultIsNotWrittenBeyondItsEnd) {
  rsd_ranker_info info{};
  std::memset(&info, 0x5a, sizeof info);
  info.struct_size = offsetof(rsd_ranker_info, parallel);
  ASSERT_EQ(message_of(rsd_ranker_get_info(tiny_ranker, &info)), "");
  EXPECT_STREQ(info.model_name, "tiny-bpe");
  EXPECT_EQ(info.parallel, 0x5a5a5a5a5a5a5a5a);
}

}  // namespace
}  // namespace rsd::bindings
