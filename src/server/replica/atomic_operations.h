// The writes that read first: INCR, CHECK_AND_SET, CHECK_AND_MUTATE. They run at the head of a
// partition's write path, where no other write is under way, so what they read stays current.
// Pegasus: src/server/pegasus_write_service_impl.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "store/partition_db.h"
#include "wire/rpc_code.h"

namespace pegmove::server::replica {

// What a write did, as a request that does the same wherever it is carried out: the body of a PUT
// or a REMOVE.
struct Outcome {
  store::LoggedCode code = store::LoggedCode::kPut;
  std::string body;
};

// What an atomic operation needs to know of its mutation.
struct AtomicContext {
  const store::PartitionDb& db;
  Gpid gpid;
  std::string_view server;
  int64_t decree = 0;
  uint32_t now = 0;             // seconds since 2016
  uint32_t default_expiry = 0;  // of rows without an expiry; 0 = none
  uint8_t cluster_id = 0;       // this cluster's own; 0 = not in a [duplication-group]
  // For a duplication, which carries what was done: the rows get the timestamp of their mutation
  // then, as they do on the other cluster. Null: it is not asked for.
  std::vector<Outcome>* outcomes = nullptr;
  int64_t timestamp_us = 0;
};

// Carries out the request and returns the body of its reply. Its writes go to the batch; none when
// it is refused (status 4), its check fails (13), or the row cannot be read (2 and 5). Rows that it
// writes have the time 0 in their timetag, as in Pegasus, unless its outcomes are asked for.
std::string apply_atomic(const AtomicContext& context, wire::RpcCode code, std::string_view body,
                         store::WriteBatch& batch);

}  // namespace pegmove::server::replica
