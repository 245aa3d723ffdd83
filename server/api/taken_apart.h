// JSON that is destroyed where there may be no memory.
#pragma once

#include "server/api/json_body.h"

namespace rsd::server {

// Takes a value apart without the memory that its destructor would need: at the end of a call there
// may be none, because of others.
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
