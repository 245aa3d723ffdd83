// One client's connection, as httplib's server reads and writes it.
#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rsd/decode/position_scorer.h"
#include "server/http/chunked_body.h"
#include "server/http/lingering_close.h"
#include "server/http/lobby.h"
#include "server/http/quota.h"

namespace rsd::server {

struct ConnectionLimits {
  std::chrono::milliseconds request{20'000};   // for a whole request to arrive
  std::chrono::milliseconds response{20'000};  // for a whole response to be taken
  std::size_t max_body_bytes = 4u << 20;
  // The rate that a client has to reach, on average, while others wait for its place.
  std::chrono::milliseconds slow_start{1'000};  // before it is required
  double bytes_per_s = 16 * 1024;
};

// Is there a place for the connection's request?
enum class Room { kThere, kNone, kClientHasEnough };

// The end of a server, as its connections see it.
struct Ending {
  std::atomic<bool> has_begun{false};  // no more of a request is waited for
  // By then clients have to have taken their responses.
  std::atomic<Clock::time_point> limit{Clock::time_point::max()};
};

// Unlike httplib's own stream it limits the time for a whole request, however slowly it comes, and
// its bytes; it gives heads and chunks in the form that httplib reads (plain_head, ChunkedBody); it
// writes a response at once, and knows whether the client is still there. Owns the visitor, whose
// socket `closing` takes after it. For one thread.
class Connection final : public httplib::Stream {
 public:
  // What it needs of the server, which outlives it.
  struct Surroundings {
    const Ending& ending;
    LingeringClose& closing;
    std::function<bool()> others_wait;  // for its place
  };

  // Its limits count from when the visitor's request began.
  Connection(VisitorPtr visitor, const ConnectionLimits& limits, Room room,
             const Surroundings& around);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The one that this thread serves; null where it serves none.
  static Connection* current() noexcept;

  // After a response: gives the visitor back, with what has come of the next request.
  VisitorPtr leave();
  // Sends what was written. False: it can't be sent, or the client doesn't take it in time.
  bool flush();

  Room room() const noexcept { return room_; }
  // Kept until the response is sent.
  void keep(Quota::Share share) { kept_.push_back(std::move(share)); }
  bool keeps_any() const noexcept { return !kept_.empty(); }
  // In place of any other response, where nothing was sent and there is no memory for one.
  void refuse_for_memory() noexcept;
  // Has the client closed the connection, or its writing half?
  bool hung_up() const;
  // The request's line and headers as they came, once all of them have been read.
  std::string_view head() const noexcept { return head_; }
  // The head was too long, or the whole request, or it was too slow.
  bool is_over_head() const noexcept { return over_head_; }
  bool is_over_length() const noexcept { return over_length_; }
  bool is_over_time() const noexcept { return over_time_; }
  // The server's end began before it was whole.
  bool is_over_end() const noexcept { return over_end_; }
  // For a request of which more may come: no other can follow on this connection.
  void close_after_response() noexcept { closes_ = true; }
  bool closes() const noexcept { return closes_; }

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* ptr, size_t size) override;
  ssize_t write(const char* ptr, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return descriptor_; }

 private:
  void give_back() noexcept;
  bool wait_for(short events, Clock::time_point until) const;
  bool is_too_slow(std::size_t n_bytes, Clock::time_point since) const;
  bool wait_for_more() const;
  bool wait_for_room(std::size_t n_sent, Clock::time_point since) const;
  ssize_t receive();
  bool has_room();
  ssize_t fill();
  std::string_view arrived() const noexcept;
  void read_head();
  void take_head();
  ssize_t read_chunks();
  ssize_t read_body(char* ptr, std::size_t size);

  VisitorPtr visitor_;    // null once it has left
  Socket* const socket_;  // the visitor's
  const int descriptor_;
  const ConnectionLimits limits_;
  const Room room_;
  const Surroundings around_;
  const Clock::time_point begin_;
  std::vector<Quota::Share> kept_;
  std::vector<char> in_;
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
  std::size_t n_taken_ = 0;  // bytes of the request
  std::string out_;
  std::string head_;
  bool head_is_read_ = false;  // as far as it came
  bool head_is_whole_ = false;
  std::string plain_;  // for httplib to read, from plain_begin_ on
  std::size_t plain_begin_ = 0;
  std::optional<ChunkedBody> chunks_;
  bool over_end_ = false;
  bool over_head_ = false;
  bool over_length_ = false;
  bool over_time_ = false;
  bool closes_ = false;
  bool has_sent_ = false;
};

}  // namespace rsd::server
