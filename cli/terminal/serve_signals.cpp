#include "terminal/serve_signals.h"

#include <ctime>

namespace rsd::cli {

ServeSignals::ServeSignals() {
  sigemptyset(&signals_);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP})
    sigaddset(&signals_, signal);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);  // threads made from here on inherit it
}

ServeSignal ServeSignals::wait_for(std::chrono::milliseconds time) const {
  constexpr long kNanoseconds = 1'000'000;
  const timespec limit{.tv_sec = static_cast<std::time_t>(time.count() / 1000),
                       .tv_nsec = static_cast<long>(time.count() % 1000) * kNanoseconds};
  siginfo_t about{};
  const int signal = sigtimedwait(&signals_, &about, &limit);
  if (signal <= 0) return ServeSignal::kNone;
  const bool is_from_terminal = about.si_code == SI_KERNEL;
  return signal == SIGHUP && !is_from_terminal ? ServeSignal::kReread : ServeSignal::kStop;
}

}  // namespace rsd::cli
