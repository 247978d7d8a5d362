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

// Whether this env may be set on a running table. Errors: kInvalidArgument; its message() is
// exactly the hint that Pegasus's meta server answers, which clients show to users.
Result<void> check_app_env(std::string_view name, std::string_view value);

// Whether a table may be created with these envs. Pegasus is lax here: it checks
// rocksdb.write_buffer_size and rocksdb.num_levels, and stores everything else unchecked, even
// unknown names. Also checked here: replica.deny_client_request, since a bad value of it crashes
// real replica servers. Errors: kInvalidArgument, naming the env.
Result<void> check_app_envs_at_create(const std::map<std::string, std::string>& envs);

}  // namespace pegmove::server::meta
