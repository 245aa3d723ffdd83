#include "server/http/lobby.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "server/http/client_address.h"
#include "server/http/look_interval.h"

namespace rsd::server {
namespace {

constexpr std::size_t kHeadBlock = std::size_t{16} * 1024;

bool is_idle(const Visitor& visitor) {
  return visitor.bytes.empty();
}

// Looks only at what is new for the head's end. Empty lines in front of a head are no part of it.
void add(Visitor& visitor, std::string_view bytes) {
  constexpr std::string_view kEnd = "\n\r\n";
  if (is_idle(visitor))
    bytes.remove_prefix(std::min(bytes.find_first_not_of("\r\n"), bytes.size()));
  const std::size_t n_before = visitor.bytes.size();
  visitor.bytes += bytes;
  const std::size_t from = n_before - std::min(n_before, kEnd.size() - 1);
  visitor.head_is_whole =
      visitor.head_is_whole || visitor.bytes.find(kEnd, from) != std::string::npos;
}

}  // namespace

Lobby::Lobby(const LobbyLimits& limits, LingeringClose& closing, Doors doors)
    : limits_(limits), closing_(closing), doors_(std::move(doors)) {
  thread_ = std::thread([this] { work(); });
}

Lobby::~Lobby() {
  end();
}

void Lobby::end() {
  {
    const MutexLock lock(mutex_);
    ended_ = true;
  }
  wake_.wake();
  if (thread_.joinable()) thread_.join();
}

void Lobby::enter(VisitorPtr visitor) noexcept {
  try {
    if (visitor->client.empty()) visitor->client = peer_of(visitor->socket.descriptor()).ip;
    visitor->since = Clock::now();
    add(*visitor, std::exchange(visitor->bytes, {}));
    const MutexLock lock(mutex_);
    if (ended_) return leave(*visitor);
    new_.push_back(std::move(visitor));
  } catch (const std::exception&) {  // no memory: the connection is closed
    return;
  }
  wake_.wake();
}

void Lobby::leave(Visitor& visitor) noexcept {
  closing_.take(visitor.socket.release());
}

void Lobby::work() {
  while (take_in()) {
    try {
      make_room();
      poll_once();
    } catch (const std::exception&) {  // no memory: there may be some later
      std::this_thread::sleep_for(kLookInterval);
    }
  }
  while (!visitors_.empty()) {
    VisitorPtr visitor = std::move(visitors_.front());
    visitors_.pop_front();
    const State state = is_idle(*visitor) ? State::kLeaving : State::kBroken;
    show_out(std::move(visitor), state);
  }
}

// False: the lobby has ended.
bool Lobby::take_in() {
  const MutexLock lock(mutex_);
  visitors_.splice(visitors_.end(), new_);
  return !ended_;
}

void Lobby::make_room() {
  while (visitors_.size() > limits_.visitors) {
    std::map<std::string, std::size_t> n_of;
    for (const VisitorPtr& visitor : visitors_)
      ++n_of[limit_name(visitor->client)];
    const auto most =
        std::ranges::max_element(n_of, {}, [](const auto& one) { return one.second; });
    const auto oldest = std::ranges::find_if(visitors_, [&](const VisitorPtr& visitor) {
      return limit_name(visitor->client) == most->first;
    });
    leave(**oldest);
    visitors_.erase(oldest);
  }
}

void Lobby::poll_once() {
  std::vector<pollfd> waiting{{.fd = wake_.reader(), .events = POLLIN, .revents = 0}};
  for (const VisitorPtr& visitor : visitors_)
    waiting.push_back({.fd = visitor->socket.descriptor(),
                       .events = visitor->socket.events_to_receive(),
                       .revents = 0});
  ::poll(waiting.data(), waiting.size(), static_cast<int>(time_to_wait().count()));
  wake_.clear();
  const auto now = Clock::now();
  std::size_t i = 1;
  for (auto one = visitors_.begin(); one != visitors_.end(); ++i) {
    const bool has_news = waiting[i].revents != 0 || (*one)->socket.has_unread();
    const bool is_open = !has_news || receive(**one);
    State state = state_of(**one, now);
    if (!is_open && state == State::kWaiting)
      state = is_idle(**one) ? State::kLeaving : State::kBroken;
    if (state == State::kWaiting) {
      ++one;
      continue;
    }
    VisitorPtr visitor = std::move(*one);
    one = visitors_.erase(one);
    show_out(std::move(visitor), state);
  }
}

// False: nothing more will come.
bool Lobby::receive(Visitor& visitor) try {
  std::array<char, kHeadBlock> block{};
  const bool was_established = visitor.socket.is_established();
  const ssize_t n = visitor.socket.receive(block.data(), block.size());
  if (!was_established && visitor.socket.is_established()) visitor.since = Clock::now();
  if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
  const bool was_idle = is_idle(visitor);
  add(visitor, {block.data(), static_cast<std::size_t>(n)});
  if (was_idle && !is_idle(visitor)) visitor.since = Clock::now();
  return true;
} catch (const std::exception&) {  // no memory for it
  return false;
}

Lobby::State Lobby::state_of(const Visitor& visitor, Clock::time_point now) const {
  if (visitor.head_is_whole) return State::kWhole;
  if (visitor.bytes.size() >= limits_.head_bytes) return State::kBroken;
  if (now < due(visitor)) return State::kWaiting;
  return is_idle(visitor) ? State::kLeaving : State::kBroken;
}

Clock::time_point Lobby::due(const Visitor& visitor) const {
  if (!is_idle(visitor)) return visitor.since + limits_.head;
  return visitor.since + (visitor.n_requests == 0 ? limits_.silence : limits_.keep_alive);
}

// 0 if a visitor came with a request, or has bytes that poll(2) doesn't report.
std::chrono::milliseconds Lobby::time_to_wait() const {
  constexpr std::chrono::milliseconds kLongest{60'000};
  const auto now = Clock::now();
  auto time = wake_.reader() >= 0 ? kLongest : kLookInterval;
  for (const VisitorPtr& visitor : visitors_) {
    if (state_of(*visitor, now) != State::kWaiting || visitor->socket.has_unread())
      return std::chrono::milliseconds(0);
    time = std::min(time, std::chrono::ceil<std::chrono::milliseconds>(due(*visitor) - now));
  }
  return time;
}

void Lobby::show_out(VisitorPtr visitor, State state) {
  if (state == State::kWhole) return doors_.whole(std::move(visitor));
  if (state == State::kBroken) return doors_.broken(std::move(visitor));
  if (const auto fault = visitor->socket.fault(); !fault.empty() && doors_.no_tls)
    doors_.no_tls(visitor->client, fault);
  leave(*visitor);
}

}  // namespace rsd::server
