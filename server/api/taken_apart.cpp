#include "server/api/taken_apart.h"

namespace rsd::server {
namespace {

// Depth first, so that each destructor finds an empty value. JSON nests no deeper than it was
// allowed to when it was read, or than an answer does.
template <class AnyJson>
void take_apart(AnyJson& json) noexcept {
  if (auto* const array = json.template get_ptr<typename AnyJson::array_t*>()) {
    for (AnyJson& value : *array)
      take_apart(value);
    array->clear();
  }
  if (auto* const object = json.template get_ptr<typename AnyJson::object_t*>()) {
    for (auto& [key, value] : *object)
      take_apart(value);
    object->clear();
  }
}

}  // namespace

TakenApart::~TakenApart() {
  if (json_ != nullptr) take_apart(*json_);
  if (out_ != nullptr) take_apart(*out_);
}

}  // namespace rsd::server
