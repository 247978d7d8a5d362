// A table: reading and writing rows.
//
// A row is found by a hash key, which decides its partition, and a sort key. Expiry is absolute:
// `expire_ts` counts seconds since 2016-01-01 UTC and 0 means never (record/expiry.h);
// expire_after() makes one from a time to live.
//
// Every call takes a deadline, retries what a retry can mend until then (partition_router.h), and
// fails with: kInvalidArgument (key or row too large, or refused by the server), kNotFound (the
// table is gone), kTimeout (with the last reason), kRefused and others as the server says.
#pragma once

#include "client/partition_router.h"
#include "client/scanner.h"

namespace pegmove::client {

// Where and how a request was carried out, for tools that show it.
struct OperationInfo {
  int32_t app_id = 0;
  int32_t partition_index = 0;
  int64_t decree = -1;  // -1 for reads
  std::string server;   // "host:port" of the replica
};

struct GetResult {
  std::optional<std::string> value;  // nullopt: no such row, or expired
  OperationInfo info;
};

struct TtlResult {
  std::optional<int32_t> seconds;  // nullopt: no such row; -1: it never expires
  OperationInfo info;
};

struct SortValue {
  std::string sort_key;
  std::string value;
};

struct RowKey {
  std::string hash_key;
  std::string sort_key;
};

struct FoundRow {
  std::string hash_key;
  std::string sort_key;
  std::string value;
};

enum class Filter { kNone = 0, kAnywhere = 1, kPrefix = 2, kPostfix = 3 };

struct MultiGetOptions {
  std::vector<std::string> sort_keys{};  // empty: by range, all of the hash key by default
  std::string start_sort_key{};
  std::string stop_sort_key{};  // empty: to the end
  bool start_inclusive = true;
  bool stop_inclusive = false;
  Filter sort_key_filter = Filter::kNone;
  std::string sort_key_pattern{};
  int32_t max_rows = 0;   // 0: the server's limit (3000)
  int32_t max_bytes = 0;  // 0: the server's limit
  bool no_value = false;
  bool reverse = false;
};

struct MultiGetResult {
  std::vector<SortValue> rows;  // in order of their sort keys
  bool complete = false;        // false: a limit was reached and there may be more
  OperationInfo info;
};

struct CountResult {
  int64_t count = 0;  // -1 from sort_key_count(): the server gave up counting
  OperationInfo info;
};

// All on the client's executor.
class Table {
 public:
  static Task<std::shared_ptr<Table>> open(std::shared_ptr<Cluster> cluster, std::string name,
                                           Deadline deadline);

  const std::string& name() const { return router_->table(); }
  int32_t app_id() const { return router_->app_id(); }
  int32_t partition_count() const { return router_->partition_count(); }
  Cluster& cluster() { return router_->cluster(); }
  PartitionRouter& router() { return *router_; }

  // expire_ts of a row that is to live for so many seconds from now.
  uint32_t expire_after(int64_t seconds);

  Task<OperationInfo> set(std::string hash_key, std::string sort_key, std::string value,
                          uint32_t expire_ts, Deadline deadline);
  Task<GetResult> get(std::string hash_key, std::string sort_key, Deadline deadline);
  Task<OperationInfo> del(std::string hash_key, std::string sort_key, Deadline deadline);
  Task<TtlResult> ttl(std::string hash_key, std::string sort_key, Deadline deadline);
  Task<bool> exist(std::string hash_key, std::string sort_key, Deadline deadline);

  // All rows of one hash key in one atomic write. Precondition: not empty.
  Task<OperationInfo> multi_set(std::string hash_key, std::vector<SortValue> rows,
                                uint32_t expire_ts, Deadline deadline);
  Task<MultiGetResult> multi_get(std::string hash_key, MultiGetOptions options, Deadline deadline);
  // Precondition: not empty. The count is that of the sort keys given.
  Task<CountResult> multi_del(std::string hash_key, std::vector<std::string> sort_keys,
                              Deadline deadline);
  Task<CountResult> sort_key_count(std::string hash_key, Deadline deadline);
  // Rows of any hash keys; one request a partition that is concerned. Missing rows are left out.
  Task<std::vector<FoundRow>> batch_get(std::vector<RowKey> keys, Deadline deadline);

  // A scan within one hash key, by range and filter, in order of the sort keys. An empty stop sort
  // key means to the end.
  Result<std::unique_ptr<Scanner>> scan_hash_key(std::string_view hash_key,
                                                 std::string_view start_sort_key,
                                                 std::string_view stop_sort_key,
                                                 bool start_inclusive, bool stop_inclusive,
                                                 ScanOptions options);
  // A scan of one partition, in order of the raw keys; scans of all partitions see the whole table.
  std::unique_ptr<Scanner> scan_partition(int32_t partition_index, ScanOptions options);

  explicit Table(std::shared_ptr<PartitionRouter> router) : router_(std::move(router)) {}

 private:
  template <typename Response, typename Request>
  Task<Response> call(Target target, wire::RpcCode code, Request request, Deadline deadline);
  Result<Target> target_of(std::string_view hash_key, std::string_view sort_key) const;

  std::shared_ptr<PartitionRouter> router_;  // shared with the scanners
};

}  // namespace pegmove::client
