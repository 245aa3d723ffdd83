// What the lines of files tell under an id, and which of them are of no use.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "data/lines.h"
#include "rsd/core/result.h"

namespace rsd {

// A bad line costs whoever asks for what it tells, and nobody else.
template <class T>
class ById {
 public:
  // `what` they are and `where` they should be, for errors: "topic", "topics.tsv".
  ById(std::string what, std::string where) : what_(std::move(what)), where_(std::move(where)) {}

  // The same again is no fault; something else under the same id makes it unusable.
  void put(const std::string& id, const T& value, const std::string& place) {
    const auto [found, is_new] = values_.try_emplace(id, value);
    if (is_new || !found->second || *found->second == value) return;
    found->second = Error(ErrorCode::kInvalidInput,
                          place + ": " + what_ + " " + in_quotes(id) + " stands twice");
  }
  // A line that tells something of no use.
  void put_fault(const std::string& id, const Error& error) { values_.try_emplace(id, error); }
  // One that doesn't even tell an id.
  void note(const Error& error) {
    if (n_bad_++ == 0) first_bad_ = error.message();
  }

  std::size_t size() const noexcept { return values_.size(); }
  std::size_t n_bad() const noexcept { return n_bad_; }

  // kInvalidInput: why there is none.
  Result<T> get(const std::string& id) const {
    const auto found = values_.find(id);
    if (found != values_.end()) return found->second;
    std::string message = what_ + " " + in_quotes(id) + " is not in " + where_;
    if (n_bad_ > 0) {
      message +=
          "; of " + std::to_string(n_bad_) +
          (n_bad_ == 1 ? " line that can't be read: " : " lines that can't be read the first: ") +
          first_bad_;
    }
    return Error(ErrorCode::kInvalidInput, message);
  }

 private:
  std::string what_;
  std::string where_;
  std::unordered_map<std::string, Result<T>> values_;
  std::size_t n_bad_ = 0;
  std::string first_bad_;
};

}  // namespace rsd
