#include <gmock/gmock.h>

#include <future>
#include <set>
#include <thread>

#include "server/http_server_test.h"

namespace rsd::server {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

// How many of the responses in `text` have the status 200.
std::size_t n_answered(const std::string& text) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find("HTTP/1.1 200", at)) != std::string::npos; ++at)
    ++n;
  return n;
}

TEST_F(HttpServerTest, EveryRouteIsThere) {
  start();
  auto to = client();
  for (const char* path : {"/health", "/ready", "/v1/models", "/v1/models/any/name", "/info",
                           "/v1/cluster/auth", "/metrics", "/openapi.json", "/"}) {
    const auto response = to.Get(path);
    ASSERT_TRUE(response) << path;
    EXPECT_EQ(response->status, 200) << path;
    EXPECT_EQ(response->get_header_value("X-Content-Type-Options"), "nosniff");
  }
  for (const char* path :
       {"/v1/rerank", "/v2/rerank", "/rerank", "/reranking", "/v1/reranking", "/infinity/rerank"}) {
    const auto response = to.Post(path, kBody, kJson);
    ASSERT_TRUE(response) << path;
    EXPECT_EQ(response->status, 200) << path << response->body;
    EXPECT_THAT(response->body, HasSubstr("relevance_score"));
  }
}

TEST_F(HttpServerTest, ThePageIsHeldToItsOwnFiles) {
  start();
  const auto response = client().Get("/");
  EXPECT_THAT(response->get_header_value("Content-Type"), HasSubstr("text/html"));
  const std::string policy = response->get_header_value("Content-Security-Policy");
  for (const char* rule : {"default-src 'self'", "frame-ancestors 'none'", "form-action 'none'"})
    EXPECT_THAT(policy, HasSubstr(rule));
  EXPECT_EQ(response->get_header_value("X-Frame-Options"), "DENY");
}

TEST_F(HttpServerTest, RequestIdsAreTakenOrMadeEchoedAndLogged) {
  start();
  auto to = client();
  EXPECT_EQ(to.Get("/health", {{"X-Request-Id", "mine-1"}})->get_header_value("X-Request-Id"),
            "mine-1");
  EXPECT_EQ(to.Get("/health")->get_header_value("X-Request-Id").size(), 16U);
  EXPECT_EQ(to.Get("/nowhere", {{"X-Request-Id", "mine-2"}})->get_header_value("X-Request-Id"),
            "mine-2");
  const auto records = log();
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0].request_id, "mine-1");
  EXPECT_EQ(records[2].status, 404);
  EXPECT_EQ(records[2].path, "/nowhere");
}

TEST_F(HttpServerTest, ThePathIsLoggedWhateverTheMethod) {
  start();
  auto to = client();
  httplib::Request odd;
  odd.method = "QUERY";
  odd.path = "/v1/models?x=1";
  to.send(odd);
  ASSERT_EQ(log().size(), 1U);
  EXPECT_EQ(log().front().path, "/v1/models");
}

