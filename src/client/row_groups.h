// Requests that write rows, many of them in flight to one partition: the common part of
// bulk_write.h and duplicate_write.h.
#pragma once

#include <functional>
#include <span>

#include "client/bulk_write.h"

namespace pegmove::client {

// The rows of one request: neighbours, at least one.
using RowGroup = std::span<const RawRow>;

// How rows are written. `encode` makes the body of a request (old contents of `body` are
// overwritten) and returns its code and the hash it is sent to; `check` receives answers without an
// RPC-level error.
struct WriteForm {
  struct Encoded {
    wire::RpcCode code;
    uint64_t hash;
  };
  std::function<Encoded(RowGroup rows, std::string& body)> encode;
  std::function<Result<void>(const net::IncomingReply& reply)> check;
};

// Sends all groups at the same time. Failed groups are sent again, many of them in parallel, until
// the deadline; of rows with the same key the last one always counts. Returns when every group is
// written, or with the first error that a retry cannot fix; some may be written then. The rows must
// stay valid until then. A stop of the caller's task group does not end it.
Task<> write_groups(Table& table, int32_t partition_index, std::vector<RowGroup> groups,
                    WriteForm form, Deadline deadline);

// A server's answer to a request that is too large does not say so: this adds the row and the limit
// to the error. Other errors are not changed.
Error explain_size(Table& table, const RawRow& row, size_t request_bytes, Error error);

}  // namespace pegmove::client
