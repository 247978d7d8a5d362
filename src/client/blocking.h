// The client library for code without coroutines: each call waits for its answer.
//
//   auto client = client::BlockingClient::connect("10.0.0.1:34601,10.0.0.2:34601");
//   if (!client) die(client.error().to_string());
//   auto table = (*client)->open_table("my_table");
//   (*table)->set("hash", "sort", "value");
//
// Safe from any thread; calls of several threads share the connections. A call runs on the client's
// own thread; its errors are those of client/table.h.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "client/administration.h"
#include "client/operations.h"

namespace pegmove::client {

struct BlockingRow {
  std::string hash_key;
  std::string sort_key;
  std::string value;
  uint32_t expire_ts = 0;  // if the scan requests it; seconds since 2016-01-01 UTC, 0: never
};

// A range of the sort keys of one hash key.
struct SortKeyRange {
  std::string start{};
  std::string stop{};  // empty: to the end
  bool start_inclusive = true;
  bool stop_inclusive = false;
};

// Called for each row until it returns false; on the client's thread, where it must not call the
// client.
using RowVisitor = std::function<bool(const BlockingRow&)>;

class BlockingTable {
 public:
  virtual ~BlockingTable() = default;
  virtual int partition_count() const = 0;
  // The expire_ts of a row that expires this many seconds from now.
  virtual uint32_t expire_after(int64_t seconds) = 0;

  // ttl_seconds 0: never expires.
  virtual Result<void> set(std::string hash_key, std::string sort_key, std::string value,
                           int64_t ttl_seconds = 0) = 0;
  // nullopt: no such row.
  virtual Result<std::optional<std::string>> get(std::string hash_key, std::string sort_key) = 0;
  virtual Result<void> del(std::string hash_key, std::string sort_key) = 0;
  virtual Result<bool> exist(std::string hash_key, std::string sort_key) = 0;
  // nullopt: no such row; -1: never expires.
  virtual Result<std::optional<int32_t>> ttl(std::string hash_key, std::string sort_key) = 0;
  // All rows of the hash key, in order of their sort keys; fails when there are more than 3000.
  virtual Result<std::vector<BlockingRow>> multi_get(std::string hash_key) = 0;
  // A range, some sort keys, or the rows that pass a filter, up to limits.
  virtual Result<MultiGetResult> multi_get(std::string hash_key, MultiGetOptions options) = 0;
  // max_rows 0: up to the server's limit.
  virtual Result<SortKeysResult> multi_get_sort_keys(std::string hash_key,
                                                     int32_t max_rows = 0) = 0;
  // Rows of any hash keys; missing ones are left out.
  virtual Result<std::vector<FoundRow>> batch_get(std::vector<RowKey> keys) = 0;
  virtual Result<void> multi_set(std::string hash_key,
                                 std::vector<std::pair<std::string, std::string>> sort_values,
                                 int64_t ttl_seconds = 0) = 0;
  virtual Result<int64_t> multi_del(std::string hash_key, std::vector<std::string> sort_keys) = 0;
  virtual Result<int64_t> sort_key_count(std::string hash_key) = 0;

  // These three may not be done twice; table.h says when they fail without a known outcome.
  // ttl_seconds 0: the expiry is not changed; -1: the row never expires.
  virtual Result<int64_t> incr(std::string hash_key, std::string sort_key, int64_t increment = 1,
                               int32_t ttl_seconds = 0) = 0;
  // ttl_seconds 0: never expires.
  virtual Result<CheckResult> check_and_set(std::string hash_key, Check check, SortValue row,
                                            int64_t ttl_seconds = 0) = 0;
  virtual Result<CheckResult> check_and_mutate(std::string hash_key, Check check,
                                               std::vector<Mutation> mutations) = 0;

  // The whole table, in no order across hash keys.
  virtual Result<void> scan(RowVisitor row) = 0;
  virtual Result<void> scan(ScanOptions options, RowVisitor row) = 0;
  // In order of the sort keys.
  virtual Result<void> scan_hash_key(std::string hash_key, SortKeyRange range, ScanOptions options,
                                     RowVisitor row) = 0;
  // How many rows pass the filters; their keys are read. Foreign rows (client/foreign_rows.h) do
  // not count.
  virtual Result<int64_t> count_rows(ScanOptions filters) = 0;
};

class BlockingClient {
 public:
  // metas: "host:port,host:port". Each call may take `timeout` (a scan: each of its requests).
  static Result<std::unique_ptr<BlockingClient>> connect(
      std::string_view metas, std::chrono::milliseconds timeout = std::chrono::seconds(5));
  virtual ~BlockingClient() = default;

  // The cluster's own name.
  virtual const std::string& cluster_name() const = 0;
  // Errors: kNotFound. The table must be destroyed before the client.
  virtual Result<std::unique_ptr<BlockingTable>> open_table(std::string name) = 0;

  // Administration: the contracts are those of client/cluster.h and client/node.h.
  virtual Result<void> drop_table(std::string name, int64_t reserve_seconds = 0) = 0;
  // Returns the table's name.
  virtual Result<std::string> recall_table(int32_t app_id, std::string new_name = "") = 0;
  virtual Result<void> rename_table(std::string old_name, std::string new_name) = 0;
  virtual Result<int32_t> replica_count(std::string table) = 0;
  virtual Result<Change<int32_t>> set_replica_count(std::string table, int32_t count) = 0;
  virtual Result<bool> atomic_idempotent(std::string table) = 0;
  virtual Result<Change<bool>> set_atomic_idempotent(std::string table, bool value) = 0;
  virtual Result<MetaLevel> meta_level() = 0;
  virtual Result<MetaLevel> set_meta_level(MetaLevel level) = 0;
  virtual Result<void> start_compaction(std::string table, CompactionOptions options = {}) = 0;
  virtual Result<std::optional<int32_t>> compaction_progress(std::string table) = 0;
  // node: "host:port".
  virtual Result<std::string> remote_command(std::string_view node, std::string command,
                                             std::vector<std::string> arguments = {}) = 0;
  virtual Result<NodeDisks> query_disk_info(std::string_view node, std::string table = "") = 0;
};

}  // namespace pegmove::client
