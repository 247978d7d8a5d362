// What the write path puts into the log for duplication, also while the disk fails.
#include <gmock/gmock.h>

#include <map>
#include <random>
#include <thread>

#include "record/expiry.h"
#include "server/replica/faulty_partition_test.h"
#include "wire/row_messages.h"

namespace pegmove::server::replica {
namespace {

using store::LoggedCode;
using ::testing::ElementsAre;

constexpr size_t kWhole = size_t{1} << 40;

struct Request {
  LoggedCode code;
  std::string body;
  bool operator==(const Request&) const = default;
};
using Log = std::map<int64_t, std::vector<Request>>;  // by decree

// All that is behind a decree.
Log log_of(store::PartitionDb& db, int64_t after) {
  Log log;
  for (;;) {
    const auto piece = db.read_log(after, 20'000);
    if (!piece) throw std::runtime_error(piece.error().to_string());
    for (const auto& mutation : piece->mutations)
      for (const auto& write : mutation.writes)
        log[mutation.decree].push_back({write.code, std::string(write.body)});
    after = piece->last_decree;
    if (piece->is_end) return log;
  }
}

std::string put_body(int row, const std::string& value, uint32_t expiry = 0, int16_t field = 0) {
  std::string body;
  wire::append_put(body, {.key = key_of(row), .value = value, .expire_ts = expiry}, field);
  return body;
}

std::string multi_put_body(const std::string& value, uint32_t expiry) {
  std::string body;
  wire::append_multi_put(
      body, {.hash_key = "h", .rows = {{.key = "1", .value = value}}, .expire_ts = expiry}, 0);
  return body;
}

std::string remove_body(int row) { return wire::encode_body(wire::blob{key_of(row)}); }

Write raw(RpcCode code, std::string body) {
  return {.value = "", .code = code, .raw = std::move(body)};
}

std::string incr_body(int row, int64_t by) {
  wire::incr_request request;
  request.key.data = key_of(row);
  request.increment = by;
  return wire::encode_body(request);
}

// Puts "new" in row 1 and removes row 2, if row 1 is not there.
std::string check_and_mutate_body() {
  wire::check_and_mutate_request request;
  request.hash_key.data = "h";
  request.check_sort_key.data = "1";
  request.check_type = wire::cas_check_type::CT_VALUE_NOT_EXIST;
  request.mutate_list.resize(2);
  request.mutate_list[0].operation = wire::MO_PUT;
  request.mutate_list[0].sort_key.data = "1";
  request.mutate_list[0].value.data = "new";
  request.mutate_list[1].operation = wire::MO_DELETE;
  request.mutate_list[1].sort_key.data = "2";
  return wire::encode_body(request);
}

class LoggedWrites : public ::testing::Test {
 protected:
  LoggedWrites() { begin_ = *partition_.writes().keep_log(); }
  int64_t send(Write write) { return partition_.send({std::move(write)})[0].value_or(-1); }
  Log log() { return log_of(partition_.db(), begin_); }
  std::optional<std::string> value_of(int row) {
    const auto found = partition_.db().get(key_of(row));
    return *found ? std::optional(std::string((*found)->user_data())) : std::nullopt;
  }

  Partition partition_{false};
  int64_t begin_ = 0;
};

TEST_F(LoggedWrites, AreTheBytesThatTheClientsSent) {
  wire::multi_remove_request removes;
  removes.hash_key.data = "h";
  removes.sort_keys.push_back({"1"});
  const auto several = wire::encode_body(removes);
  // As clients of both framings send them.
  const auto first = send(raw(RpcCode::kPut, put_body(1, "a", 7, 0)));
  const auto second = send(raw(RpcCode::kPut, put_body(1, "b", 0, 1)));
  send(raw(RpcCode::kMultiPut, multi_put_body("c", 9)));
  send(raw(RpcCode::kRemove, remove_body(5)));
  const auto last = send(raw(RpcCode::kMultiRemove, several));
  EXPECT_EQ(log(), (Log{{first, {{LoggedCode::kPut, put_body(1, "a", 7, 0)}}},
                        {second, {{LoggedCode::kPut, put_body(1, "b", 0, 1)}}},
                        {second + 1, {{LoggedCode::kMultiPut, multi_put_body("c", 9)}}},
                        {second + 2, {{LoggedCode::kRemove, remove_body(5)}}},
                        {last, {{LoggedCode::kMultiRemove, several}}}}));
  const auto piece = partition_.db().read_log(begin_, kWhole);
  EXPECT_EQ(piece->mutations.back().timestamp_us, partition_.db().last_timestamp_us());
  EXPECT_EQ(piece->log_id, partition_.db().log_start()->id);
}

TEST_F(LoggedWrites, ThatShareAMutationAreOneEntryInTheirOrder) {
  std::vector<Write> writes;
  for (int i = 0; i < 300; ++i) writes.push_back({.row = i % 7, .value = std::to_string(i)});
  const auto decrees = partition_.send(writes);
  Log expected;
  for (size_t i = 0; i < writes.size(); ++i)
    expected[*decrees[i]].push_back({LoggedCode::kPut, writes[i].body(0)});
  EXPECT_LT(expected.size(), writes.size()) << "some shared a mutation";
  EXPECT_EQ(log(), expected);
}

TEST_F(LoggedWrites, AreNotThoseThatAreRefusedOrComeFromElsewhere) {
  send(raw(RpcCode::kPut, "no request"));
  send(raw(RpcCode::kMultiPut, wire::encode_body(wire::multi_put_request())));
  send(raw(RpcCode::kRemove, wire::encode_body(wire::blob{"x"})));
  send(raw(RpcCode::kMultiRemove, wire::encode_body(wire::multi_remove_request())));
  ASSERT_EQ(send({.row = 3, .value = "from 2", .code = RpcCode::kDuplicate}), 0);
  EXPECT_EQ(value_of(3), "from 2");
  EXPECT_EQ(log(), Log());
  const auto piece = partition_.db().read_log(begin_, kWhole);
  EXPECT_EQ(piece->last_decree, begin_ + 5) << "they count as shipped";
  EXPECT_EQ(partition_.db().log_backlog(begin_)->mutations, 0);
}

TEST_F(LoggedWrites, OfATableWithDefaultTtlHaveTheExpiryThatTheRowGot) {
  partition_.writes().set_default_ttl(100);
  const auto expiry = record::pegasus_seconds(partition_.clock.unix_seconds() + 100);
  const auto first = send(raw(RpcCode::kPut, put_body(1, "a")));
  send(raw(RpcCode::kMultiPut, multi_put_body("b", 0)));
  send(raw(RpcCode::kPut, put_body(2, "c", 77)));
  EXPECT_EQ(log(), (Log{{first, {{LoggedCode::kPut, put_body(1, "a", expiry)}}},
                        {first + 1, {{LoggedCode::kMultiPut, multi_put_body("b", expiry)}}},
                        {first + 2, {{LoggedCode::kPut, put_body(2, "c", 77)}}}}));
  EXPECT_EQ((*partition_.db().get(key_of(1)))->expire_ts(), expiry);
}

TEST_F(LoggedWrites, AtomicOperationsAreRefused) {
  const std::vector<Write> atomic{raw(RpcCode::kIncr, incr_body(1, 5)),
                                  {.row = 1, .value = "set", .code = RpcCode::kCheckAndSet},
                                  raw(RpcCode::kCheckAndMutate, check_and_mutate_body())};
  for (const auto& write : atomic) EXPECT_EQ(send(write), -1);
  EXPECT_THAT(partition_.answers, ElementsAre(std::pair(ErrorCode::kOperationDisabled, 3)));
  EXPECT_EQ(value_of(1), std::nullopt);
  EXPECT_EQ(partition_.db().last_decree(), begin_);
  const auto decree = send({.row = 2, .value = "v"});
  EXPECT_GT(decree, begin_);
  EXPECT_EQ(log().size(), 1u);
  ASSERT_TRUE(partition_.writes().drop_log());
  for (const auto& write : atomic) EXPECT_GT(send(write), decree);
  EXPECT_EQ(partition_.answers[ErrorCode::kOperationDisabled], 3);
}

TEST_F(LoggedWrites, OfAnAtomicIdempotentTableAreWhatAtomicOperationsDid) {
  partition_.writes().set_atomic_idempotent(true);
  const auto first = send(raw(RpcCode::kCheckAndMutate, check_and_mutate_body()));
  send(raw(RpcCode::kCheckAndMutate, check_and_mutate_body()));  // its check fails
  send({.row = 4, .value = "set", .code = RpcCode::kCheckAndSet});
  send(raw(RpcCode::kIncr, incr_body(5, 5)));
  send(raw(RpcCode::kIncr, incr_body(5, 6)));
  EXPECT_EQ(
      log(),
      (Log{{first, {{LoggedCode::kPut, put_body(1, "new")}, {LoggedCode::kRemove, remove_body(2)}}},
           {first + 2, {{LoggedCode::kPut, put_body(4, "set")}}},
           {first + 3, {{LoggedCode::kPut, put_body(5, "5")}}},
           {first + 4, {{LoggedCode::kPut, put_body(5, "11")}}}}));
  // The row has the timestamp that the other cluster's row gets.
  EXPECT_EQ(int64_t(record::timetag_timestamp_us((*partition_.db().get(key_of(5)))->timetag())),
            partition_.db().last_timestamp_us());
}

TEST_F(LoggedWrites, AreReportedUntilAnotherListenerIsThere) {
  std::atomic<int> told = 0;
  partition_.writes().on_logged([&] { ++told; });
  send({.row = 1, .value = "v"});
  send(raw(RpcCode::kPut, "no request"));
  send({.row = 2, .value = "v"});
  partition_.writes().on_logged({});
  const int before = told;
  EXPECT_GE(before, 2);
  send({.row = 3, .value = "v"});
  ASSERT_TRUE(partition_.writes().drop_log());
  EXPECT_EQ(told, before);
}

// Everything that is answered after keep_log() is in the log.
TEST_F(LoggedWrites, BeginWithTheAnswer) {
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(partition_.writes().drop_log());
    Result<int64_t> begins_after = 0;
    std::jthread keeper([&] { begins_after = partition_.writes().keep_log(); });
    std::vector<Write> writes;
    for (int i = 0; i < 200; ++i)
      writes.push_back(
          {.row = i, .value = "v", .code = i % 2 ? RpcCode::kPut : RpcCode::kMultiPut});
    const auto decrees = partition_.send(writes);
    keeper.join();
    ASSERT_TRUE(begins_after);
    const auto logged = log_of(partition_.db(), *begins_after);
    for (const auto& decree : decrees)
      EXPECT_EQ(logged.contains(*decree), *decree > *begins_after) << *decree;
  }
}

// Random writes while the disk fails and the partition is opened again, some with a power cut.
class LoggedHistory {
 public:
  LoggedHistory(uint64_t seed, size_t most_in_flight)
      : random_(seed), most_in_flight_(most_in_flight) {
    partition_.writes().set_atomic_idempotent(true);
    EXPECT_TRUE(partition_.writes().keep_log());
  }

