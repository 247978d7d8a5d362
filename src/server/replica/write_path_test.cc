// The write path over a disk with faults, and over restarts with a clock that steps: no decree is
// given twice, unless an opening has shown that its write is not there; and timestamps only grow.
#include "server/replica/write_path.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <map>
#include <random>
#include <set>

#include "async/run.h"
#include "data_types.h"
#include "net/rpc_client.h"
#include "net/tcp.h"
#include "record/key.h"
#include "record/value.h"
#include "testing/faulty_disk.h"
#include "testing/log_records.h"
#include "testing/sim_clock.h"
#include "testing/test_folder.h"
#include "wire/thrift_codec.h"

namespace pegmove::server::replica {
namespace {

using testing::DiskFault;
using testing::DiskOperation;
using wire::ErrorCode;
using wire::RpcCode;

constexpr const char* kDecreeKey = "pegasus_last_flushed_decree";
constexpr const char* kTimestampKey = "pegmove_last_timestamp_us";

constexpr int kRows = 16;

std::string key_of(int number) { return record::encode_key("h", std::to_string(number)); }

// A request that writes one row of hash key "h"; an empty value removes it.
struct Write {
  int row = 0;
  std::string value;
  RpcCode code = RpcCode::kPut;

  std::string body(int64_t timestamp_us) const;
};

std::string Write::body(int64_t timestamp_us) const {
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
int64_t decree_in(RpcCode code, std::string_view reply) {
  if (code == RpcCode::kDuplicate) return 0;
  if (code == RpcCode::kCheckAndSet)
    return wire::decode_body<wire::check_and_set_response>(reply)->decree;
  return wire::decode_body<wire::update_response>(reply)->decree;
}

// What one record of a log says.
struct LoggedWrite : rocksdb::WriteBatch::Handler {
  int64_t decree = 0;
  int64_t timestamp_us = 0;
  std::map<std::string, uint64_t> timetags;  // of the rows that are put
  std::string content;                       // without the sequence number of RocksDB

  explicit LoggedWrite(const std::string& record) : content(record.substr(8)) {
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
  const store::PartitionDb& db() const { return *db_; }

  // What was written to logs since open(), in its order.
  std::vector<LoggedWrite> logged_writes() const {
    std::vector<LoggedWrite> writes;
    for (const auto& [number, path] : logs()) {
      if (number < first_log_) continue;
      for (const auto& record : testing::log_records(path))
        if (LoggedWrite write(record); write.decree > 0) writes.push_back(std::move(write));
    }
    return writes;
  }

 private:
  testing::TestFolder folder_;

 public:
  testing::FaultyDisk disk{folder_ / "trash"};
  testing::SimClock clock;

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
      const auto code = writes[i].value.empty() ? RpcCode::kRemove : writes[i].code;
      channel.start({.code = code,
                     .gpid = {1, 0},
                     .body = writes[i].body(clock.unix_us()),
                     .deadline = Deadline::in(system_clock_, async::milliseconds(60'000))},
                    [&, i, code](Result<net::IncomingReply> reply) {
                      EXPECT_TRUE(reply);
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

// Random writes while the disk fails, the clock steps and the partition is opened again, the same
// for one seed (but for what happens in RocksDB's threads).
class History {
 public:
  History(uint64_t seed, bool sync, size_t most_in_flight)
      : partition_(sync), random_(seed), power_cuts_(sync), most_in_flight_(most_in_flight) {}

  void run(int steps) {
    for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
      step_clock();
      if (random_() % 4 == 0) change_disk();
      write();
      if (random_() % 10 == 0 || partition_.db().needs_reopen() || !partition_.disk.has_power())
        reopen();
    }
    reopen();
    EXPECT_GT(logged_, 20u);
  }

 private:
  void step_clock() {
    auto seconds = partition_.clock.unix_seconds();
    if (random_() % 4 == 0)
      partition_.clock.set_unix_seconds(seconds + int64_t(random_() % 7200) - 3600);
    if (random_() % 2 == 0) partition_.clock.advance(async::milliseconds(random_() % 3));
  }

  // Good from now on, or full, or broken: some of what is appended to logs then fails.
  void change_disk() {
    if (random_() % 2 == 0) return partition_.disk.set_plan(nullptr);
    auto random = std::make_shared<std::mt19937_64>(random_());
    auto mutex = std::make_shared<std::mutex>();
    const bool is_full = random_() % 8 != 0;
    const bool cuts = power_cuts_ && random_() % 8 == 0;
    partition_.disk.set_plan([=](const DiskOperation& operation) -> DiskFault {
      const std::lock_guard lock(*mutex);
      using enum DiskFault::Kind;
      if (cuts && (*random)() % 8 == 0) return {.kind = kPowerCut};
      if (!operation.path.ends_with(".log") && !operation.path.ends_with(".sst")) return {};
      if ((*random)() % 2 == 0) return {};
      const auto kind = (*random)() % 3;
      return {.kind = kind == 0 ? kRefused : kind == 1 ? kTorn : kLate, .is_full = is_full};
    });
  }

  void write() {
    constexpr RpcCode kCodes[] = {RpcCode::kPut, RpcCode::kPut, RpcCode::kMultiPut,
                                  RpcCode::kCheckAndSet, RpcCode::kDuplicate};
    std::vector<Write> writes(1 + random_() % most_in_flight_);
    for (auto& write : writes) {
      write.row = int(random_() % kRows);
      write.code = kCodes[random_() % std::size(kCodes)];
      if (random_() % 5 != 0)
        write.value = std::to_string(++written_) + " " + std::string(random_() % 3000, 'v');
    }
    const auto decrees = partition_.send(writes);
    int64_t before = acknowledged_;
    for (size_t i = 0; i < writes.size(); ++i) {
      if (!decrees[i]) {
        failed_[writes[i].row].insert(writes[i].value);
        continue;
      }
      failed_.clear();  // what failed before a write that succeeded is never seen
      rows_[writes[i].row] = writes[i].value;
      if (*decrees[i] == 0) continue;
      EXPECT_GT(*decrees[i], before);
      acknowledged_ = std::max(acknowledged_, *decrees[i]);
    }
    timestamp_us_ = partition_.db().last_timestamp_us();
  }

  void reopen() {
    partition_.close();
    const bool was_cut = !partition_.disk.has_power();
    expect_each_decree_and_timestamp_once();
    partition_.open(was_cut || (power_cuts_ && random_() % 2 == 0) ? &random_ : nullptr);
    opened_decree_ = partition_.db().last_decree();
    opened_timestamp_us_ = partition_.db().last_timestamp_us();
    EXPECT_GE(opened_decree_, acknowledged_);
    EXPECT_GE(opened_timestamp_us_, timestamp_us_);
    for (int row = 0; row < kRows; ++row) {
      const auto found = partition_.db().get(key_of(row));
      ASSERT_TRUE(found);
      const std::string value = *found ? std::string((*found)->user_data()) : "";
      EXPECT_TRUE(value == rows_[row] || failed_[row].contains(value))
          << "row " << row << " holds " << value.substr(0, 20) << " instead of "
          << rows_[row].substr(0, 20);
      rows_[row] = value;
    }
    failed_.clear();
  }

  void expect_each_decree_and_timestamp_once() {
    const LoggedWrite* last = nullptr;
    const auto writes = partition_.logged_writes();
    logged_ += writes.size();
    for (const auto& write : writes) {
      SCOPED_TRACE("decree " + std::to_string(write.decree));
      if (last && write.decree == last->decree) {
        EXPECT_EQ(write.content, last->content) << "it was used for two writes";
        continue;
      }
      const int64_t before = last ? last->timestamp_us : opened_timestamp_us_;
      EXPECT_GT(write.decree, last ? last->decree : opened_decree_);
      EXPECT_GT(write.timestamp_us, before);
      for (const auto& [key, timetag] : write.timetags) {
        const auto timestamp_us = int64_t(record::timetag_timestamp_us(timetag));
        EXPECT_LE(timestamp_us, write.timestamp_us);
        const bool is_new = timestamp_us > 0 && record::timetag_cluster_id(timetag) == 1;
        EXPECT_TRUE(!is_new || timestamp_us > before);
      }
      last = &write;
    }
  }

  Partition partition_;
  std::mt19937_64 random_;
  const bool power_cuts_;
  const size_t most_in_flight_;
  int written_ = 0;
  int64_t acknowledged_ = 0;  // the greatest decree
  int64_t timestamp_us_ = 0;
  int64_t opened_decree_ = 0;  // what the last opening found
  int64_t opened_timestamp_us_ = 0;
  size_t logged_ = 0;
  std::map<int, std::string> rows_;              // the value of each; "": none
  std::map<int, std::set<std::string>> failed_;  // what may be there instead, after an opening
};

void run_histories(uint64_t seeds, bool sync, size_t most_in_flight) {
  for (uint64_t seed = 1; seed <= seeds && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History(seed, sync, most_in_flight).run(80);
  }
}

TEST(WritePath, UsesEachDecreeAndTimestampOnceWhenWritesFail) { run_histories(12, false, 1); }

TEST(WritePath, UsesEachDecreeAndTimestampOnceWhenManyWritesAreInFlight) {
  run_histories(12, false, 40);
}

TEST(WritePath, LosesNothingInPowerCutsWithSync) {
  run_histories(6, true, 1);
  run_histories(6, true, 40);
}

}  // namespace
}  // namespace pegmove::server::replica
