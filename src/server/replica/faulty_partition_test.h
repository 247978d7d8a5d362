// What the tests of the write path share: one partition on a disk with faults, behind a port of
// loopback, and requests to it.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "async/run.h"
#include "data_types.h"
#include "net/rpc_client.h"
#include "net/tcp.h"
#include "record/key.h"
#include "record/value.h"
#include "server/replica/write_path.h"
#include "testing/faulty_disk.h"
#include "testing/log_records.h"
#include "testing/sim_clock.h"
#include "testing/test_folder.h"
#include "wire/thrift_codec.h"

namespace pegmove::server::replica {

using testing::DiskFault;
using testing::DiskOperation;
using wire::ErrorCode;
using wire::RpcCode;

constexpr const char* kDecreeKey = "pegasus_last_flushed_decree";
constexpr const char* kTimestampKey = "pegmove_last_timestamp_us";

inline std::string key_of(int number) { return record::encode_key("h", std::to_string(number)); }

// A request that writes one row of hash key "h"; an empty value removes it.
struct Write {
  int row = 0;
  std::string value;
  RpcCode code = RpcCode::kPut;
  std::string raw = {};  // instead of all: the body of a request of this code

  RpcCode sent_code() const { return raw.empty() && value.empty() ? RpcCode::kRemove : code; }
  std::string body(int64_t timestamp_us) const;
};

inline std::string Write::body(int64_t timestamp_us) const {
  if (!raw.empty()) return raw;
  if (value.empty()) return wire::encode_body(wire::blob{key_of(row)});
  if (code == RpcCode::kMultiPut) {
    wire::multi_put_request request;
    request.hash_key.data = "h";
    request.kvs.resize(1);
    request.kvs[0].key.data = std::to_string(row);
    request.kvs[0].value.data = value;
    return wire::encode_body(request);
  }
  if (code == RpcCode::kCheckAndSet) {
    wire::check_and_set_request request;
    request.hash_key.data = "h";
    request.check_sort_key.data = std::to_string(row);
    request.set_value.data = value;
    return wire::encode_body(request);
  }
  wire::update_request put;
  put.key.data = key_of(row);
  put.value.data = value;
  if (code == RpcCode::kPut) return wire::encode_body(put);
  wire::duplicate_request request;
  auto& entry = request.entries.emplace_back();
  entry.__set_timestamp(timestamp_us);
  entry.__set_task_code({"RPC_RRDB_RRDB_PUT"});
  entry.__set_raw_message({wire::encode_body(put)});
  entry.__set_cluster_id(2);
  return wire::encode_body(request);
}

// Of the codes used here; 0: the reply has none.
inline int64_t decree_in(RpcCode code, std::string_view reply) {
  if (code == RpcCode::kDuplicate) return 0;
  if (code == RpcCode::kIncr) return wire::decode_body<wire::incr_response>(reply)->decree;
  if (code == RpcCode::kCheckAndMutate)
    return wire::decode_body<wire::check_and_mutate_response>(reply)->decree;
  if (code == RpcCode::kMultiRemove)
    return wire::decode_body<wire::multi_remove_response>(reply)->decree;
  if (code == RpcCode::kCheckAndSet)
    return wire::decode_body<wire::check_and_set_response>(reply)->decree;
  return wire::decode_body<wire::update_response>(reply)->decree;
}

// What one record of a log says.
struct LogRecord : rocksdb::WriteBatch::Handler {
  int64_t decree = 0;
  int64_t timestamp_us = 0;
  std::map<std::string, uint64_t> timetags;  // of the rows that are put
  std::string content;                       // without the sequence number of RocksDB