  void run(int steps) {
    for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
      partition_.clock.advance(async::milliseconds(1));
      if (random_() % 4 == 0) change_disk();
      write();
      if (random_() % 3 == 0) read();
      if (random_() % 10 == 0 || partition_.db().needs_reopen() || !partition_.disk.has_power())
        reopen();
    }
    reopen();
    EXPECT_GT(shipped_.size(), 5u);
  }

 private:
  void change_disk() {
    if (random_() % 2 == 0) return partition_.disk.set_plan(nullptr);
    auto random = std::make_shared<std::mt19937_64>(random_());
    partition_.disk.set_plan(FailsUntilResumed([=](const DiskOperation& operation) -> DiskFault {
      using enum DiskFault::Kind;
      if (!operation.path.ends_with(".log") && !operation.path.ends_with(".sst")) return {};
      if ((*random)() % 2 == 0) return {};
      const auto kind = (*random)() % 4;
      if (kind == 3) return {.kind = kPowerCut};
      return {.kind = kind == 0 ? kRefused : kind == 1 ? kTorn : kLate, .is_full = true};
    }));
  }

  void write() {
    constexpr RpcCode kCodes[] = {RpcCode::kPut, RpcCode::kPut, RpcCode::kMultiPut,
                                  RpcCode::kCheckAndSet, RpcCode::kDuplicate};
    std::vector<Write> writes(1 + random_() % most_in_flight_);
    for (auto& write : writes) {
      write.row = int(random_() % 16);
      write.code = kCodes[random_() % std::size(kCodes)];
      if (random_() % 5 != 0)
        write.value = std::to_string(++written_) + " " + std::string(random_() % 3000, 'v');
    }
    const auto decrees = partition_.send(writes);
    for (size_t i = 0; i < writes.size(); ++i) {
      if (decrees[i].value_or(0) == 0) continue;
      acknowledged_[*decrees[i]].push_back(request_of(writes[i]));
    }
  }
  static Request request_of(const Write& write) {
    const auto code = write.sent_code();
    if (code == RpcCode::kCheckAndSet) return {LoggedCode::kPut, put_body(write.row, write.value)};
    const auto logged = code == RpcCode::kPut        ? LoggedCode::kPut
                        : code == RpcCode::kMultiPut ? LoggedCode::kMultiPut
                                                     : LoggedCode::kRemove;
    return {logged, write.body(0)};
  }

