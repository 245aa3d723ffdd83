// A listening Unix socket and its file.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <string>
#include <utility>

#include "rsd/core/result.h"

namespace rsd::server {

class SocketFile {
 public:
  // Makes the file, which its owner and group may connect to, and replaces one whose server has
  // gone. kInvalidArgument: the path is longer than an address may be, or is that of another kind
  // of file. kRuntime: a server listens there, or the file can't be made.
  static Result<SocketFile> listen(const std::string& path, int backlog);
  // Closes the socket unless it was released, and remove()s the file.
  ~SocketFile();
  SocketFile(SocketFile&& other) noexcept;
  SocketFile& operator=(SocketFile&&) = delete;
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;

  // Gives up the socket, which is non-blocking, to the caller; -1 from the second call on.
  int release() noexcept;
  // Removes the file, unless another has taken its place. From any thread, and more than once.
  void remove() noexcept;

 private:
  SocketFile(std::string path, int socket) : path_(std::move(path)), socket_(socket) {}
  Result<void> make(int backlog);

  std::string path_;
  int socket_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  std::atomic<bool> is_there_{false};
};

}  // namespace rsd::server
