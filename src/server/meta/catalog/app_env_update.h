// What a request to change app envs does to the envs of its table.
// Pegasus: server_state::{set,del,clear}_app_envs in src/meta/server_state.cpp.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "meta_types.h"

namespace pegmove::server::meta {

// All keys and values of a table, in bytes. A real cluster keeps them in one node of ZooKeeper,
// which accepts 1 MiB.
inline constexpr size_t kMaxEnvsSize = size_t{1024} * 1024;

struct EnvUpdate {
  wire::configuration_update_app_env_response response;
  // The new envs of the table; nothing when they do not change.
  std::optional<std::map<std::string, std::string>> envs;
};

// `envs`: those of the table now, null when there is no such table.
EnvUpdate plan_env_update(const wire::configuration_update_app_env_request& request,
                          const std::map<std::string, std::string>* envs);

// Whether a table can have these envs: UTF-8, and not more than kMaxEnvsSize bytes. Errors:
// kInvalidArgument.
Result<void> check_envs_fit(const std::map<std::string, std::string>& envs);

}  // namespace pegmove::server::meta