  // As a shipper: what it got once is on another cluster.
  void read() {
    const auto piece = partition_.db().read_log(read_upto_, 10'000);
    if (!piece) return;  // the disk fails
    for (const auto& mutation : piece->mutations)
      for (const auto& write : mutation.writes)
        shipped_[mutation.decree].push_back({write.code, std::string(write.body)});
    read_upto_ = piece->last_decree;
  }

  void reopen() {
    partition_.close();  // may write, too
    const bool was_cut = !partition_.disk.has_power();
    partition_.open(was_cut ? &random_ : nullptr);
    partition_.writes().set_atomic_idempotent(true);
    const auto last = partition_.db().last_decree();
    ASSERT_GE(last, read_upto_);
    ASSERT_TRUE(partition_.db().keeps_log());
    const auto log = log_of(partition_.db(), 0);
    for (const auto& [decree, requests] : shipped_) EXPECT_EQ(log.at(decree), requests) << decree;
    // A power cut may take the last ones.
    if (was_cut) acknowledged_.erase(acknowledged_.upper_bound(last), acknowledged_.end());
    for (const auto& [decree, requests] : acknowledged_)
      EXPECT_EQ(log.at(decree), requests) << decree;
    EXPECT_TRUE(log.upper_bound(last) == log.end());
    acknowledged_ = log;  // what is there now stays, also where the answer was an error
    EXPECT_EQ(partition_.db().log_backlog(0)->mutations, int64_t(log.size()));
  }

  Partition partition_{false};
  std::mt19937_64 random_;
  const size_t most_in_flight_;
  int written_ = 0;
  int64_t read_upto_ = 0;
  Log acknowledged_;
  Log shipped_;
};

TEST(LoggedWritesOnABadDisk, AreInTheLogWhenTheyWereAcknowledgedAndStayWhenTheyWereRead) {
  for (uint64_t seed = 1; seed <= 10 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    LoggedHistory(seed, 1).run(60);
    LoggedHistory(seed, 30).run(60);
  }
}

}  // namespace
}  // namespace pegmove::server::replica
