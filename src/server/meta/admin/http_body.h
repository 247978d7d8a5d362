// The JSON body of an HTTP request. For .cc files.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/json_fields.h"
#include "base/json_text.h"

namespace pegmove::server::meta {

// What `read` returns for its fields. Errors: always kInvalidArgument with Pegasus's text.
template <typename T>
Result<T> read_body(const std::string& body, Result<T> (*read)(const base::JsonFields&)) {
  const auto json = base::parse_json<nlohmann::json>(body);
  const auto fields = base::JsonFields::of(json, "the request");
  if (fields)
    if (auto made = read(*fields)) return made;
  return fail(Code::kInvalidArgument, "invalid request structure");
}

}  // namespace pegmove::server::meta
