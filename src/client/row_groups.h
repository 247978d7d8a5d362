// Requests that write rows, many of them in flight to one partition: what bulk_write.h and
// duplicate_write.h have in common.
#pragma once

#include <functional>
#include <span>

#include "client/bulk_write.h"

namespace pegmove::client {

// The rows of one request: neighbours, and never none.
using RowGroup = std::span<const RawRow>;

// How rows are written. `encode` makes the body of a request (what stands in `body` before is
// overwritten) and says its code and the hash it is sent to; `check` is given answers that have no
// RPC-level error.
struct WriteForm {
  struct Encoded {
    wire::RpcCode code;
    uint64_t hash;
  };
  std::function<Encoded(RowGroup rows, std::string& body)> encode;
  std::function<Result<void>(const net::IncomingReply& reply)> check;
};

// Sends all groups at once. What fails is sent again, group by group as it was and many of them at
// once, until the deadline; of rows with the same key the last one counts in any case. Returns when
// every group is written, or with the first error that a retry cannot mend; some may be written
// then. The rows must live until then. A stop of the caller's task group does not end it.
Task<> write_groups(Table& table, int32_t partition_index, std::vector<RowGroup> groups,
                    WriteForm form, Deadline deadline);

// A server answers requests that are larger than it takes with one bare error: this says which row
// it was and what the limit is. Other errors stay as they are.
Error explain_size(Table& table, const RawRow& row, size_t request_bytes, Error error);

}  // namespace pegmove::client
