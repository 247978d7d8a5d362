// Which app envs a table may have and which values they take: the settings of a table that its
// users change while it runs.
// Pegasus: src/meta/app_env_validator.cpp, src/utils/throttling_controller.cpp,
// src/utils/token_bucket_throttling_controller.cpp, src/utils/string_conv.h.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::server::meta {

// Whether a running table may be given this env.
// Errors: kInvalidArgument; its message() is, to the letter, the hint that Pegasus's meta server
// answers, and clients show it to people.
Result<void> check_app_env(std::string_view name, std::string_view value);

// Whether a table may be created with these envs. Pegasus is lax here: it checks
// rocksdb.write_buffer_size and rocksdb.num_levels, and stores whatever else it is given, unknown
// names too. Checked here beyond that: replica.deny_client_request, since a bad value of it ends
// the real replica servers.
// Errors: kInvalidArgument, naming the env.
Result<void> check_app_envs_at_create(const std::map<std::string, std::string>& envs);

}  // namespace pegmove::server::meta
