#include "client/blocking.h"

#include "async/context_thread.h"
#include "client/node.h"
#include "client/table.h"
#include "record/key.h"

namespace pegmove::client {
namespace {

using async::ContextThread;

class WorkerTable : public BlockingTable {
 public:
  WorkerTable(ContextThread& worker, Clock& clock, std::chrono::milliseconds timeout,
              std::shared_ptr<Table> table)
      : worker_(worker), clock_(clock), timeout_(timeout), table_(std::move(table)) {}

  int partition_count() const override { return worker_.wait_for(count_partitions(*table_)); }

  uint32_t expire_after(int64_t seconds) override { return table_->expire_after(seconds); }

  Result<void> set(std::string hash_key, std::string sort_key, std::string value,
                   int64_t ttl_seconds) override {
    TRY(worker_.wait_for(table_->set(hash_key, sort_key, value, expiry(ttl_seconds), deadline())));
    return {};
  }
  Result<std::optional<std::string>> get(std::string hash_key, std::string sort_key) override {
    return TRY(worker_.wait_for(table_->get(hash_key, sort_key, deadline()))).value;
  }
  Result<void> del(std::string hash_key, std::string sort_key) override {
    TRY(worker_.wait_for(table_->del(hash_key, sort_key, deadline())));
    return {};
  }
  Result<bool> exist(std::string hash_key, std::string sort_key) override {
    return worker_.wait_for(table_->exist(hash_key, sort_key, deadline()));
  }
  Result<std::optional<int32_t>> ttl(std::string hash_key, std::string sort_key) override {
    return TRY(worker_.wait_for(table_->ttl(hash_key, sort_key, deadline()))).seconds;
  }
  Result<std::vector<BlockingRow>> multi_get(std::string hash_key) override {
    auto found = TRY(worker_.wait_for(table_->multi_get(hash_key, {}, deadline())));
    if (!found.complete)
      return fail(Code::kRefused,
                  "hash key has more rows than one multi_get returns; scan instead");
    std::vector<BlockingRow> rows;
    for (auto& row : found.rows)
      rows.push_back({hash_key, std::move(row.sort_key), std::move(row.value)});
    return rows;
  }
  Result<void> multi_set(std::string hash_key,
                         std::vector<std::pair<std::string, std::string>> sort_values,
                         int64_t ttl_seconds) override {
    std::vector<SortValue> rows;
    for (auto& [sort_key, value] : sort_values)
      rows.push_back({std::move(sort_key), std::move(value)});
    TRY(worker_.wait_for(table_->multi_set(hash_key, rows, expiry(ttl_seconds), deadline())));
    return {};
  }
  Result<int64_t> multi_del(std::string hash_key, std::vector<std::string> sort_keys) override {
    return TRY(worker_.wait_for(table_->multi_del(hash_key, sort_keys, deadline()))).count;
  }
  Result<int64_t> sort_key_count(std::string hash_key) override {
    return TRY(worker_.wait_for(table_->sort_key_count(hash_key, deadline()))).count;
  }
  Result<MultiGetResult> multi_get(std::string hash_key, MultiGetOptions options) override {
    return worker_.wait_for(table_->multi_get(hash_key, options, deadline()));
  }
  Result<SortKeysResult> multi_get_sort_keys(std::string hash_key, int32_t max_rows) override {
    return worker_.wait_for(table_->multi_get_sort_keys(hash_key, max_rows, 0, deadline()));
  }
  Result<std::vector<FoundRow>> batch_get(std::vector<RowKey> keys) override {
    return worker_.wait_for(table_->batch_get(keys, deadline()));
  }
  Result<int64_t> incr(std::string hash_key, std::string sort_key, int64_t increment,
                       int32_t ttl_seconds) override {
    if (ttl_seconds < kNeverExpires)
      return fail(Code::kInvalidArgument, "invalid ttl " + std::to_string(ttl_seconds));
    auto expire_ts = ttl_seconds > 0 ? int32_t(table_->expire_after(ttl_seconds)) : ttl_seconds;
    return TRY(worker_.wait_for(table_->incr(hash_key, sort_key, increment, expire_ts, deadline())))
        .new_value;
  }
  Result<CheckResult> check_and_set(std::string hash_key, Check check, SortValue row,
                                    int64_t ttl_seconds) override {
    return worker_.wait_for(
        table_->check_and_set(hash_key, check, row, expiry(ttl_seconds), deadline()));
  }
  Result<CheckResult> check_and_mutate(std::string hash_key, Check check,
                                       std::vector<Mutation> mutations) override {
    return worker_.wait_for(table_->check_and_mutate(hash_key, check, mutations, deadline()));
  }
  Result<void> scan(RowVisitor row) override { return scan({.batch_size = 1000}, std::move(row)); }
  Result<void> scan(ScanOptions options, RowVisitor row) override {
    return worker_.wait_for(scan_all(std::move(options), std::move(row)));
  }
  Result<void> scan_hash_key(std::string hash_key, SortKeyRange range, ScanOptions options,
                             RowVisitor row) override {
    return worker_.wait_for(
        scan_one(std::move(hash_key), std::move(range), std::move(options), std::move(row)));
  }
  Result<int64_t> count_rows(ScanOptions filters) override {
    filters.only_count = false;  // counted here: a server's count may include foreign rows
    filters.no_value = true;
    return worker_.wait_for(count_all(std::move(filters)));
  }

 private:
  Deadline deadline() const { return Deadline::in(clock_, timeout_); }
  uint32_t expiry(int64_t ttl_seconds) {
    return ttl_seconds > 0 ? table_->expire_after(ttl_seconds) : 0;
  }

