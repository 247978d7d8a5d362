#include "server/replica/duplication/log_entries.h"

#include <fmt/format.h>

namespace pegmove::server::replica {
namespace {

using store::LoggedCode;
using wire::RpcCode;

RpcCode rpc_code_of(LoggedCode code) {
  switch (code) {
    case LoggedCode::kPut: return RpcCode::kPut;
    case LoggedCode::kMultiPut: return RpcCode::kMultiPut;
    case LoggedCode::kRemove: return RpcCode::kRemove;
    case LoggedCode::kMultiRemove: return RpcCode::kMultiRemove;
  }
  return RpcCode::kUnknown;
}

}  // namespace

Result<std::vector<shipping::ShippedEntry>> entries_of(const store::LogPiece& piece,
                                                       uint8_t cluster_id) {
  std::vector<shipping::ShippedEntry> entries;
  for (const auto& mutation : piece.mutations) {
    wire::DuplicatePosition position{.decree = mutation.decree};
    for (const auto& write : mutation.writes) {
      const auto code = rpc_code_of(write.code);
      const auto hash = shipping::key_hash_of(code, write.body);
      if (!hash)
        return fail(Code::kCorrupt,
                    fmt::format("decree {} of the duplication log has a request that is not valid",
                                mutation.decree));
      entries.push_back({.view = {.timestamp_us = mutation.timestamp_us,
                                  .task_code = wire::rpc_name(code),
                                  .raw_message = write.body,
                                  .cluster_id = int8_t(cluster_id),
                                  .position = position},
                         .hash = *hash});
      ++position.write_index;
    }
  }
  return entries;
}

}  // namespace pegmove::server::replica
