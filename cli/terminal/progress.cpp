#include "terminal/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string_view>
#include <utility>

#include "terminal/log.h"

namespace rsd::cli {
namespace {

using namespace std::chrono_literals;

std::string duration(double seconds) {
  const long whole = std::lround(seconds);
  char text[32];
  if (whole >= 3600) {
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
  }
  return text;
}

std::size_t terminal_width() {
  winsize size = {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

// In bytes, between characters: a name may hold some that take several.
std::string cut(std::string text, std::size_t width) {
  if (text.size() < width) return text;
  std::size_t end = width - 1;  // the last column stays free, or the cursor wraps
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
    --end;
  text.resize(end);
  return text;
}

}  // namespace

ProgressBar::ProgressBar(std::string unit, std::optional<std::size_t> total)
    : unit_(std::move(unit)),
      total_(total),
      on_terminal_(::isatty(STDERR_FILENO) != 0),
      start_(std::chrono::steady_clock::now()),
      last_drawn_(start_ - 1h) {}

std::string ProgressBar::line(std::size_t done, double rate) const {
  const bool known = total_ && *total_ > 0;
  char speed[32];
  std::snprintf(speed, sizeof speed, "  %.2f/s", rate);
  const std::string note = note_.empty() ? "" : "  " + note_;
  if (!known) return std::to_string(done) + " " + unit_ + speed + note;
  constexpr std::size_t kWidth = 30;
  const std::size_t filled = std::min(kWidth, kWidth * done / *total_);
  std::string text = "[" + std::string(filled, '=') + std::string(kWidth - filled, ' ') + "] " +
                     std::to_string(done) + "/" + std::to_string(*total_) + " " + unit_ + speed;
  if (rate > 0 && done < *total_) {
    text += "  " + duration(static_cast<double>(*total_ - done) / rate) + " left";
  }
  return text + note;
}

void ProgressBar::show(std::size_t done) {
  if (!on_terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (!first_) first_ = done;
  const bool last = total_ && done >= *total_;
  if (now - last_drawn_ < 100ms && !last) return;
  last_drawn_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(done - *first_) / seconds : 0;
  std::fprintf(stderr, "\r\033[K%s", cut(line(done, rate), terminal_width()).c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressBar::clear() {
  if (!drawn_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
  last_drawn_ = start_ - 1h;
}

void ProgressBars::show(const std::string& unit, std::size_t done, std::optional<std::size_t> total,
                        std::string note) {
  if (!bar_ || unit_ != unit) bar_.emplace(unit, total);
  unit_ = unit;
  bar_->note(std::move(note));
  bar_->show(done);
}

void ProgressBars::clear() {
  if (bar_) bar_->clear();
}

LogSink ProgressBars::log_sink() {
  return [this, log = cli::log_sink()](LogLevel level, std::string_view line) {
    clear();
    log(level, line);
  };
}

JobSeams ProgressBars::seams() {
  return {.log = log_sink(),
          .on_progress = [this](const std::string& part, std::size_t done,
                                std::optional<std::size_t> total) { show(part, done, total); },
          // Lines and the bar share a terminal: the bar comes back below them.
          .before_output =
              [this, is_terminal = ::isatty(STDOUT_FILENO) != 0] {
                if (is_terminal) clear();
              }};
}

OnProgress ProgressBars::on_progress(std::string unit) {
  return [this, unit = std::move(unit)](std::size_t done, std::size_t total) {
    show(unit, done, total);
  };
}

}  // namespace rsd::cli
