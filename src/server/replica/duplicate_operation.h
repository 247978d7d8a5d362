// DUPLICATE: writes that were made on another cluster, with their own timestamps. Pegasus:
// pegasus_write_service::duplicate in src/server/pegasus_write_service.cpp.
#pragma once

#include <bitset>
#include <string>
#include <string_view>

#include "store/partition_db.h"

namespace pegmove::server::replica {

// The [duplication-group] that a cluster belongs to.
struct ClusterIds {
  uint8_t own = 0;         // goes into the timetags of the cluster's own writes; 0 = no group
  std::bitset<128> known;  // the ids of all clusters of the group, the own one among them
};

// What DUPLICATE needs to know of its mutation.
struct DuplicateContext {
  const store::PartitionDb& db;
  const ClusterIds& clusters;
  int64_t unix_us = 0;
  uint32_t now = 0;             // seconds since 2016
  uint32_t default_expiry = 0;  // of rows that are given none; 0 = none
};

// Carries the entries out in their order and returns the body of the reply. Entries may be PUT,
// MULTI_PUT, REMOVE and MULTI_REMOVE. A row gets the timetag that its entry gives it (timestamp and
// cluster id). With verify_timetag a put leaves a row alone that has not expired and whose timetag
// is the same or greater, be it in the database or of an entry before; removes always act.
//
// One entry that cannot be carried out refuses all of them: status 4 with a hint, and nothing goes
// to the batch. Beside what Pegasus refuses (a cluster id that is not configured, the cluster's
// own, another code), these are an entry that does not decode, and a timestamp later than this
// server's clock: a real server aborts on it. Status 2 and 5: a row cannot be read.
std::string apply_duplicate(const DuplicateContext& context, std::string_view body,
                            store::WriteBatch& batch);

}  // namespace pegmove::server::replica
