#include "llm/rpc_devices.h"

#include <fcntl.h>
#include <llama.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <system_error>
#include <utility>

#include "llm/rpc_backend.h"
#include "rsd/llm/rpc_server.h"

namespace rsd {
namespace {

constexpr int kPatienceMs = 5000;

using AddServer = decltype(&ggml_backend_rpc_add_server);

struct Address {
  std::string host;
  std::string port;
};

Result<Address> parse_address(const std::string& text) {
  const std::size_t colon = text.find(':');
  int port = 0;
  if (colon != std::string::npos && colon > 0) {
    const char* end = text.data() + text.size();
    const auto [rest, failure] = std::from_chars(text.data() + colon + 1, end, port);
    if (failure != std::errc() || rest != end) port = 0;
  }
  if (port < 1 || port > 65535) {
    return Error(ErrorCode::kInvalidArgument,
                 "RPC server '" + text + "': an address is HOST:PORT, with a port of 1 to 65535");
  }
  return Address{.host = text.substr(0, colon), .port = text.substr(colon + 1)};
}

Error failed(const std::string& server, const std::string& why) {
  return {ErrorCode::kRuntime, "RPC server " + server + ": " + why};
}

class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  explicit operator bool() const { return descriptor_ >= 0; }

  // 0, or errno.
  int connect(const addrinfo& to) {
    if (::connect(descriptor_, to.ai_addr, to.ai_addrlen) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    if (!wait(POLLOUT)) return ETIMEDOUT;
    int failure = 0;
    socklen_t size = sizeof failure;
    return ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 ? failure : errno;
  }

  bool send(std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
      if (!wait(POLLOUT)) return false;
      const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
    return true;
  }

  enum class Received { kAll, kClosed, kTimeout };
  Received receive(std::span<std::uint8_t> bytes) {
    while (!bytes.empty()) {
      if (!wait(POLLIN)) return Received::kTimeout;
      const auto received = ::recv(descriptor_, bytes.data(), bytes.size(), 0);
      if (received <= 0) return Received::kClosed;
      bytes = bytes.subspan(static_cast<std::size_t>(received));
    }
    return Received::kAll;
  }

 private:
  bool wait(short for_what) const {
    pollfd waiting{.fd = descriptor_, .events = for_what, .revents = 0};
    int ready = -1;
    do {
      ready = ::poll(&waiting, 1, kPatienceMs);
    } while (ready < 0 && errno == EINTR);
    return ready == 1;
  }

  int descriptor_;
};

Result<Socket> connect(const std::string& server, const Address& address) {
  const addrinfo wanted{.ai_flags = 0,
                        .ai_family = AF_INET,  // as ggml does
                        .ai_socktype = SOCK_STREAM,
                        .ai_protocol = 0,
                        .ai_addrlen = 0,
                        .ai_addr = nullptr,
                        .ai_canonname = nullptr,
                        .ai_next = nullptr};
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(address.host.c_str(), address.port.c_str(), &wanted, &found);
  if (failure != 0) return failed(server, ::gai_strerror(failure));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
  Socket socket(::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return failed(server, "no socket: " + std::generic_category().message(errno));
  if (const int refused = socket.connect(*found); refused != 0) {
    return failed(server, "no connection: " + std::generic_category().message(refused));
  }
  return socket;
}

static_assert(RPC_PROTO_MAJOR_VERSION == 7, "is this still ggml's first exchange?");

// ggml's first exchange, by which it numbers its operations, too: the number of the command, the
// size of what follows it (64 bits), and 24 bytes on what the connection could do besides TCP; the
// answer is its size and what is below.
constexpr std::uint8_t kHello = 14;
constexpr std::size_t kAbilities = 24;
struct Welcome {
  std::uint8_t major_version;
  std::uint8_t minor_version;
  std::uint8_t patch_version;
  std::uint8_t padding;
  std::array<std::uint8_t, kAbilities> abilities;
};

Result<void> greet(const std::string& server, const Address& address) {
  auto socket = connect(server, address);
  if (!socket) return socket.error();
  std::array<std::uint8_t, 1 + sizeof(std::uint64_t) + kAbilities> hello{kHello};
  const std::uint64_t size_sent = kAbilities;
  std::memcpy(hello.data() + 1, &size_sent, sizeof size_sent);
  std::array<std::uint8_t, sizeof(std::uint64_t) + sizeof(Welcome)> answer{};
  const bool is_sent = socket->send(hello);
  const auto received = is_sent ? socket->receive(answer) : Socket::Received::kClosed;
  if (received == Socket::Received::kTimeout) {
    return failed(server, "no answer; is it busy with another client? It takes one at a time");
  }
  if (received == Socket::Received::kClosed) {
    return failed(server, "something else listens there, or it speaks another version");
  }
  std::uint64_t size = 0;
  std::memcpy(&size, answer.data(), sizeof size);
  if (size != sizeof(Welcome)) return failed(server, "something else listens there");
  Welcome welcome{};
  std::memcpy(&welcome, answer.data() + sizeof size, sizeof welcome);
  const auto version = [](int major, int minor, int patch) {
    return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
  };
  const std::string theirs =
      version(welcome.major_version, welcome.minor_version, welcome.patch_version);
  const std::string ours =
      version(RPC_PROTO_MAJOR_VERSION, RPC_PROTO_MINOR_VERSION, RPC_PROTO_PATCH_VERSION);
  if (theirs != ours) {
    return Error(ErrorCode::kUnsupported, "RPC server " + server + " speaks version " + theirs +
                                              "; this build speaks " + ours);
  }
  return {};
}

Result<std::vector<Address>> parse_addresses(const std::vector<std::string>& servers) {
  if (servers.size() > GGML_RPC_MAX_SERVERS) {
    return Error(ErrorCode::kInvalidArgument, std::to_string(servers.size()) +
                                                  " RPC servers; ggml takes at most " +
                                                  std::to_string(GGML_RPC_MAX_SERVERS));
  }
  std::vector<Address> addresses;
  for (auto server = servers.begin(); server != servers.end(); ++server) {
    if (std::find(servers.begin(), server, *server) != server) {
      return Error(ErrorCode::kInvalidArgument, "RPC server " + *server + " is named twice");
    }
    auto address = parse_address(*server);
    if (!address) return address.error();
    addresses.push_back(*std::move(address));
  }
  return addresses;
}

// ggml has one connection to a server for the whole process and closes it after the last user.
Result<std::shared_ptr<ggml_backend>> connection_to(const std::string& server,
                                                    const Address& address, AddServer add_server) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<ggml_backend>> open;
  const std::lock_guard lock(mutex);
  if (auto connection = open[server].lock()) return connection;
  if (auto there = greet(server, address); !there) return there.error();
  const ggml_backend_reg_t added = add_server(server.c_str());
  if (!added || ggml_backend_reg_dev_count(added) == 0) return failed(server, "it has no device");
  std::shared_ptr<ggml_backend> connection(
      ggml_backend_dev_init(ggml_backend_reg_dev_get(added, 0), nullptr), &ggml_backend_free);
  if (!connection) return failed(server, "ggml can't use it");
  open[server] = connection;
  return connection;
}

}  // namespace

Result<RpcMachines> rpc_machines(const std::vector<std::string>& servers) {
  const auto addresses = parse_addresses(servers);
  if (!addresses) return addresses.error();
  const auto add_server = rpc_function<AddServer>("ggml_backend_rpc_add_server");
  if (!add_server) return no_rpc_backend();
  RpcMachines machines;
  for (std::size_t s = 0; s < servers.size(); ++s) {
    auto connection = connection_to(servers[s], (*addresses)[s], add_server);
    if (!connection) return connection.error();
    const ggml_backend_reg_t added = add_server(servers[s].c_str());
    for (std::size_t n = 0; n < ggml_backend_reg_dev_count(added); ++n) {
      machines.devices.push_back(ggml_backend_reg_dev_get(added, n));
      machines.servers.push_back(s);
    }
    machines.connections.push_back(*std::move(connection));
  }
  // This machine's CPU is one of the devices that llama.cpp computes on.
  const std::size_t most = llama_max_devices() - 1;
  if (machines.devices.size() > most) {
    return Error(ErrorCode::kInvalidArgument,
                 "the RPC servers have " + std::to_string(machines.devices.size()) +
                     " devices; llama.cpp takes at most " + std::to_string(most));
  }
  return machines;
}

std::vector<std::string> unreachable_rpc_servers(const std::vector<std::string>& servers) {
  std::vector<std::string> unreachable;
  for (const auto& server : servers) {
    const auto address = parse_address(server);
    if (!address || !connect(server, *address)) unreachable.push_back(server);
  }
  return unreachable;
}

}  // namespace rsd
