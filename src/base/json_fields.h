// Fields of JSON that may be anything: what is missing, or of another kind, reads as nothing.
// For objects of nlohmann, ordered or not.
#pragma once

#include <cstdint>
#include <string>

namespace pegmove::base {

template <typename Json>
std::string text_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->template get<std::string>() : "";
}

// -1: there is none.
template <typename Json>
int64_t number_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() ? found->template get<int64_t>() : -1;
}

}  // namespace pegmove::base
