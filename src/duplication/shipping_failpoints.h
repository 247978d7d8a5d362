// The failpoints of shipping, in their order, by name: backup/failpoints.h describes what they are
// for.
#pragma once

#include <string_view>

namespace pegmove::duplication {

inline constexpr std::string_view kShippingFailpoints[] = {
    // Of each piece of a log, of each request, and when a log is trimmed.
    "duplication.piece_read", "duplication.request_sent", "duplication.request_answered",
    "duplication.piece_shipped", "duplication.log_trimmed"};

}  // namespace pegmove::duplication
