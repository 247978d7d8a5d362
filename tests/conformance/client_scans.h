// scan_all, and get_scanner where it is the whole scan, through the client library's scanner.
#pragma once

#include "arguments.h"
#include "session.h"

namespace pegmove::conformance {

// As carry_out_with_client(). For scans of one hash key, and of a partition from end to end.
Result<std::optional<Answer>> scan_with_client(const Session& session, const Step& step,
                                               Arguments& arguments);

}  // namespace pegmove::conformance
