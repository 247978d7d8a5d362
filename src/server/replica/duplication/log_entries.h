// The entries of DUPLICATE requests, made of a piece of a log.
#pragma once

#include <vector>

#include "shipping/entries.h"
#include "store/duplication_log.h"

namespace pegmove::server::replica {

// In the order of the log, with the requests' own bytes and their positions; views into the piece.
// Errors: kCorrupt, naming the decree, for a request that does not decode.
Result<std::vector<shipping::ShippedEntry>> entries_of(const store::LogPiece& piece,
                                                       uint8_t cluster_id);

}  // namespace pegmove::server::replica
