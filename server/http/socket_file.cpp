#include "server/http/socket_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

namespace rsd::server {
namespace {

constexpr mode_t kMode = 0660;

std::string text_of(int error) {
  return std::generic_category().message(error);
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

template <class Call>
int with_address(Call call, int socket, const std::string& path) {
  const sockaddr_un address = address_of(path);
  return call(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

// Held while a file is looked at, removed and made, so that if two servers start at once, neither
// takes the other's file for that of a server that has gone.
class FolderLock {
 public:
  explicit FolderLock(const std::string& path) {
    const auto folder = std::filesystem::path(path).parent_path();
    descriptor_ = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor_ >= 0) ::flock(descriptor_, LOCK_EX);
  }
  ~FolderLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_;
};

// Nothing where a new file can be made.
std::optional<Error> fault_of_place(const std::string& path) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) return std::nullopt;
  if (!S_ISSOCK(file.st_mode))
    return Error(ErrorCode::kInvalidArgument, path + " is there, and is no socket");
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const bool is_deserted = with_address(&::connect, probe, path) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  if (!is_deserted)
    return Error(ErrorCode::kRuntime, "can't listen on " + path + ": another server does");
  if (::unlink(path.c_str()) == 0) return std::nullopt;
  return Error(ErrorCode::kRuntime, "can't remove " + path + ": " + text_of(errno));
}

}  // namespace

Result<SocketFile> SocketFile::listen(const std::string& path, int backlog) {
  constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() > kLongest) {
    return Error(ErrorCode::kInvalidArgument, "the path of a Unix socket has at most " +
                                                  std::to_string(kLongest) + " bytes, not " +
                                                  std::to_string(path.size()));
  }
  const FolderLock lock(path);
  if (auto fault = fault_of_place(path)) return *fault;
  SocketFile file(path, ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (auto made = file.make(backlog); !made) return made.error();
  return file;
}

// Linux gives the file the socket's mode less the process's mask, so that it is never open to more
// than it will be.
Result<void> SocketFile::make(int backlog) {
  struct stat made {};
  ::fchmod(socket_, kMode);
  if (with_address(&::bind, socket_, path_) != 0)
    return Error(ErrorCode::kRuntime, "can't listen on " + path_ + ": " + text_of(errno));
  if (::lstat(path_.c_str(), &made) == 0) {
    device_ = made.st_dev;
    inode_ = made.st_ino;
    is_there_ = true;
  }
  if (::chmod(path_.c_str(), kMode) != 0 || ::listen(socket_, backlog) != 0)
    return Error(ErrorCode::kRuntime, "can't listen on " + path_ + ": " + text_of(errno));
  return {};
}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::move(other.path_)),
      socket_(std::exchange(other.socket_, -1)),
      device_(other.device_),
      inode_(other.inode_),
      is_there_(other.is_there_.exchange(false)) {}

SocketFile::~SocketFile() {
  remove();
  if (socket_ >= 0) ::close(socket_);
}

int SocketFile::release() noexcept {
  return std::exchange(socket_, -1);
}

void SocketFile::remove() noexcept {
  if (!is_there_.exchange(false)) return;
  struct stat file {};
  const bool is_ours =
      ::lstat(path_.c_str(), &file) == 0 && file.st_dev == device_ && file.st_ino == inode_;
  if (is_ours) ::unlink(path_.c_str());
}

}  // namespace rsd::server
