// A table: reading and writing rows.
//
// A row is found by a hash key, which decides its partition, and a sort key. Expiry is absolute:
// `expire_ts` counts seconds since 2016-01-01 UTC and 0 means never (record/expiry.h);
// expire_after() makes one from a time to live.
//
// Every call takes a deadline, retries until then (partition_router.h), and fails with:
// kInvalidArgument (key or row too large, or refused by the server), kNotFound (the table was
// dropped), kTimeout (with the last reason), kRefused and others as the server answers. An error of
// the RPC has its number and its name (wire::ErrorCode), one of the storage its status
// (wire::storage_status_of()).
//
// incr(), check_and_set() and check_and_mutate() must not be carried out twice. They are sent again
// only if the request was certainly not carried out: no connection, or a refusal
// (ERR_INVALID_STATE, ERR_OBJECT_NOT_FOUND, ERR_BUSY, ...). When the connection breaks during a
// request, or no answer comes, they fail with kUnreachable, kTimeout or kProtocol, and the text
// says that the outcome is not known: read the row before you repeat it.
#pragma once

#include "client/operations.h"
#include "client/partition_router.h"
#include "client/scanner.h"

namespace pegmove::client {

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

  // expire_ts of a row that expires this many seconds from now.
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
  // Limits of 0 are the server's.
  Task<SortKeysResult> multi_get_sort_keys(std::string hash_key, int32_t max_rows,
                                           int32_t max_bytes, Deadline deadline);
  // Precondition: not empty. Returns the number of sort keys given.
  Task<CountResult> multi_del(std::string hash_key, std::vector<std::string> sort_keys,
                              Deadline deadline);
  Task<CountResult> sort_key_count(std::string hash_key, Deadline deadline);
  // Rows of any hash keys; one request per partition. Missing rows are left out.
  Task<std::vector<FoundRow>> batch_get(std::vector<RowKey> keys, Deadline deadline);

  // Adds to the number in the row's value; a row that is missing or empty counts as 0. expire_ts:
  // kKeepExpiry, kNeverExpires, or absolute. Not repeatable, see above. Errors: kInvalidArgument
  // when the value is not a number or the sum does not fit into 64 bits.
  Task<IncrResult> incr(std::string hash_key, std::string sort_key, int64_t increment,
                        int32_t expire_ts, Deadline deadline);
  // Writes the row if the check of a row of the same hash key passes, atomically. Not repeatable.
  Task<CheckResult> check_and_set(std::string hash_key, Check check, SortValue row,
                                  uint32_t expire_ts, Deadline deadline);
  // The same with several changes, in their order. Not repeatable. Precondition: not empty.
  Task<CheckResult> check_and_mutate(std::string hash_key, Check check,
                                     std::vector<Mutation> mutations, Deadline deadline);

  // A scan within one hash key, by range and filter, in order of the sort keys. An empty stop sort
  // key means to the end.
  Result<std::unique_ptr<Scanner>> scan_hash_key(std::string_view hash_key,
                                                 std::string_view start_sort_key,
                                                 std::string_view stop_sort_key,
                                                 bool start_inclusive, bool stop_inclusive,
                                                 ScanOptions options);
  // A scan of one partition, in order of the raw keys, after the raw key `after` if that is not
  // empty; scans of all partitions return the whole table.
  std::unique_ptr<Scanner> scan_partition(int32_t partition_index, ScanOptions options,
                                          std::string after = {});
  // A scan of any range of one partition. Precondition: the partition exists.
  std::unique_ptr<Scanner> scan_range(Target target, ScanRange range, ScanOptions options);

  explicit Table(std::shared_ptr<PartitionRouter> router) : router_(std::move(router)) {}

 private:
  template <typename Response, typename Request>
  Task<Response> call(Target target, wire::RpcCode code, Request request, Deadline deadline,
                      Repeat repeat = Repeat::kAllowed);
  Task<std::optional<std::vector<FoundRow>>> batch_get_once(const std::vector<RowKey>& keys,
                                                            Deadline deadline);
  Result<Target> target_of(std::string_view hash_key, std::string_view sort_key) const;

  std::shared_ptr<PartitionRouter> router_;  // shared with the scanners
};

}  // namespace pegmove::client