  // The table, and so its partition count, belongs to the worker's thread.
  static Routine<int> count_partitions(Table& table) { co_return table.partition_count(); }

  // Returns false when the visitor stops.
  Task<bool> visit(Scanner& scanner, const RowVisitor& row) {
    while (auto batch = CO_TRY(co_await scanner.next(deadline())))
      for (const auto& found : batch->rows) {
        auto parts = record::split_key(found.key);
        if (!parts) co_return fail(Code::kProtocol, "a scan returned a malformed key");
        if (!row({std::string(parts->hash_key), std::string(parts->sort_key),
                  std::string(found.value), found.expire_ts}))
          co_return false;
      }
    co_return true;
  }

  Task<> scan_all(ScanOptions options, RowVisitor row) {
    options.only_count = false;
    for (int index = 0; index < table_->partition_count(); ++index) {
      auto scanner = table_->scan_partition(index, options);
      if (!CO_TRY(co_await visit(*scanner, row))) break;
    }
    co_return Result<void>();
  }

  Task<> scan_one(std::string hash_key, SortKeyRange range, ScanOptions options, RowVisitor row) {
    options.only_count = false;
    auto scanner =
        CO_TRY(table_->scan_hash_key(hash_key, range.start, range.stop, range.start_inclusive,
                                     range.stop_inclusive, std::move(options)));
    CO_TRY(co_await visit(*scanner, row));
    co_return Result<void>();
  }

  Task<int64_t> count_all(ScanOptions options) {
    int64_t count = 0;
    for (int index = 0; index < table_->partition_count(); ++index) {
      auto scanner = table_->scan_partition(index, options);
      while (auto batch = CO_TRY(co_await scanner->next(deadline()))) count += batch->count;
    }
    co_return count;
  }

  ContextThread& worker_;
  Clock& clock_;
  std::chrono::milliseconds timeout_;
  std::shared_ptr<Table> table_;
};

class WorkerClient : public BlockingClient {
 public:
  explicit WorkerClient(std::chrono::milliseconds timeout) : timeout_(timeout) {}
  ~WorkerClient() override { worker_.wait_for(close()); }

  Result<void> open(std::string_view metas) {
    auto addresses = TRY(net::parse_host_port_list(metas));
    cluster_ =
        TRY(worker_.wait_for(Cluster::connect(client_, addresses, Deadline::in(clock_, timeout_))));
    return {};
  }
  const std::string& cluster_name() const override { return cluster_->name(); }
  Result<std::unique_ptr<BlockingTable>> open_table(std::string name) override {
    auto table = TRY(worker_.wait_for(Table::open(cluster_, name, Deadline::in(clock_, timeout_))));
    return std::make_unique<WorkerTable>(worker_, clock_, timeout_, std::move(table));
  }

  Result<void> drop_table(std::string name, int64_t reserve_seconds) override {
    return worker_.wait_for(cluster_->drop_table(name, reserve_seconds, deadline()));
  }
  Result<std::string> recall_table(int32_t app_id, std::string new_name) override {
    return TRY(worker_.wait_for(cluster_->recall_table(app_id, new_name, deadline()))).name;
  }
  Result<void> rename_table(std::string old_name, std::string new_name) override {
    return worker_.wait_for(cluster_->rename_table(old_name, new_name, deadline()));
  }
  Result<int32_t> replica_count(std::string table) override {
    return worker_.wait_for(cluster_->replica_count(table, deadline()));
  }
  Result<Change<int32_t>> set_replica_count(std::string table, int32_t count) override {
    return worker_.wait_for(cluster_->set_replica_count(table, count, deadline()));
  }
  Result<bool> atomic_idempotent(std::string table) override {
    return worker_.wait_for(cluster_->atomic_idempotent(table, deadline()));
  }
  Result<Change<bool>> set_atomic_idempotent(std::string table, bool value) override {
    return worker_.wait_for(cluster_->set_atomic_idempotent(table, value, deadline()));
  }
  Result<MetaLevel> meta_level() override {
    return worker_.wait_for(cluster_->meta_level(deadline()));
  }
  Result<MetaLevel> set_meta_level(MetaLevel level) override {
    return worker_.wait_for(cluster_->set_meta_level(level, deadline()));
  }
  Result<void> start_compaction(std::string table, CompactionOptions options) override {
    return worker_.wait_for(cluster_->start_compaction(table, options, deadline()));
  }
  Result<std::optional<int32_t>> compaction_progress(std::string table) override {
    return worker_.wait_for(cluster_->compaction_progress(table, deadline()));
  }
  Result<std::string> remote_command(std::string_view node, std::string command,
                                     std::vector<std::string> arguments) override {
    auto address = TRY(net::parse_host_port(node));
    return worker_.wait_for(
        client::remote_command(client_, address, command, std::move(arguments), deadline()));
  }
  Result<NodeDisks> query_disk_info(std::string_view node, std::string table) override {
    auto address = TRY(net::parse_host_port(node));
    return worker_.wait_for(client::query_disk_info(client_, address, table, deadline()));
  }

 private:
  Deadline deadline() const { return Deadline::in(clock_, timeout_); }

  Routine<bool> close() {
    co_await client_.close();  // no result
    co_return true;
  }

  async::SystemClock clock_;
  std::chrono::milliseconds timeout_;
  ContextThread worker_;
  Client client_{worker_.executor(), clock_};
  std::shared_ptr<Cluster> cluster_;
};

}  // namespace

Result<std::unique_ptr<BlockingClient>> BlockingClient::connect(std::string_view metas,
                                                                std::chrono::milliseconds timeout) {
  auto client = std::make_unique<WorkerClient>(timeout);
  TRY(client->open(metas));
  return client;
}

}  // namespace pegmove::client
