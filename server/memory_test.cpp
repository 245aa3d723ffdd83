// The account of memory, and what happens where there is none left.
#include <gmock/gmock.h>

#include <cstdlib>
#include <new>

#include "server/api/memory_cost.h"
#include "server/api/taken_apart.h"
#include "server/http/memory_reserve.h"
#include "server/http_server_test.h"

namespace {

// Large allocations of this thread fail while there is a reserve.
thread_local bool t_has_no_memory = false;
constexpr std::size_t kLarge = 10'000;

}  // namespace

// As the standard's, but that they fail where a test wants it. Where they are inlined the compiler
// sees free() meet operator new and warns.
[[gnu::noinline]] void* operator new(std::size_t size) {
  while (true) {
    const bool fails = t_has_no_memory && size >= kLarge && rsd::server::MemoryReserve::is_there();
    void* const memory = fails ? nullptr : std::malloc(size == 0 ? 1 : size);
    if (memory != nullptr) return memory;
    const auto handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}

namespace rsd::server {
namespace {

using testing::HasSubstr;

std::string zeros(std::size_t n) {
  std::string list = "[0";
  for (std::size_t i = 1; i < n; ++i)
    list += ",0";
  return list + "]";
}

// A body with an unknown field, which is ignored.
std::string dense_body(std::size_t n) {
  return R"({"query":"q","documents":["a","b"],"user":)" + zeros(n) + "}";
}

// ---- The reserve ------------------------------------------------------------------------------

TEST(MemoryReserve, AnExceptionPassesValuesWhoseDestructorsNeedMemory) {
  const MemoryReserve reserve(1u << 20U);
  const auto fail_with_a_value = [] {
    const Json value = Json::parse(zeros(10'000));
    t_has_no_memory = true;
    std::string more(2 * kLarge, 'x');
    FAIL() << "there was memory for it";
  };
  EXPECT_THROW(fail_with_a_value(), std::bad_alloc);
  EXPECT_FALSE(MemoryReserve::is_there());
  t_has_no_memory = false;
  reserve.restore();
  EXPECT_TRUE(MemoryReserve::is_there());
}

TEST(MemoryReserve, ValuesThatAreTakenApartNeedNone) {
  const MemoryReserve reserve(1u << 20U);
  Json value{{"list", Json::parse(zeros(10'000))}, {"deep", {{"x", Json::parse(zeros(10'000))}}}};
  OutJson out = OutJson::parse(value.dump());
  t_has_no_memory = true;
  {
    const TakenApart value_apart(value);
    const TakenApart out_apart(out);
  }
  t_has_no_memory = false;
  EXPECT_TRUE(MemoryReserve::is_there());
  EXPECT_TRUE(value.empty());
  EXPECT_TRUE(out.empty());
}

// ---- The account ------------------------------------------------------------------------------

TEST(MemoryCost, KnowsWhatSmallTextsMakeLargeValues) {
  const std::string text(100'000, 'x');
  EXPECT_LT(memory_of_parsing(text), 2'000'000U);
  EXPECT_GT(memory_of_parsing(zeros(50'000)), 50'000U * 48);
  EXPECT_GE(memory_of_logits(1000), 100'000U);
}

class HttpMemory : public HttpServerTest {
 protected:
  using HttpServerTest::HttpServerTest;

  void start_with(std::size_t bytes) {
    HttpServerOptions options;
    options.memory_bytes = bytes;
    start(std::move(options));
  }
  std::string answer(const std::string& path, const std::string& body) {
    RawClient client(port_);
    client.write(post(path, body, "Content-Type: application/json\r\nConnection: close\r\n"));
    return client.read_all();
  }
};

TEST_F(HttpMemory, WhatDoesNotFitBesideOthersIsRefusedAndFitsOnceTheyHaveEnded) {
  start_with(4'000'000);
  const std::string body =
      R"({"query":"q","documents":["a","b"],"user":")" + std::string(200'000, 'x') + "\"}";
  gate_.shut();
  RawClient first(port_);
  first.write(post("/v1/rerank", body, "Content-Type: application/json\r\nConnection: close\r\n"));
  gate_.wait_for_passes(1);
  const std::string refused = answer("/v1/rerank", body);
  EXPECT_THAT(refused, HasSubstr("HTTP/1.1 503"));
  EXPECT_THAT(refused, HasSubstr("Retry-After: 1"));
  EXPECT_THAT(service_.metrics_text().body, HasSubstr("rsd_refused_total{reason=\"memory\"} 1"));
  RawClient small(port_);
  small.write(post("/v1/rerank", kBody, "Content-Type: application/json\r\nConnection: close\r\n"));
  gate_.open();
  EXPECT_THAT(small.read_all(), HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(first.read_all(), HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(answer("/v1/rerank", body), HasSubstr("HTTP/1.1 200"));
}

TEST_F(HttpMemory, AllIsGivenBackWhateverBecameOfTheCall) {
  start_with(4'000'000);
  for (int i = 0; i < 20; ++i) {
    answer("/v1/rerank", std::string(200'000, 'x'));
    answer("/v1/rank", R"({"unknown":")" + std::string(200'000, 'x') + "\"}");
    answer("/nowhere", std::string(200'000, 'x'));
  }
  EXPECT_THAT(answer("/v1/rerank", R"({"query":"q","documents":["a","b"],"user":")" +
                                       std::string(200'000, 'x') + "\"}"),
              HasSubstr("HTTP/1.1 200"));
}

TEST_F(HttpMemory, BodiesThatUnfoldAreCountedBeforeTheyAreParsed) {
  start_with(2'000'000);
  EXPECT_THAT(answer("/v1/rerank", dense_body(10)), HasSubstr("HTTP/1.1 200"));
  for (const char* path : {"/v1/rerank", "/v1/rank"}) {
    const std::string refused = answer(path, dense_body(40'000));
    EXPECT_THAT(refused, HasSubstr("HTTP/1.1 413")) << path;
    EXPECT_THAT(refused, HasSubstr("bytes of memory")) << path;
  }
}

TEST_F(HttpMemory, BodiesInChunksAreCountedBeforeTheyCome) {
  HttpServerOptions options;
  options.memory_bytes = 1'500'000;
  options.max_body_bytes = 500'000;
  start(std::move(options));
  const std::string head =
      "POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
      "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  // Neither body ends before one of the two calls is answered: who came second, whichever it is.
  RawClient clients[] = {RawClient(port_), RawClient(port_)};
  for (RawClient& client : clients)
    client.write(head + "1\r\n{\r\n");
  const bool is_0 = clients[0].is_answered_when_one_is(clients[1]);
  ASSERT_NE(is_0, clients[1].is_answered_when_one_is(clients[0]));
  RawClient& first = clients[is_0 ? 1 : 0];
  RawClient& second = clients[is_0 ? 0 : 1];
  EXPECT_THAT(second.read_all(), HasSubstr("HTTP/1.1 503"));
  first.write("0\r\n\r\n");
  EXPECT_THAT(first.read_all(), HasSubstr("HTTP/1.1 400"));
}

TEST_F(HttpMemory, APassWithoutMemoryIsAnswered503AndOthersGoOn) {
  start();
  engine_->has_no_memory = true;
  const std::string refused = answer("/v1/rerank", kBody);
  EXPECT_THAT(refused, HasSubstr("HTTP/1.1 503"));
  EXPECT_THAT(refused, HasSubstr("Retry-After: 1"));
  EXPECT_THAT(answer("/v1/rerank", kBody), HasSubstr("HTTP/1.1 200"));
}

class HttpRounds : public HttpMemory {
 protected:
  HttpRounds() : HttpMemory({.jobs = {.queue = 4}, .max_round_logits = 100}) {}
};

// A blank candidate is not ranked, but has a place in each row.
TEST_F(HttpRounds, AreCountedBeforeTheyAreWritten) {
  start();
  std::string body = R"({"query":"q","budget":1,"decoder":"rsd","candidates":["a","b","c")";
  EXPECT_THAT(answer("/v1/rank", body + R"(],"rounds":true})"), HasSubstr("HTTP/1.1 200"));
  for (int i = 0; i < 100; ++i)
    body += R"(,"")";
  const std::string refused = answer("/v1/rank", body + R"(],"rounds":true})");
  EXPECT_THAT(refused, HasSubstr("HTTP/1.1 413"));
  EXPECT_THAT(refused, HasSubstr("logits; this server returns at most 100"));
  EXPECT_THAT(answer("/v1/rank", body + "]}"), HasSubstr("HTTP/1.1 200"));
}

}  // namespace
}  // namespace rsd::server
