// Before a copy: what is to be copied, and what can be wrong before the first row.
#pragma once

#include <optional>

#include "client/duplicate_write.h"
#include "client/table.h"
#include "migration/copy_rules.h"
#include "rows/pump.h"

namespace pegmove::migration {

struct CopyOptions {
  std::string table{};
  std::string to_table{};               // empty: the same name
  bool create = false;                  // make the target table; it must not exist then
  std::optional<int32_t> partitions{};  // of a table to be made; the source's count by default
  async::milliseconds timeout{30'000};  // of one request, retries included, while preparing
  // How long a server may be away, or refuse, before the copy fails; rows are tried again that
  // long.
  async::milliseconds retry_for{600'000};
  rows::PumpOptions pump{};
  CopyRules rules{};  // which rows, and how they are written
  // Write to the target through DUPLICATE: see its contract.
  std::optional<client::DuplicateWrite> duplicate{};
};

// A copy that has passed its checks: both tables are open, and the target has been made if asked.
struct PreparedCopy {
  CopyOptions options;
  std::shared_ptr<client::Table> source;
  std::shared_ptr<client::Table> target;
};

// Checks everything that can be wrong before the first row is written, then makes the target table
// if asked. Errors: kNotFound (no such table), kInvalidArgument (the target is the source itself),
// kAlreadyExists (create, and it exists), and all of client/cluster.h.
Task<PreparedCopy> prepare_copy(std::shared_ptr<client::Cluster> source,
                                std::shared_ptr<client::Cluster> target, CopyOptions options);

// True when both handles mean one and the same table, under whatever names their clusters were
// given.
bool is_same_table(client::Table& a, client::Table& b);

}  // namespace pegmove::migration