  explicit LogRecord(const std::string& record) : content(record.substr(8)) {
    const auto read = rocksdb::WriteBatch(record).Iterate(this);
    EXPECT_TRUE(read.ok()) << read.ToString();
  }
  rocksdb::Status PutCF(uint32_t family, const rocksdb::Slice& key,
                        const rocksdb::Slice& value) override {
    if (family == 0)
      timetags[key.ToString()] = record::decode_value(1, value.ToStringView())->header.timetag;
    else if (key == kDecreeKey)
      decree = std::stoll(value.ToString());
    else if (key == kTimestampKey)
      timestamp_us = std::stoll(value.ToString());
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(uint32_t, const rocksdb::Slice&) override {
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteRangeCF(uint32_t, const rocksdb::Slice&, const rocksdb::Slice&) override {
    return rocksdb::Status::OK();
  }
};

// A disk that fails as `plan` says until what a resume writes first was taken: RocksDB 7.8 may end
// the process when it fails after that (store::PartitionDb::resume).
class FailsUntilResumed {
 public:
  using Plan = std::function<DiskFault(const DiskOperation&)>;
  explicit FailsUntilResumed(Plan plan) : plan_(std::move(plan)) {}

  DiskFault operator()(const DiskOperation& operation) {
    const std::lock_guard lock(*mutex_);
    if (*is_good_) return {};
    const DiskFault fault = plan_(operation);
    *is_good_ = operation.path.ends_with("/trial.sst") &&
                operation.kind == DiskOperation::Kind::kSync &&
                fault.kind == DiskFault::Kind::kNone;
    return fault;
  }

 private:
  Plan plan_;
  std::shared_ptr<std::mutex> mutex_ = std::make_shared<std::mutex>();
  std::shared_ptr<bool> is_good_ = std::make_shared<bool>(false);
};

// One partition on a faulty disk, behind a port of loopback.
class Partition : public net::CallHandler {
 public:
  explicit Partition(bool sync)
      : options_{.path = folder_ / "db",
                 .sync_writes = sync,
                 .tuning = {.memtable_bytes = 64 << 10},
                 .env = disk.env(),
                 .resume_limit = async::milliseconds(2'000)} {
    open();
    auto acceptor = net::listen_tcp(context_.get_executor(), {0x7f000001, 0});
    if (!acceptor) throw std::runtime_error(acceptor.error().to_string());
    server_ = std::make_unique<net::RpcServer>(context_.get_executor(), std::move(*acceptor), *this,
                                               system_clock_, Logger("test"));
    server_->start();
  }
  ~Partition() override {
    if (writes_) writes_->close();
    async::run_to_end(context_, stop());
  }

  void handle(net::IncomingCall call) override {
    const auto code = wire::rpc_code_from_name(call.head().name);
    writes_->submit(code, std::move(call));
  }

  // All in flight at once. The decree of each, or nothing for one that failed; 0 where the reply
  // has none.
  std::vector<std::optional<int64_t>> send(const std::vector<Write>& writes) {
    return async::run_to_end(context_, send_all(writes));
  }

  // As a kill does; what was not synced is still there.
  void close() {
    writes_->close();
    writes_.reset();
    db_.reset();
    disk.set_plan(nullptr);
  }
  // After close(); and after a power cut.
  void open(std::mt19937_64* power_cut = nullptr) {
    if (power_cut) {
      disk.restore_power(*power_cut);
      // A power cut may take numbers of files back, and what is in the trash is there for good.
      for (const auto& [number, path] : logs())
        if (path.starts_with(folder_ / "trash")) std::filesystem::remove(path);
    }
    auto db = store::PartitionDb::open(options_);
    if (!db) throw std::runtime_error(db.error().to_string());
    db_ = *std::move(db);
    first_log_ = logs().rbegin()->first;
    writes_ = std::make_unique<WritePath>(
        *db_, pool_, clock, Logger("test"),
        WriteOptions{.gpid = {1, 0}, .server = "server", .clusters = {.own = 1, .known = 6}});
  }
  store::PartitionDb& db() { return *db_; }
  WritePath& writes() { return *writes_; }

  // What was written to logs since open(), in its order.
  std::vector<LogRecord> logged_writes() const {
    std::vector<LogRecord> writes;
    for (const auto& [number, path] : logs()) {
      if (number < first_log_) continue;
      for (const auto& record : testing::log_records(path))
        if (LogRecord write(record); write.decree > 0) writes.push_back(std::move(write));
    }
    return writes;
  }

 private:
  testing::TestFolder folder_;

 public:
  testing::FaultyDisk disk{folder_ / "trash"};
  testing::SimClock clock;
  std::map<ErrorCode, int> answers;  // how many of each there were

 private:
  // The paths by the numbers, which have leading zeros; with those that were removed.
  std::multimap<std::string, std::string> logs() const {
    std::multimap<std::string, std::string> found;
    for (const auto* place : {"trash", "db"})
      for (const auto& entry : std::filesystem::directory_iterator(folder_ / place)) {
        const std::string name = entry.path().filename();
        if (name.ends_with(".log")) found.emplace(name.substr(name.size() - 10), entry.path());
      }
    return found;
  }
  Routine<std::vector<std::optional<int64_t>>> send_all(const std::vector<Write>& writes) {
    auto& channel = client_.channel(server_->local());
    std::vector<std::optional<int64_t>> decrees(writes.size());
    size_t left = writes.size();
    async::Event all;
    for (size_t i = 0; i < writes.size(); ++i) {
      const auto code = writes[i].sent_code();
      channel.start({.code = code,
                     .gpid = {1, 0},
                     .body = writes[i].body(clock.unix_us()),
                     .deadline = Deadline::in(system_clock_, async::milliseconds(60'000))},
                    [&, i, code](Result<net::IncomingReply> reply) {
                      EXPECT_TRUE(reply);
                      if (reply) ++answers[reply->error];
                      if (reply && reply->error == ErrorCode::kOk)
                        decrees[i] = decree_in(code, reply->body.view);
                      if (--left == 0) all.notify();
                    });
    }
    while (left > 0) co_await all.wait();  // no result
    co_return decrees;
  }
  Routine<bool> stop() {
    client_.stop();
    co_await client_.join();  // no result
    server_->stop();
    co_await server_->join();  // no result
    co_return true;
  }

  store::PartitionOptions options_;
  asio::io_context context_;
  async::SystemClock system_clock_;
  net::TcpConnector connector_{system_clock_};
  net::RpcClient client_{context_.get_executor(), connector_, system_clock_};
  std::unique_ptr<store::PartitionDb> db_;
  std::unique_ptr<WritePath> writes_;
  std::string first_log_;  // the number of the one that open() began
  std::unique_ptr<net::RpcServer> server_;
  async::Pool pool_{1};
};

}  // namespace pegmove::server::replica
