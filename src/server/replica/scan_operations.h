// Scans: GET_SCANNER and SCAN, with the semantics and limits of real servers (Pegasus:
// src/server/pegasus_server_impl.cpp).
#pragma once

#include "server/replica/replica.h"

namespace pegmove::server::replica {

inline constexpr int32_t kScanMostRows = 1000;  // rocksdb_max_iteration_count

// The body of the reply; it has a context id when there is more. Errors: kProtocol when the
// request's body does not decode; kCorrupt and kIo from the database.
Result<std::string> open_scan(const ReadContext& context, const Clock& clock, ScanContexts& scans,
                              std::string_view body);
Result<std::string> continue_scan(const ReadContext& context, const Clock& clock,
                                  ScanContexts& scans, std::string_view body);

}  // namespace pegmove::server::replica
