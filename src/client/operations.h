// Options and results of operations on a table. Shared by the coroutine API (table.h, scanner.h)
// and the blocking one (blocking.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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
  std::vector<std::string> sort_keys{};  // empty: a range, by default all of the hash key
  std::string start_sort_key{};
  std::string stop_sort_key{};  // empty: to the end
  bool start_inclusive = true;
  bool stop_inclusive = false;
  Filter sort_key_filter = Filter::kNone;
  std::string sort_key_pattern{};
  int32_t max_rows = 0;   // 0: the server's limit (3000)
  int32_t max_bytes = 0;  // 0: the server's limit
  bool no_value = false;
  bool reverse = false;  // limits count from the range's end; the result's order is the same
};

struct MultiGetResult {
  std::vector<SortValue> rows;  // in order of their sort keys
  bool complete = false;        // false: a limit was reached and there may be more
  OperationInfo info;
};

struct SortKeysResult {
  std::vector<std::string> sort_keys;  // in order
  bool complete = false;               // as MultiGetResult's
  OperationInfo info;
};

struct CountResult {
  int64_t count = 0;  // -1 from sort_key_count(): the server gave up counting
  OperationInfo info;
};

struct IncrResult {
  int64_t new_value = 0;
  OperationInfo info;
};

// What an increment does with a row's expiry, besides an absolute expire_ts.
inline constexpr int32_t kKeepExpiry = 0;
inline constexpr int32_t kNeverExpires = -1;

// The conditions of check_and_set and check_and_mutate. The numbers are those of the wire
// (cas_check_type in Pegasus's idl/rrdb.thrift). All from kExist on require that the row exists.
enum class CheckType {
  kNone = 0,
  kNotExist,
  kNotExistOrEmpty,
  kExist,
  kNotEmpty,
  kMatchAnywhere,  // the value contains the operand
  kMatchPrefix,
  kMatchPostfix,
  kBytesLess,  // the value, byte by byte, is less than the operand
  kBytesLessOrEqual,
  kBytesEqual,
  kBytesGreaterOrEqual,
  kBytesGreater,
  kIntLess,  // both as decimal 64-bit numbers; refused when one is not a number
  kIntLessOrEqual,
  kIntEqual,
  kIntGreaterOrEqual,
  kIntGreater,
};

struct Check {
  CheckType type = CheckType::kNone;
  std::string sort_key{};  // of the row that is checked
  std::string operand{};   // not for the types up to kNotEmpty
  bool return_value = false;
};

struct CheckResult {
  bool passed = false;          // false: nothing was written
  bool value_returned = false;  // it was requested and returned
  // The old value of the checked row; nullopt: the row did not exist, or it was not returned.
  std::optional<std::string> checked_value;
  OperationInfo info;
};

struct Mutation {
  enum class Kind { kSet = 0, kDel = 1 };
  Kind kind = Kind::kSet;
  std::string sort_key{};
  std::string value{};     // kSet only, like the expiry
  uint32_t expire_ts = 0;  // 0: never
};

struct ScanOptions {
  int32_t batch_size = 100;  // rows per request; servers return at most 1000
  bool no_value = false;
  bool return_expire_ts = false;
  // Batches contain a count and no rows: that of the server, which may include foreign rows.
  bool only_count = false;
  int hash_key_filter =
      0;  // as Filter: 0 none, 1 anywhere, 2 prefix, 3 postfix; sort keys likewise
  std::string hash_key_pattern{};
  int sort_key_filter = 0;
  std::string sort_key_pattern{};
  // Leave out rows that belong to other partitions. The server does so when the table has the env
  // replica.split.validate_partition_hash; a scan of a whole partition always does.
  bool validate_partition_hash = true;
  // How many of them are searched in their own partitions (foreign_rows.h), of one scan.
  int64_t most_foreign_searched = 10'000;
  bool full_scan = false;  // set by Table::scan_partition
};

}  // namespace pegmove::client
