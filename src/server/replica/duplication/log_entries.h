// The entries of DUPLICATE requests, made of a piece of a log.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "store/duplication_log.h"
#include "wire/duplicate_messages.h"

namespace pegmove::server::replica {

struct LogEntry {
  wire::DuplicateEntryView view;  // into the piece
  uint64_t hash = 0;              // of its key: decides the partition
};

// In the order of the log, with the requests' own bytes and their positions. Errors: kCorrupt,
// naming the decree, for a request that does not decode.
Result<std::vector<LogEntry>> entries_of(const store::LogPiece& piece, uint8_t cluster_id);

// The entries of each partition of a table with `partition_count` of them, in their order.
// Precondition: the count is positive.
std::map<int32_t, std::vector<LogEntry>> by_target(std::span<const LogEntry> entries,
                                                   int32_t partition_count);

// How many of the first entries fit into a request body of `most_bytes`: at least 1. Precondition:
// not empty.
size_t entries_that_fit(std::span<const LogEntry> entries, size_t most_bytes);

// The size of the body of a DUPLICATE request, at most, and the body.
size_t duplicate_body_bytes(std::span<const LogEntry> entries);
std::string duplicate_body(std::span<const LogEntry> entries, const wire::DuplicateSource& source);

}  // namespace pegmove::server::replica
