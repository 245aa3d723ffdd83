#include "rpc/client_queue.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace rsd {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kGreeting(kGreetingBytes, 'g');

sockaddr_in loopback() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A client of the queue, which speaks from here.
class Peer {
 public:
  explicit Peer(const sockaddr_in& server) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&server), sizeof(server)), 0);
  }
  ~Peer() { ::close(socket_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void send(const std::string& bytes) const {
    EXPECT_EQ(::send(socket_, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }
  void stop_sending() const { ::shutdown(socket_, SHUT_WR); }
  // Waits until the queue has closed the connection.
  bool is_closed() const {
    char byte = 0;
    return ::recv(socket_, &byte, 1, 0) == 0;
  }

 private:
  int socket_;
};

class ClientQueueTest : public testing::Test {
 protected:
  ClientQueueTest() {
    listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    socklen_t size = sizeof(address_);
    auto* const raw = reinterpret_cast<sockaddr*>(&address_);
    EXPECT_EQ(::bind(listening_, raw, size), 0);
    EXPECT_EQ(::listen(listening_, 16), 0);
    EXPECT_EQ(::getsockname(listening_, raw, &size), 0);
  }

  ClientQueue& queue(std::size_t waiting = 16, std::chrono::milliseconds greeting = 1h) {
    queue_ = std::make_unique<ClientQueue>(
        listening_, ClientQueue::Limits{.waiting = waiting,
                                        .greeting = greeting,
                                        .log = [this](LogLevel, std::string_view line) {
                                          log_.emplace_back(line);
                                        }});
    return *queue_;
  }
  // What has been sent over loopback is there at once.
  void look() {
    queue_->accept_all();
    queue_->receive_greetings();
  }
  std::vector<int> polled() const {
    std::vector<pollfd> waiting;
    queue_->add_events(waiting);
    std::vector<int> sockets;
    for (const pollfd& entry : waiting)
      if (entry.fd >= 0) sockets.push_back(entry.fd);
    return sockets;
  }

  sockaddr_in address_ = loopback();
  int listening_ = -1;
  std::unique_ptr<ClientQueue> queue_;
  std::vector<std::string> log_;
};

TEST_F(ClientQueueTest, ClientsAreTakenInOrderOnceTheirGreetingIsWhole) {
  queue();
  const Peer slow(address_);
  const Peer first(address_);
  const Peer second(address_);
  const std::string second_greeting(kGreetingBytes, 's');
  slow.send(kGreeting.substr(0, 20));
  second.send(second_greeting);
  first.send(kGreeting);
  look();
  for (const std::string& greeting : {kGreeting, second_greeting}) {
    ASSERT_TRUE(queue_->has_greeted());
    const auto taken = queue_->take_greeted();
    ::close(taken.socket);
    EXPECT_EQ(taken.greeting, greeting);
  }
  EXPECT_FALSE(queue_->has_greeted());
  slow.send(kGreeting.substr(20));
  look();
  EXPECT_TRUE(queue_->has_greeted());
}

TEST_F(ClientQueueTest, ClientsBeyondTheLimitAreClosed) {
  queue(1);
  const Peer waits(address_);
  const Peer beyond(address_);
  look();
  EXPECT_TRUE(beyond.is_closed());
  EXPECT_THAT(log_, ElementsAre(HasSubstr("turned away: 1 are waiting")));
}

TEST_F(ClientQueueTest, AClientWithoutAGreetingIsClosedInTime) {
  queue(16, 0ms);
  const Peer silent(address_);
  look();
  EXPECT_TRUE(silent.is_closed());
  EXPECT_THAT(log_, ElementsAre(HasSubstr("sent no greeting")));
}

TEST_F(ClientQueueTest, AClientThatWaitsForItsTurnIsNotPolled) {
  queue();
  const Peer client(address_);
  look();
  EXPECT_EQ(polled().size(), 2U);
  client.send(kGreeting + "more");
  client.stop_sending();
  look();
  EXPECT_TRUE(queue_->has_greeted());
  EXPECT_THAT(polled(), ElementsAre(listening_));
}

TEST_F(ClientQueueTest, AGreetedClientThatLeavesIsForgotten) {
  queue();
  {
    const Peer client(address_);
    client.send(kGreeting);
    look();
    EXPECT_TRUE(queue_->has_greeted());
  }
  look();
  EXPECT_FALSE(queue_->has_greeted());
}

// Lets no further file be opened while it lives.
class NoMoreFiles {
 public:
  NoMoreFiles() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit none = before_;
    none.rlim_cur = 0;
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoMoreFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoMoreFiles(const NoMoreFiles&) = delete;
  NoMoreFiles& operator=(const NoMoreFiles&) = delete;

 private:
  rlimit before_{};
};

TEST_F(ClientQueueTest, WithoutFilesTheListeningSocketRestsUntilTheNextLook) {
  queue();
  const Peer client(address_);
  {
    const NoMoreFiles none;
    look();
    look();
  }
  EXPECT_THAT(polled(), IsEmpty());
  EXPECT_THAT(log_, ElementsAre(HasSubstr("no client can be accepted")));
  look();
  EXPECT_THAT(polled(), Contains(listening_));
  EXPECT_EQ(polled().size(), 2U);
}

}  // namespace
}  // namespace rsd
