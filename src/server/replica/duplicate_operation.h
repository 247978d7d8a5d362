// DUPLICATE: writes that were made on another cluster, with their own timestamps. Pegasus:
// pegasus_write_service::duplicate in src/server/pegasus_write_service.cpp.
#pragma once

#include <bitset>
#include <string>
#include <string_view>

#include "server/replica/duplication/duplication_metrics.h"
#include "store/partition_db.h"

namespace pegmove::server::replica {

// The [duplication-group] that a cluster belongs to.
struct ClusterIds {
  uint8_t own = 0;         // in the timetags of the cluster's own writes; 0 = no group
  std::bitset<128> known;  // the ids of all clusters of the group, including its own
  // Refused requests are answered with an error that sources repeat each second. A real source
  // aborts on the usual one.
  bool refuses_for_now = false;
};

// What DUPLICATE needs to know of its mutation.
struct DuplicateContext {
  const store::PartitionDb& db;
  const ClusterIds& clusters;
  int64_t unix_us = 0;
  uint32_t now = 0;                       // seconds since 2016
  uint32_t default_expiry = 0;            // of rows without an expiry; 0 = none
  DuplicationMetrics* metrics = nullptr;  // counts what was applied
};

// Applies the entries in order and returns the body of the reply. Entries may be PUT, MULTI_PUT,
// REMOVE and MULTI_REMOVE. A row gets the timetag of its entry (timestamp and cluster id). With
// verify_timetag a put does not change an unexpired row whose timetag is the same or greater,
// whether from the database or from an earlier entry; removes are always applied.
//
// One entry that cannot be applied makes the whole request refused: status 4 with a hint, and
// nothing goes to the batch. Besides what Pegasus refuses (a cluster id that is not configured, the
// cluster's own, another code), these are an entry that does not decode, and a timestamp later than
// this server's clock: a real server aborts on it. With refuses_for_now the status is 13.
// Status 2 and 5: a row cannot be read.
//
// Each entry of an embedded cluster names its position in the log of its source
// (wire::DuplicateSource), and the batch notes the last one (store/received_positions.h). What is
// not behind that position and not later than it is skipped, also when the row was changed here
// since; entries of one log must come in its order. So the request may be repeated. Entries of
// other senders have no position and are always applied. Refused, too: positions that are negative,
// do not rise, or are missing beside a source, and entries of several clusters beside one.
std::string apply_duplicate(const DuplicateContext& context, std::string_view body,
                            store::WriteBatch& batch);

}  // namespace pegmove::server::replica
