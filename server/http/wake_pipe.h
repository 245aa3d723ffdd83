// Wakes a thread that waits for sockets.
#pragma once

namespace rsd::server {

// wake() is for all threads, the rest for the one that waits.
class WakePipe {
 public:
  WakePipe();
  ~WakePipe();
  WakePipe(const WakePipe&) = delete;
  WakePipe& operator=(const WakePipe&) = delete;

  void wake() const noexcept;
  // Readable once it was woken. -1: the system gave none, and nobody is woken.
  int reader() const noexcept { return reader_; }
  // Forgets that it was woken.
  void clear() const noexcept;

 private:
  int reader_ = -1;
  int writer_ = -1;
};

}  // namespace rsd::server
