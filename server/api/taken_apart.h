// JSON that is destroyed where there may be no memory.
#pragma once

#include "server/api/json_body.h"

namespace rsd::server {

// Empties a value without allocating, which its destructor would do: at the end of a call there may
// be no memory left, because of other calls.
class TakenApart {
 public:
  explicit TakenApart(Json& json) : json_(&json) {}
  explicit TakenApart(OutJson& json) : out_(&json) {}
  ~TakenApart();
  TakenApart(const TakenApart&) = delete;
  TakenApart& operator=(const TakenApart&) = delete;

 private:
  Json* json_ = nullptr;
  OutJson* out_ = nullptr;
};

}  // namespace rsd::server
