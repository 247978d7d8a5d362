// Fields of JSON that a run left in the journal. Errors: kCorrupt, naming the field.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "async/clock.h"
#include "base/result.h"

namespace pegmove::migration {

Result<int64_t> read_integer(const nlohmann::json& in, const char* name, int64_t least,
                             int64_t most);
Result<async::milliseconds> read_ms(const nlohmann::json& in, const char* name);
Result<std::string> read_text(const nlohmann::json& in, const char* name);
Result<std::vector<std::string>> read_texts(const nlohmann::json& in, const char* name);
Result<bool> read_flag(const nlohmann::json& in, const char* name);

}  // namespace pegmove::migration
