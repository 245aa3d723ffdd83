// Who is served when a server is full.
#include <gmock/gmock.h>

#include <list>

#include "server/http_server_test.h"

namespace rsd::server {
namespace {

using testing::HasSubstr;

const std::string kGet = " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const std::string kSlowBody =
    "POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{";

class HttpPlaces : public HttpServerTest {
 protected:
  using HttpServerTest::HttpServerTest;

  std::string answer(const std::string& request, const char* own = "127.0.0.1") {
    RawClient client(port_, own);
    client.write(request);
    return client.read_all();
  }
  std::string ranking(const char* own = "127.0.0.1", const std::string& more = "") {
    return answer(post("/v1/rerank", kBody, more + "Connection: close\r\n"), own);
  }
};

TEST_F(HttpPlaces, HealthIsReportedHoweverManyHoldThePlaces) {
  HttpServerOptions options;
  options.connections = 2;
  start(std::move(options));
  gate_.shut();
  std::list<RawClient> others;
  for (int i = 0; i < 20; ++i)
    others.emplace_back(port_).write(i < 2 ? post("/v1/rerank", kBody) : kSlowBody);
  gate_.wait_for_passes(1);
  for (const char* target : {"/health", "/ready", "/metrics", "/health?x=y", "//health/"})
    EXPECT_THAT(answer("GET " + std::string(target) + kGet), HasSubstr("HTTP/1.1 200")) << target;
  RawClient kept(port_);
  for (int i = 0; i < 3; ++i) {
    kept.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_THAT(kept.read_some(), HasSubstr("HTTP/1.1 200"));
  }
}

TEST_F(HttpPlaces, SilentClientsAndSlowHeadsHoldNone) {
  HttpServerOptions options;
  options.connections = 1;
  options.request_timeout_s = 3600;
  start(std::move(options));
  std::list<RawClient> slow;
  for (int i = 0; i < 20; ++i) {
    slow.emplace_back(port_);
    slow.emplace_back(port_).write("POST /v1/rerank HTTP/1.1\r\nHos");
  }
  EXPECT_THAT(ranking(), HasSubstr("HTTP/1.1 200"));
  slow.back().write("t: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_THAT(slow.back().read_all(), HasSubstr("HTTP/1.1 400")) << "it is served when it is there";
}

TEST_F(HttpPlaces, SlowBodiesYieldTheirsToThoseThatWait) {
  HttpServerOptions options;
  options.connections = 1;
  options.request_timeout_s = 300;
  start(std::move(options));
  RawClient slow(port_);
  slow.write(kSlowBody);
  EXPECT_THAT(answer("GET /health" + kGet), HasSubstr("200"));  // the slow one has its place by now
  // Or, on a busy machine, after the first of these.
  EXPECT_THAT(ranking(), HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(ranking(), HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(slow.read_all(), HasSubstr("HTTP/1.1 408"));
}

TEST_F(HttpPlaces, ClientsThatTakeNothingYieldTheirsToThoseThatWait) {
  HttpServerOptions options;
  options.connections = 1;
  options.request_timeout_s = 3600;
  start(std::move(options));
  RawClient reader(port_);
  std::string requests;
  for (int i = 0; i < 300; ++i)
    requests += "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
  reader.write(requests);
  for (std::size_t n = 0; n == 0 || n != log().size();) {  // until no more fits into the socket
    n = log().size();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_THAT(ranking(), HasSubstr("HTTP/1.1 200"));
}

TEST_F(HttpPlaces, WhoIsSlowIsNotHurriedWhereNobodyWaits) {
  HttpServerOptions options;
  options.connections = 1;
  start(std::move(options));
  RawClient slow(port_);
  const std::string body = kBody;
  slow.write(
      "POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body.substr(0, 1));
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  slow.write(body.substr(1));
  EXPECT_THAT(slow.read_all(), HasSubstr("HTTP/1.1 200"));
}

TEST_F(HttpPlaces, OneClientHasItsShareAndNoMore) {
  HttpServerOptions options;
  options.connections_per_client = 1;
  start(std::move(options));
  gate_.shut();
  RawClient first(port_, "127.0.0.2");
  first.write(post("/v1/rerank", kBody, "Connection: close\r\n"));
  gate_.wait_for_passes(1);
  const std::string refused = ranking("127.0.0.2");
  EXPECT_THAT(refused, HasSubstr("HTTP/1.1 429"));
  EXPECT_THAT(refused, HasSubstr("Retry-After: 1"));
  EXPECT_THAT(answer("GET /health" + kGet, "127.0.0.2"), HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(service_.metrics_text().body, HasSubstr("rsd_refused_total{reason=\"client\"} 1"));
  RawClient other(port_, "127.0.0.3");
  other.write(post("/v1/rerank", kBody, "Connection: close\r\n"));
  gate_.open();
  EXPECT_THAT(first.read_all(), HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(other.read_all(), HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(ranking("127.0.0.2"), HasSubstr("HTTP/1.1 200")) << "it got its share back";
}

TEST_F(HttpPlaces, SilentClientsMakeRoomForOthersByTheirNumber) {
  HttpServerOptions options;
  options.connections = 1;  // 64 may be in the lobby
  start(std::move(options));
  RawClient modest(port_, "127.0.0.3");
  modest.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  modest.read_some();
  std::list<RawClient> crowd;
  for (int i = 0; i < 200; ++i)
    crowd.emplace_back(port_, "127.0.0.2");
  EXPECT_EQ(crowd.front().read_some(), "") << "the oldest of those that have most";
  modest.write("GET /health" + kGet);
  EXPECT_THAT(modest.read_all(), HasSubstr("HTTP/1.1 200"));
}

class HttpKeys : public HttpPlaces {
 protected:
  HttpKeys() : HttpPlaces({.jobs = {.queue = 4}, .requests_per_key = 2}) {}
  void SetUp() override {
    HttpServerOptions options;
    options.keys = ApiKeys({"one", "two"});
    start(std::move(options));
  }
  static std::string with_key(const std::string& key) {
    return "Authorization: Bearer " + key + "\r\n";
  }
  static std::string ranking_with(const std::string& key) {
    return post("/v1/rerank", kBody, with_key(key) + "Connection: close\r\n");
  }
  std::string models_with(const std::string& key) {
    return answer("GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
                  with_key(key) + "\r\n");
  }
};

TEST_F(HttpKeys, OneKeyHasItsShareOfTheQueueAndNoMore) {
  gate_.shut();
  RawClient first(port_);
  first.write(ranking_with("one"));
  gate_.wait_for_passes(1);
  RawClient second(port_);
  second.write(ranking_with("one"));
  while (service_.metrics_text().body.find("rsd_queue_length 1") == std::string::npos)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const std::string refused = answer(ranking_with("one"));
  EXPECT_THAT(refused, HasSubstr("HTTP/1.1 429"));
  EXPECT_THAT(refused, HasSubstr("Retry-After: "));
  RawClient other(port_);
  other.write(ranking_with("two"));
  gate_.open();
  for (RawClient* client : {&first, &second, &other})
    EXPECT_THAT(client->read_all(), HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(answer(ranking_with("one")), HasSubstr("HTTP/1.1 200"));
}

TEST_F(HttpKeys, NewKeysAreForNewCallsAndThoseUnderWayGoOn) {
  gate_.shut();
  RawClient waits(port_);
  waits.write(ranking_with("one"));
  RawClient arrives(port_);
  arrives.write("GET /v1/models HTTP/1.1\r\nHost: localhost\r\n" + with_key("one") + "\r\n");
  EXPECT_THAT(arrives.read_some(), HasSubstr("HTTP/1.1 200"));
  gate_.wait_for_passes(1);
  http_->set_keys(ApiKeys({"two", "three"}));
  EXPECT_THAT(models_with("one"), HasSubstr("HTTP/1.1 401"));
  EXPECT_THAT(models_with("two"), HasSubstr("HTTP/1.1 200"));
  arrives.write(ranking_with("one"));
  EXPECT_THAT(arrives.read_all(), HasSubstr("HTTP/1.1 401")) << "each call needs a key of its own";
  gate_.open();
  EXPECT_THAT(waits.read_all(), HasSubstr("HTTP/1.1 200"));
}

TEST_F(HttpKeys, ACallBelongsToItsKeyThoughThatIsGoneWhenTheBodyComes) {
  const std::string body = kBody;
  const std::string head = "POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
                           with_key("one") + "Content-Length: " + std::to_string(body.size());
  EXPECT_THAT(answer(ranking_with("one")), HasSubstr("HTTP/1.1 200"));
  RawClient client(port_);
  client.write(head + "\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(client.read_some(), HasSubstr("100 Continue"));
  http_->set_keys(ApiKeys({"three"}));
  client.write(body);
  EXPECT_THAT(client.read_all(), HasSubstr("HTTP/1.1 200"));
  const auto scopes = engine_->scopes();
  ASSERT_EQ(scopes.size(), 2U);
  EXPECT_NE(scopes[0], "");
  EXPECT_EQ(scopes[1], scopes[0]) << "its prompt is kept as one of the key's";
}

TEST_F(HttpKeys, AListOfRequestsIsHeldToTheSameShare) {
  std::string body = R"({"requests":[)";
  for (int i = 0; i < 3; ++i)
    body += std::string(i == 0 ? "" : ",") + R"({"query":"q","candidates":["a","b"]})";
  EXPECT_THAT(answer(post("/v1/rank", body + "]}", with_key("one") + "Connection: close\r\n")),
              HasSubstr("takes at most 2 at a time"));
}

}  // namespace
}  // namespace rsd::server
