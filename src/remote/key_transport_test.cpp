// The connections over which a remote engine's key may be sent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "remote/replica_set.h"
#include "rsd/remote/remote_engine.h"
#include "support/fake_engine_server.h"

namespace rsd {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

RemoteOptions options_for(const std::string& url) {
  RemoteOptions options;
  options.urls = {url};
  options.api_key = "secret";
  options.patience.retries = 0;
  options.patience.connect_timeout = milliseconds(50);
  options.patience.backoff = options.patience.max_backoff = milliseconds(1);
  return options;
}

// No server listens there.
constexpr const char* kDeadProxy = "http://127.0.0.1:1";

class KeyTransport : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"http_proxy", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"})
      ::unsetenv(name);
  }
  void TearDown() override { SetUp(); }
};

TEST(LoopbackUrl, IsOneWhoseHostIsThisMachineByName) {
  for (const char* url : {"http://localhost", "http://LocalHost:8000/llm", "http://127.0.0.1",
                          "http://127.255.0.9:1", "http://[::1]", "http://[::1]:80/x",
                          "http://[0:0:0:0:0:0:0:1]", "http://[::ffff:127.0.0.1]"})
    EXPECT_TRUE(is_loopback_url(url)) << url;
}

TEST(LoopbackUrl, IsNoneThatOnlyLooksSo) {
  for (const char* url :
       {"http://localhost.example", "http://127.0.0.1.example", "http://127.1", "http://2130706433",
        "http://0x7f.0.0.1", "http://128.0.0.1", "http://10.0.0.127", "http://[::2]", "http://[::]",
        "http://[::ffff:10.0.0.1]", "http://0.0.0.0", "http://127-0-0-1", "http://h/localhost",
        "http://h:127/127.0.0.1", "http://[::1"})
    EXPECT_FALSE(is_loopback_url(url)) << url;
}

TEST_F(KeyTransport, PlainHttpToOtherMachinesIsRefusedBeforeAnythingIsSent) {
  for (const char* url : {"http://192.0.2.1", "http://engine.invalid:8000", "HTTP://127.1:8000"}) {
    const auto model = RemoteEngine::served_model(options_for(url));
    ASSERT_FALSE(model) << url;
    EXPECT_EQ(model.error().code(), ErrorCode::kInvalidArgument) << url;
    EXPECT_THAT(model.error().message(), HasSubstr("--engine-key-over-http")) << url;
    EXPECT_THAT(model.error().message(), Not(HasSubstr("secret")));
  }
}

TEST_F(KeyTransport, EachOfSeveralReplicasCounts) {
  RemoteOptions options = options_for("https://192.0.2.1");
  options.urls.emplace_back("http://192.0.2.2");
  EXPECT_EQ(RemoteEngine::served_model(options).error().code(), ErrorCode::kInvalidArgument);
}

// The address is this machine's, but none that we know to be.
TEST_F(KeyTransport, IsOfNoMatterWithoutAKeyOrByHttpsOrWhereItIsAllowed) {
  RemoteOptions without = options_for("http://0.0.0.0:1");
  without.api_key.clear();
  RemoteOptions allowed = options_for("http://0.0.0.0:1");
  allowed.key_transport = rsd::KeyTransport::kAnyHttp;
  for (const RemoteOptions& options : {without, allowed, options_for("https://0.0.0.0:1")})
    EXPECT_EQ(RemoteEngine::served_model(options).error().code(), ErrorCode::kRuntime);
}

TEST_F(KeyTransport, NoProxyIsAskedForThisMachine) {
  FakeEngineServer server({.api_key = "secret"});
  ::setenv("http_proxy", kDeadProxy, 1);
  ::setenv("all_proxy", kDeadProxy, 1);
  const auto model = RemoteEngine::served_model(options_for(server.url()));
  ASSERT_TRUE(model) << model.error().message();
  EXPECT_EQ(model->name, "made-up");
}

TEST_F(KeyTransport, AProxyIsAskedForThisMachineWhereThatIsAllowed) {
  FakeEngineServer server({.api_key = "secret"});
  ::setenv("http_proxy", kDeadProxy, 1);
  RemoteOptions options = options_for(server.url());
  options.key_transport = rsd::KeyTransport::kAnyHttp;
  EXPECT_FALSE(RemoteEngine::served_model(options));
  EXPECT_EQ(server.n_listings(), 0u);
}

}  // namespace
}  // namespace rsd