TEST_F(HttpServerTest, UnknownPathsAndMethodsAreAnsweredInJson) {
  start();
  auto to = client();
  const auto missing = to.Get("/etc/passwd");
  EXPECT_EQ(missing->status, 404);
  EXPECT_THAT(missing->body, HasSubstr("nothing at this path"));
  const auto wrong = to.Get("/v1/rerank");
  EXPECT_EQ(wrong->status, 405);
  EXPECT_EQ(wrong->get_header_value("Allow"), "POST");
  EXPECT_EQ(to.Put("/health", "x", kJson)->status, 405);
  RawClient unusual(port_);
  unusual.write("QUERY /ready?now HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(unusual.read_all(), HasSubstr(" 405 "));
}

TEST_F(HttpServerTest, ABodyThatWasNotReadIsNotTakenForARequest) {
  start();
  const std::string hidden = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n";
  for (const char* method : {"GET", "TRACE", "QUERY", "DELETE"}) {
    RawClient smuggler(port_);
    smuggler.write(std::string(method) +
                   " /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                   std::to_string(hidden.size()) + "\r\n\r\n" + hidden);
    const std::string responses = smuggler.read_all();
    EXPECT_THAT(responses, HasSubstr("Connection: close")) << method;
    EXPECT_EQ(responses.find("HTTP/1.1", 1), std::string::npos) << method << responses;
  }
}

TEST_F(HttpServerTest, KeysAreAskedForButForLifeAndPage) {
  start_with_key();
  auto to = client();
  EXPECT_EQ(to.Get("/health")->status, 200);
  EXPECT_EQ(to.Get("/ready")->status, 200);
  EXPECT_EQ(to.Get("/")->status, 200);
  EXPECT_EQ(to.Get("/v1/cluster/auth")->body, R"({"auth":true})");
  for (const char* path : {"/v1/models", "/v1/models/x", "/info", "/metrics"})
    EXPECT_EQ(to.Get(path)->status, 401) << path;
  const auto refused = to.Post("/v1/rerank", kBody, kJson);
  EXPECT_EQ(refused->status, 401);
  EXPECT_EQ(refused->get_header_value("WWW-Authenticate"), "Bearer");
  EXPECT_EQ(to.Post("/rerank", {{"Authorization", "Bearer wrong"}}, kBody, kJson)->status, 401);
  EXPECT_EQ(to.Post("/rerank", {{"Authorization", "Bearer secret"}}, kBody, kJson)->status, 200);
}

TEST_F(HttpServerTest, RoutesThatTakeTeisShapeReportErrorsAsItDoes) {
  start_with_key();
  for (const char* path : {"/rerank", "/reranking", "/v1/reranking"})
    EXPECT_THAT(client().Post(path, kBody, kJson)->body, HasSubstr("error_type")) << path;
}

TEST_F(HttpServerTest, TooLargeABodyIsRefusedWithAndWithoutALength) {
  HttpServerOptions options;
  options.max_body_bytes = 10'000;
  start(std::move(options));
  const std::string large(200'000, 'x');
  RawClient with_length(port_);
  with_length.write(post("/v1/rerank", large));
  EXPECT_THAT(with_length.read_all(), HasSubstr("HTTP/1.1 413"));
  RawClient chunked(port_);
  chunked.write(
      "POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 50; ++i)
    chunked.write("1000\r\n" + std::string(4096, 'x') + "\r\n");
  EXPECT_THAT(chunked.read_all(), HasSubstr("HTTP/1.1 413"));
  EXPECT_EQ(client().Post("/v1/rerank", kBody, kJson)->status, 200);
}

TEST_F(HttpServerTest, HeadersThatAreTooLongAreRefusedBeforeTheyAreKept) {
  start();
  RawClient endless(port_);
  endless.write("GET /health HTTP/1.1\r\nHost: localhost\r\n");
  std::string lines;
  for (int i = 0; i < 20'000; ++i)
    lines += "X-" + std::to_string(i) + ": y\r\n";
  endless.write(lines);
  EXPECT_THAT(endless.read_all(), HasSubstr("HTTP/1.1 431"));
  EXPECT_EQ(client().Get("/health")->status, 200);
}

TEST_F(HttpServerTest, ARequestWhoseEndIsInDoubtIsRefusedAndNothingAfterItIsServed) {
  start();
  const std::string hidden = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const std::string post = "POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\n";
  const std::pair<std::string, std::string> doubtful[] = {
      {post + "Content-Length: abc\r\n\r\n", "HTTP/1.1 400"},
      {post + "Content-Length: 0x10\r\n\r\n", "HTTP/1.1 400"},
      {post + "Content-Length: 0\r\nContent-Length: 40\r\n\r\n", "HTTP/1.1 400"},
      {post + "Content-Length : 40\r\n\r\n", "HTTP/1.1 400"},
      {post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 400"},
      {post + "Transfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 501"},
      {"GET /" + std::string(9000, 'x') + " HTTP/1.1\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 414"},
      {"GET /health HTTP/1.1\r\nRange: x\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 200"},
      {"GET /health HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 200"},
      {post + "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n", "HTTP/1.1 400"},
  };
  for (const auto& [request, answer] : doubtful) {
    RawClient smuggler(port_);
    smuggler.write(request + hidden);
    const std::string responses = smuggler.read_all();
    EXPECT_THAT(responses, HasSubstr(answer)) << request.substr(0, 200);
    EXPECT_THAT(responses, HasSubstr("Connection: close"));
    EXPECT_EQ(responses.find("HTTP/1.1", 1), std::string::npos) << responses;
  }
}

TEST_F(HttpServerTest, ARefusalArrivesWhileALargeBodyIsStillComing) {
  start_with_key();
  const std::string large(32u << 20, 'x');
  const std::string length = "Content-Length: " + std::to_string(large.size()) + "\r\n";
  const std::string key = "Authorization: Bearer secret\r\n";
  const std::string chunk = "Transfer-Encoding: chunked\r\n\r\n2000000\r\n";
  const std::string line = "POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\n";
  const std::pair<std::string, std::string> refused[] = {
      {line + length + "\r\n", "HTTP/1.1 401"},
      {line + key + length + "\r\n", "HTTP/1.1 413"},
      {line + key + "Content-Encoding: gzip\r\n" + length + "\r\n", "HTTP/1.1 415"},
      {line + key + "Content-Length: 5, 5\r\n\r\n", "HTTP/1.1 400"},
      {line + key + "Transfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 501"},
      {line + key + "Transfer-Encoding: chunked\r\n\r\nno size\r\n", "HTTP/1.1 400"},
      {line + key + chunk, "HTTP/1.1 413"},
      {"POST /" + std::string(9000, 'x') + " HTTP/1.1\r\n" + length + "\r\n", "HTTP/1.1 414"},
      {"POST /nowhere HTTP/1.1\r\n" + length + "\r\n", "HTTP/1.1 401"},
      {"GET /nowhere HTTP/1.1\r\n" + key + chunk, "HTTP/1.1 404"},
      {"DELETE /health HTTP/1.1\r\n" + chunk, "HTTP/1.1 405"},
      {"GET /health HTTP/1.1\r\nX: ", "HTTP/1.1 431"},
  };
  for (const auto& [head, answer] : refused) {
    RawClient client(port_);
    EXPECT_TRUE(client.write(head)) << head.substr(0, 200);
    EXPECT_TRUE(client.write(large)) << head.substr(0, 200);
    EXPECT_THAT(client.read_all(), HasSubstr(answer)) << head.substr(0, 200);
  }
}

TEST_F(HttpServerTest, WhileTheModelIsBeingLoadedALargeBodyIsTakenAndAnswered503) {
  start_without_model();
  const std::string large(3u << 20, 'x');  // below the limit of bodies
  for (const char* path : {"/v1/rerank", "/v1/rank", "/rerank"}) {
    RawClient client(port_);
    EXPECT_TRUE(client.write(post(path, large, "Connection: close\r\n"))) << path;
    const std::string refused = client.read_all();
    EXPECT_THAT(refused, HasSubstr("HTTP/1.1 503")) << path;
    EXPECT_THAT(refused, HasSubstr("Retry-After: 5")) << path;
  }
}

TEST_F(HttpServerTest, HeaderLinesMayBeAsLongAsTheHead) {
  start();
  RawClient raw(port_);
  raw.write(post("/v1/rerank", kBody,
                 "Cookie: " + std::string(50'000, 'x') + "\r\nConnection: close\r\n"));
  EXPECT_THAT(raw.read_all(), HasSubstr("HTTP/1.1 200"));
  for (const char* line : {"X: ", "GET /"}) {
    RawClient longer(port_);
    longer.write(std::string(line) == "X: " ? "GET /health HTTP/1.1\r\nX: " : line);
    longer.write(std::string(70'000, 'x') + "\r\n\r\n");
    EXPECT_THAT(longer.read_all(), HasSubstr("HTTP/1.1 431")) << line;
  }
}

TEST_F(HttpServerTest, TargetsMayBeAbsoluteAndHaveSlashesTooMany) {
  start_with_key();
  const auto status = [&](const std::string& target, const std::string& more) {
    RawClient raw(port_);
    raw.write(post(target, kBody, more + "Connection: close\r\n"));
    return raw.read_all().substr(0, 12);
  };
  for (const char* target : {"http://localhost/v1/rerank", "//v1/rerank", "/v1//rerank/",
                             "http://localhost//rerank?a=b", "/rerank/"}) {
    EXPECT_EQ(status(target, "Authorization: Bearer secret\r\n"), "HTTP/1.1 200") << target;
    EXPECT_EQ(status(target, ""), "HTTP/1.1 401") << target;
  }
}

TEST_F(HttpServerTest, ChunkedBodiesMayHaveTrailersAndBeFollowed) {
  start();
  const std::string body = kBody;
  std::string chunked =
      "POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char c : body)
    chunked += "1;x=y\r\n" + std::string(1, c) + "\r\n";
  chunked += "0\r\nX-Checksum: abc\r\nAnother: one\r\n\r\n";
  RawClient raw(port_);
  raw.write(chunked + chunked + post("/v1/rerank", kBody, "Connection: Close\r\n"));
  const std::string all = raw.read_all();
  EXPECT_EQ(n_answered(all), 3U) << all;
}

TEST_F(HttpServerTest, RangesAreIgnored) {
  start();
  for (const char* range : {"bytes=0-3", "bytes=900000000-", "x"}) {
    const auto response = client().Get("/openapi.json", {{"Range", range}});
    EXPECT_EQ(response->status, 200) << range;
    EXPECT_EQ(response->body, client().Get("/openapi.json")->body);
  }
}

TEST_F(HttpServerTest, HeadsThatAreNotUnderstoodAreLoggedWithTheirClient) {
  start();
  RawClient raw(port_);
  raw.write("nonsense\r\n\r\n");
  raw.read_all();
  ASSERT_EQ(log().size(), 1U);
  EXPECT_EQ(log().front().client, "127.0.0.1");
  EXPECT_EQ(log().front().status, 400);
}

TEST_F(HttpServerTest, ASlowHeadIsAnswered408) {
  HttpServerOptions options;
  options.request_timeout_s = 0.05;
  start(std::move(options));
  for (const char* beginning : {"GET /hea", "GET /health HTTP/1.1\r\nHos"}) {
    RawClient slow(port_);
    slow.write(beginning);
    EXPECT_THAT(slow.read_all(), HasSubstr("HTTP/1.1 408")) << beginning;
  }
}

TEST_F(HttpServerTest, ARequestThatIsStillComingWhenTheServerEndsIsAnswered503) {
  start();
  RawClient slow(port_);
  slow.write(
      "POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: "
      "9\r\n\r\n");
  EXPECT_THAT(slow.read_some(), HasSubstr("100 Continue"));
  http_->stop(Clock::time_point::max());
  EXPECT_THAT(slow.read_all(), HasSubstr("HTTP/1.1 503"));
}

TEST_F(HttpServerTest, NoLengthIsAnEmptyBody) {
  start();
  RawClient raw(port_);
  raw.write("POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\n\r\n");
  raw.write(post("/v1/rerank", kBody, "Connection: close\r\n"));
  const std::string responses = raw.read_all();
  EXPECT_THAT(responses, HasSubstr("broken JSON at byte 0"));
  EXPECT_THAT(responses, HasSubstr("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, WhatIsRefusedIsRefusedBeforeItsBodyComes) {
  HttpServerOptions options;
  options.max_body_bytes = 1000;
  start_with_key(std::move(options));
  const std::string key = "Authorization: Bearer secret\r\n";
  const std::string post = "POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\n";
  for (const char* expect : {"", "Expect: 100-continue\r\n"}) {
    RawClient stranger(port_);
    stranger.write(post + expect + "Content-Length: 100\r\n\r\n");
    EXPECT_THAT(stranger.read_all(), HasSubstr("HTTP/1.1 401")) << expect;
    RawClient large(port_);
    large.write(post + key + expect + "Content-Length: 1001\r\n\r\n");
    const std::string refused = large.read_all();
    EXPECT_THAT(refused, HasSubstr("HTTP/1.1 413")) << expect;
    EXPECT_THAT(refused, Not(HasSubstr("HTTP/1.1 100"))) << expect;
  }
}

TEST_F(HttpServerTest, AClientThatWaitsForAContinueGetsIt) {
  start();
  RawClient raw(port_);
  raw.write(
      "POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\nExpect: 100-Continue\r\nConnection: close\r\n"
      "Content-Length: " +
      std::to_string(std::string(kBody).size()) + "\r\n\r\n");
  EXPECT_THAT(raw.read_some(), HasSubstr("HTTP/1.1 100 Continue"));
  raw.write(kBody);
  EXPECT_THAT(raw.read_all(), HasSubstr("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, CompressedBodiesAreRefused) {
  start();
  RawClient raw(port_);
  raw.write(post("/v1/rerank", kBody, "Content-Encoding: gzip\r\n"));
  EXPECT_THAT(raw.read_all(), HasSubstr("HTTP/1.1 415"));
}

TEST_F(HttpServerTest, GarbageIsA400) {
  start();
  for (const std::string& garbage :
       {std::string("nonsense\r\n\r\n"), std::string("GET / HTTP/9.9\r\n\r\n"),
        std::string("\x16\x03\x01\x02\r\n\r\n")}) {
    RawClient raw(port_);
    raw.write(garbage);
    raw.end_writing();
    EXPECT_THAT(raw.read_all(), HasSubstr("HTTP/1.1 400")) << garbage;
  }
}

TEST_F(HttpServerTest, ASlowRequestIsGivenUpHoweverSteadilyItComes) {
  HttpServerOptions options;
  options.request_timeout_s = 0.2;
  start(std::move(options));
  RawClient slow(port_);
  slow.write("POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n");
  std::atomic<bool> done{false};
  std::thread writer([&] {
    while (!done) {
      slow.write("x");
      std::this_thread::sleep_for(5ms);
    }
  });
  EXPECT_THAT(slow.read_all(), HasSubstr("HTTP/1.1 408"));
  done = true;
  writer.join();
}

TEST_F(HttpServerTest, OneConnectionServesManyRequests) {
  start();
  RawClient raw(port_);
  raw.write(post("/v1/rerank", kBody) + post("/v1/rerank", kBody, "Connection: close\r\n"));
  const std::string all = raw.read_all();
  EXPECT_EQ(n_answered(all), 2U) << all;
}

TEST_F(HttpServerTest, AnIdleConnectionIsKeptForTheTimeThatIsSet) {
  HttpServerOptions options;
  options.keep_alive_s = 0.05;
  start(std::move(options));
  RawClient raw(port_);
  raw.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(raw.read_all(), HasSubstr("HTTP/1.1 200")) << "it ends by itself";
  EXPECT_EQ(HttpServerOptions().keep_alive_s, 75) << "proxies keep theirs for 60 s";
}

TEST_F(HttpServerTest, AnIdleConnectionYieldsItsPlaceToOneThatWaits) {
  HttpServerOptions options;
  options.connections = 1;
  options.keep_alive_s = 3600;
  start(std::move(options));
  RawClient idle(port_);
  idle.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(idle.read_some(), HasSubstr("timeout=3600"));
  RawClient waits(port_);
  waits.write("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(waits.read_all(), HasSubstr("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, AClientThatHangsUpIsCancelled) {
  start();
  gate_.shut();
  {
    RawClient raw(port_);
    raw.write(post("/v1/rerank", kBody));
    gate_.wait_for_passes(1);
  }
  while (log().empty())
    std::this_thread::sleep_for(1ms);
  EXPECT_EQ(log().front().status, 499);
  gate_.open();
  EXPECT_EQ(client().Post("/v1/rerank", kBody, kJson)->status, 200);
}

TEST_F(HttpServerTest, ConnectionsBeyondTheLimitAreAnswered503) {
  HttpServerOptions options;
  options.connections = 1;
  start(std::move(options));
  gate_.shut();
  RawClient served(port_);
  served.write(post("/v1/rerank", kBody, "Connection: close\r\n"));
  gate_.wait_for_passes(1);
  RawClient waits(port_);
  waits.write(post("/v1/rerank", kBody, "Connection: close\r\n"));
  RawClient third(port_);
  third.write(post("/v1/rerank", kBody, "Connection: close\r\n"));
  const std::string refused = third.read_all();
  EXPECT_THAT(refused, HasSubstr("HTTP/1.1 503"));
  EXPECT_THAT(refused, HasSubstr("Retry-After: 1"));
  ASSERT_EQ(log().size(), 1U);
  EXPECT_EQ(log().front().status, 503);
  EXPECT_EQ(log().front().client, "127.0.0.1");
  EXPECT_THAT(refused, HasSubstr("X-Request-Id: " + log().front().request_id));
  EXPECT_THAT(service_.metrics_text().body,
              HasSubstr("rsd_refused_total{reason=\"connections\"} 1"));
  gate_.open();
  EXPECT_THAT(served.read_all(), HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(waits.read_all(), HasSubstr("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, WhatIsBeingServedIsFinishedWhenItStops) {
  start();
  gate_.shut();
  auto response = std::async(std::launch::async,
                             [this] { return client().Post("/v1/rerank", kBody, kJson)->status; });
  gate_.wait_for_passes(1);
  auto stopped = std::async(std::launch::async, [this] { http_->stop(Clock::time_point::max()); });
  gate_.open();
  EXPECT_EQ(response.get(), 200);
}

TEST_F(HttpServerTest, AClientThatTakesNothingIsWaitedForUntilTheLimitOfItsEnd) {
  HttpServerOptions options;
  options.request_timeout_s = 3600;
  start(std::move(options));
  RawClient idle(port_);
  std::string requests;
  for (int i = 0; i < 300; ++i)
    requests += "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
  idle.write(requests);
  for (std::size_t n = 0; n == 0 || n != log().size();) {  // until no more fits into the socket
    n = log().size();
    std::this_thread::sleep_for(100ms);
  }
  http_->stop(Clock::time_point::max());
  http_->stop(Clock::now());
  thread_.join();
  thread_ = std::thread([] {});
}

TEST_F(HttpServerTest, PagesOfOtherSitesMayNotCallAServerWithoutAKey) {
  start();
  auto to = client();
  const auto status_of = [&](const char* site) {
    return to.Post("/v1/rerank", {{"Sec-Fetch-Site", site}}, kBody, kJson)->status;
  };
  EXPECT_EQ(status_of("cross-site"), 403);
  EXPECT_EQ(status_of("same-origin"), 200);
  EXPECT_EQ(to.Get("/", {{"Sec-Fetch-Site", "cross-site"}})->status, 200);  // a link to the page
}

TEST_F(HttpServerTest, APortThatIsTakenIsAnError) {
  start();
  HttpServer second(application_of(service_), {.port = port_});
  EXPECT_THAT(second.bind().error().message(), HasSubstr("can't listen on 127.0.0.1"));
}

TEST_F(HttpServerTest, FailuresRevealNothingInternal) {
  start();
  const auto response = client().Post("/v1/rerank", "{\"query\":\"\xff\"}", kJson);
  EXPECT_EQ(response->status, 400);
  for (const char* inside : {"nlohmann", "httplib", ".cpp", "json.exception"})
    EXPECT_THAT(response->body, Not(HasSubstr(inside)));
}

// Otherwise the tokens that an answer took would reveal what the holder of another key has asked.
TEST_F(HttpServerTest, PromptsOfAKeyAndOfASaltHaveAScopeOfTheirOwn) {
  HttpServerOptions options;
  options.keys = ApiKeys({"one", "two"});
  start(std::move(options));
  const auto ask = [&](const std::string& key, const std::string& path, const std::string& salt) {
    const std::string field = salt.empty() ? "" : R"(,"cache_salt":")" + salt + "\"";
    const std::string body =
        path == "/v1/rank"
            ? R"({"query":"q","candidates":[{"id":1,"text":"a"},{"id":2,"text":"b"}])" + field + "}"
            : R"({"query":"q","documents":["a","b"])" + field + "}";
    const auto reply =
        client().Post(path, {{"Authorization", "Bearer " + key}}, body, "application/json");
    EXPECT_EQ(reply->status, 200) << reply->body;
    EXPECT_FALSE(reply->has_header("X-RSD-Ignored-Fields"));
  };
  for (const char* path : {"/v1/rerank", "/v1/rank"}) {
    ask("one", path, "");
    ask("two", path, "");
    ask("one", path, "salt");
    ask("two", path, "salt");
    ask("one", path, "pepper");
  }
  const auto scopes = engine_->scopes();
  ASSERT_EQ(scopes.size(), 10U);
  const std::set<std::string> different(scopes.begin(), scopes.begin() + 5);
  EXPECT_EQ(different.size(), 5U);
  EXPECT_FALSE(different.contains(""));
  for (std::size_t n = 0; n < 5; ++n) {
    EXPECT_EQ(scopes[n], scopes[5 + n]) << n;
    EXPECT_EQ(scopes[n].find("salt"), std::string::npos);
    EXPECT_EQ(scopes[n].find("one"), std::string::npos);
  }
}

}  // namespace
}  // namespace rsd::server
