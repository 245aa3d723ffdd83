// Values by id from the lines of files, with the errors of bad lines.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "data/lines.h"
#include "rsd/core/result.h"

namespace rsd {

// Values by id. A bad line is reported only when its value is requested.
template <class T>
class ById {
 public:
  // `what` names the kind of value and `where` its source in errors: "topic", "topics.tsv".
  ById(std::string what, std::string where) : what_(std::move(what)), where_(std::move(where)) {}

  // Adds a value. Repeating an equal value is accepted; a different value makes the id unusable.
  void put(const std::string& id, const T& value, const std::string& place) {
    const auto [found, is_new] = values_.try_emplace(id, value);
    if (is_new || !found->second || *found->second == value) return;
    found->second = Error(ErrorCode::kInvalidInput,
                          place + ": " + what_ + " " + in_quotes(id) + " stands twice");
  }
  // Adds a line whose id is known but whose value is invalid.
  void put_fault(const std::string& id, const Error& error) { values_.try_emplace(id, error); }
  // Adds a line without a readable id.
  void note(const Error& error) {
    if (n_bad_++ == 0) first_bad_ = error.message();
  }

  std::size_t size() const noexcept { return values_.size(); }
  std::size_t n_bad() const noexcept { return n_bad_; }

  // kInvalidInput with the reason if there is no valid value.
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
