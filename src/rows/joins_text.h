// How a sink sent its rows, by PUT or MULTI_PUT, in words and as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "client/join_threshold.h"

namespace pegmove::rows {

// What is used now, for a progress line: "by PUT", "by MULTI_PUT", or both.
std::string joins_now(const client::JoinsUsed& used);

// A line for a report, with the rows and requests of both ways and the last comparison; "" when no
// row was sent.
std::string to_text(const client::JoinsUsed& used);

// {"put_rows", "multi_put_rows", "multi_puts", "multi_put_from_rows" (null: never), "compared":
// {"from_rows", "to_rows", "multi_put_time_to_put"} after a comparison}
nlohmann::ordered_json to_json(const client::JoinsUsed& used);

}  // namespace pegmove::rows
