// DUPLICATE seen from outside, in a cluster whose own id is 1, in a group with 2 and 127.
#include "server/replica/duplicate_operation.h"

#include <gmock/gmock.h>

#include "data_types.h"
#include "record/expiry.h"
#include "record/key.h"
#include "record/value.h"
#include "testing/sim_clock.h"
#include "testing/wire_client.h"

namespace pegmove::server::replica {
namespace {

using testing::TestClient;
using testing::TestCluster;
using testing::WireClient;
using wire::RpcCode;

constexpr const char* kPut = "RPC_RRDB_RRDB_PUT";
constexpr const char* kMultiPut = "RPC_RRDB_RRDB_MULTI_PUT";
constexpr const char* kRemove = "RPC_RRDB_RRDB_REMOVE";
constexpr const char* kMultiRemove = "RPC_RRDB_RRDB_MULTI_REMOVE";
constexpr int32_t kInvalidArgument = 4;

class DuplicateTest : public ::testing::Test {
 protected:
  explicit DuplicateTest(testing::TestClusterOptions options =
                             {.duplication_group = {{"test", 1}, {"other", 2}, {"last", 127}}})
      : cluster(clock, std::move(options)) {}

  static std::string put(const std::string& sort, const std::string& value, uint32_t expire = 0) {
    wire::update_request request;
    request.key.data = record::encode_key("h", sort);
    request.value.data = value;
    request.expire_ts_seconds = int32_t(expire);
    return wire::encode_body(request);
  }
  static std::string multi_put(const std::vector<std::string>& sorts, const std::string& value) {
    wire::multi_put_request request;
    request.hash_key.data = "h";
    for (const auto& sort : sorts) {
      auto& row = request.kvs.emplace_back();
      row.key.data = sort;
      row.value.data = value;
    }
    return wire::encode_body(request);
  }
  static std::string remove(const std::string& sort) {
    return wire::encode_body(wire::blob{record::encode_key("h", sort)});
  }
  static std::string multi_remove(const std::vector<std::string>& sorts) {
    wire::multi_remove_request request;
    request.hash_key.data = "h";
    for (const auto& sort : sorts) request.sort_keys.push_back({sort});
    return wire::encode_body(request);
  }
  // Of cluster 2, as of now.
  wire::duplicate_entry entry(const std::string& code, const std::string& message) {
    wire::duplicate_entry entry;
    entry.__set_timestamp(clock.unix_us());
    entry.__set_task_code({code});
    entry.__set_raw_message({message});
    entry.__set_cluster_id(2);
    return entry;
  }
  wire::duplicate_entry verified(const std::string& sort, const std::string& value, int64_t at) {
    auto made = entry(kPut, put(sort, value));
    made.__set_timestamp(at);
    made.__set_verify_timetag(true);
    return made;
  }
  wire::duplicate_response send(std::vector<wire::duplicate_entry> entries) {
    WireClient wire(client, cluster.replica_addresses()[0]);
    wire::duplicate_request request;
    request.entries = std::move(entries);
    if (source) request.__set_source(*source);
    return wire.call<wire::duplicate_response>(RpcCode::kDuplicate, gpid, request);
  }
  // Of the log that `source` names.
  wire::duplicate_entry placed(wire::duplicate_entry entry, int64_t decree, int32_t write_index) {
    entry.__set_decree(decree);
    entry.__set_write_index(write_index);
    return entry;
  }
  static wire::duplicate_source log(int32_t app_id, int32_t partition_index, int64_t log_id) {
    wire::duplicate_source log;
    log.app_id = app_id;
    log.partition_index = partition_index;
    log.log_id = log_id;
    return log;
  }
  void must_send(std::vector<wire::duplicate_entry> entries) {
    auto response = send(std::move(entries));
    EXPECT_EQ(response.error, 0) << response.error_hint;
    EXPECT_FALSE(response.__isset.error_hint);
  }
  void expect_refused(std::vector<wire::duplicate_entry> entries, const std::string& hint) {
    entries.insert(entries.begin(), entry(kPut, put("first", "v")));
    auto response = send(std::move(entries));
    EXPECT_EQ(response.error, kInvalidArgument);
    EXPECT_THAT(response.error_hint, ::testing::HasSubstr(hint));
    EXPECT_EQ(get("first"), std::nullopt);  // all or nothing
  }
  std::optional<std::string> get(const std::string& sort) {
    return client.must(table->get("h", sort, client.deadline())).value;
  }
  void set(const std::string& sort, const std::string& value, uint32_t expire_ts = 0) {
    client.must(table->set("h", sort, value, expire_ts, client.deadline()));
  }
  int64_t next_decree() { return client.must(table->del("h", "none", client.deadline())).decree; }
  // Ends the servers, then looks into their database.
  uint64_t stored_timetag(const std::string& sort) {
    cluster.stop();
    auto db = store::PartitionDb::open(
        {.path = cluster.data_dir() + "/replica0/" + gpid.to_string() + ".pegasus/data/rdb"});
    if (!db) throw std::runtime_error(db.error().to_string());
    auto row = (*db)->get(record::encode_key("h", sort));
    return row && *row ? (*row)->timetag() : 0;
  }
  uint32_t pegasus_now() { return record::pegasus_seconds(clock.unix_seconds()); }

  testing::SimClock clock;
  TestCluster cluster;
  TestClient client{cluster.meta_address()};
  std::shared_ptr<client::Table> table = client.create_table("t", 1);
  Gpid gpid{table->app_id(), 0};
  std::optional<wire::duplicate_source> source;  // of the requests that are sent
};

// Sources repeat what is refused, until the configuration or the clock is right.
struct DuplicateForNowTest : DuplicateTest {
  DuplicateForNowTest()
      : DuplicateTest({.duplication_group = {{"test", 1}, {"other", 2}},
                       .refuses_duplicates_for_now = true}) {}
};

struct DuplicateWithoutGroupTest : DuplicateTest {
  DuplicateWithoutGroupTest() : DuplicateTest(testing::TestClusterOptions()) {}
};

TEST_F(DuplicateTest, EntriesOfAllKindsActInTheirOrderUnderOneDecree) {
  set("removed", "v");
  set("m1", "v");
  auto before = next_decree();
  must_send({entry(kPut, put("p", "1")), entry(kPut, put("p", "2")),
             entry(kMultiPut, multi_put({"a", "b"}, "m")), entry(kRemove, remove("removed")),
             entry(kPut, put("m2", "v")), entry(kMultiRemove, multi_remove({"m1", "m2", "m3"})),
             entry(kRemove, remove("again")), entry(kPut, put("again", "back"))});
  EXPECT_EQ(next_decree(), before + 2);
  EXPECT_EQ(get("p"), "2");
  EXPECT_EQ(get("a"), "m");
  EXPECT_EQ(get("b"), "m");
  EXPECT_EQ(get("removed"), std::nullopt);
  EXPECT_EQ(get("m1"), std::nullopt);
  EXPECT_EQ(get("m2"), std::nullopt);
  EXPECT_EQ(get("again"), "back");
}

TEST_F(DuplicateTest, ARowGetsTheTimetagOfItsEntry) {
  auto old = entry(kPut, put("s", "v"));
  old.__set_timestamp(1'700'000'000'000'000);
  old.__set_cluster_id(127);
  must_send({old});
  EXPECT_EQ(stored_timetag("s"), record::make_timetag(1'700'000'000'000'000, 127, false));
}

TEST_F(DuplicateTest, OwnWritesCarryTheOwnId) {
  set("s", "v");
  EXPECT_EQ(record::timetag_cluster_id(stored_timetag("s")), 1);
}

TEST_F(DuplicateTest, OwnMultiPutsCarryTheOwnId) {
  client.must(table->multi_set("h", {{"s", "v"}}, 0, client.deadline()));
  EXPECT_EQ(record::timetag_cluster_id(stored_timetag("s")), 1);
}

TEST_F(DuplicateTest, AtomicOperationsCarryTheOwnIdAndTheTimeZero) {
  client.must(table->incr("h", "s", 1, 0, client.deadline()));
  EXPECT_EQ(stored_timetag("s"), record::make_timetag(0, 1, false));
}

TEST_F(DuplicateTest, WithoutVerifyTheLastThatArrivesWins) {
  set("s", "local");
  auto old = entry(kPut, put("s", "remote"));
  old.__set_timestamp(1);
  must_send({old});
  EXPECT_EQ(get("s"), "remote");
}

TEST_F(DuplicateTest, VerifiedPutsLeaveNewerAndEqualRowsAlone) {
  const auto now = clock.unix_us();
  set("local", "local");  // at now, by cluster 1
  must_send({verified("local", "remote", now - 1'000'000), verified("equal", "first", now - 1000)});
  EXPECT_EQ(get("local"), "local");
  must_send({verified("equal", "second", now - 1000)});
  EXPECT_EQ(get("equal"), "first");
  must_send({verified("equal", "third", now - 999)});
  EXPECT_EQ(get("equal"), "third");
}

TEST_F(DuplicateTest, AtTheSameTimeTheGreaterClusterIdWins) {
  const auto at = clock.unix_us() - 1000;
  auto last = verified("s", "of 127", at);
  last.__set_cluster_id(127);
  must_send({verified("s", "of 2", at)});
  must_send({last});
  EXPECT_EQ(get("s"), "of 127");
  must_send({verified("s", "of 2 again", at)});
  EXPECT_EQ(get("s"), "of 127");
}

TEST_F(DuplicateTest, VerifiedPutsOverwriteExpiredAndRemovedRows) {
  const auto old = clock.unix_us() - 1'000'000'000;
  set("expired", "v", pegasus_now() + 1);
  set("removed", "v");
  client.must(table->del("h", "removed", client.deadline()));
  clock.advance(async::milliseconds(5000));
  must_send({verified("expired", "new", old), verified("removed", "new", old)});
  EXPECT_EQ(get("expired"), "new");
  EXPECT_EQ(get("removed"), "new");
}

TEST_F(DuplicateTest, VerifiedMultiPutsDecideRowByRow) {
  set("a", "local");
  auto both = entry(kMultiPut, multi_put({"a", "b"}, "remote"));
  both.__set_timestamp(clock.unix_us() - 1000);
  both.__set_verify_timetag(true);
  must_send({both});
  EXPECT_EQ(get("a"), "local");
  EXPECT_EQ(get("b"), "remote");
}

TEST_F(DuplicateTest, VerifiedPutsSeeEarlierEntriesOfTheirRequest) {
  const auto at = clock.unix_us() - 1000;
  set("removed", "local");
  must_send({verified("s", "first", at), verified("s", "older", at - 1), verified("s", "equal", at),
             entry(kRemove, remove("removed")), verified("removed", "back", at),
             entry(kPut, put("plain", "newer")), verified("plain", "older", at)});
  EXPECT_EQ(get("s"), "first");
  EXPECT_EQ(get("removed"), "back");
  EXPECT_EQ(get("plain"), "newer");
}

TEST_F(DuplicateTest, RowsWithoutExpiryGetTheDefault) {
  client.must(client.cluster().set_envs("t", {{"default_ttl", "100"}}, client.deadline()));
  must_send({entry(kPut, put("s", "v")), entry(kPut, put("own", "v", pegasus_now() + 7)),
             entry(kMultiPut, multi_put({"m"}, "v"))});
  auto ttl = [&](const char* sort) {
    return client.must(table->ttl("h", sort, client.deadline())).seconds;
  };
  EXPECT_EQ(ttl("s"), 100);
  EXPECT_EQ(ttl("m"), 100);
  EXPECT_EQ(ttl("own"), 7);
}

TEST_F(DuplicateTest, IdsOutsideOfTheGroupAreRefused) {
  for (int id : {-128, -1, 0, 3, 126}) {
    auto stranger = entry(kPut, put("s", "v"));
    stranger.__set_cluster_id(int8_t(id));
    expect_refused({stranger}, "request cluster id is unconfigured");
  }
  EXPECT_EQ(get("s"), std::nullopt);
}

TEST_F(DuplicateTest, TheOwnIdIsRefused) {
  auto own = entry(kPut, put("s", "v"));
  own.__set_cluster_id(1);
  expect_refused({own}, "self-duplicating");
}

TEST_F(DuplicateTest, OtherCodesAreRefused) {
  expect_refused({entry("RPC_RRDB_RRDB_INCR", put("s", "v"))},
                 "unrecognized task code RPC_RRDB_RRDB_INCR");
  expect_refused({entry("nonsense", put("s", "v"))}, "unrecognized task code nonsense");
}

TEST_F(DuplicateTest, TimesAfterTheServersClockAreRefused) {
  auto late = entry(kPut, put("s", "v"));
  late.__set_timestamp(clock.unix_us() + 1);
  expect_refused({late}, "later than this server's clock");
  late.__set_timestamp(-1);
  expect_refused({late}, "is negative");
  late.__set_timestamp(clock.unix_us());
  must_send({late});
}

TEST_F(DuplicateTest, MalformedWritesAreRefused) {
  wire::update_request no_key;
  expect_refused({entry(kPut, "")}, "malformed PUT");
  expect_refused({entry(kPut, wire::encode_body(no_key))}, "malformed PUT");
  expect_refused({entry(kMultiPut, "x")}, "malformed MULTI_PUT");
  expect_refused({entry(kRemove, "x")}, "malformed REMOVE");
  expect_refused({entry(kMultiRemove, "x")}, "malformed MULTI_REMOVE");
}

TEST_F(DuplicateTest, WritesWithoutRowsChangeNothing) {
  set("s", "v");
  must_send({entry(kMultiPut, multi_put({}, "")), entry(kMultiRemove, multi_remove({})),
             entry(kMultiPut, wire::encode_body(wire::multi_put_request())),
             entry(kMultiRemove, wire::encode_body(wire::multi_remove_request()))});
  EXPECT_EQ(get("s"), "v");
  must_send({entry(kMultiPut, multi_put({}, "")), entry(kPut, put("s", "w"))});
  EXPECT_EQ(get("s"), "w");
}

TEST_F(DuplicateTest, ABodyThatDoesNotDecodeIsRefused) {
  WireClient wire(client, cluster.replica_addresses()[0]);
  auto reply = wire.call_raw(RpcCode::kDuplicate, gpid, "nonsense");
  ASSERT_TRUE(reply);
  auto response = WireClient::decode<wire::duplicate_response>(*reply);
  EXPECT_EQ(response.error, kInvalidArgument);
  EXPECT_THAT(response.error_hint, ::testing::HasSubstr("malformed duplicate_request"));
}

TEST_F(DuplicateForNowTest, RefusalsAreToBeRepeatedInTheSameWords) {
  const auto refusal = [&](wire::duplicate_entry wrong) {
    auto response = send({entry(kPut, put("first", "v")), std::move(wrong)});
    EXPECT_EQ(response.error, 13);
    EXPECT_EQ(get("first"), std::nullopt);
    return response.error_hint;
  };
  auto stranger = entry(kPut, put("s", "v")), own = stranger, late = stranger;
  stranger.__set_cluster_id(3);
  own.__set_cluster_id(1);
  late.__set_timestamp(clock.unix_us() + 1'000'000);
  EXPECT_EQ(refusal(stranger), "request cluster id is unconfigured");
  EXPECT_EQ(refusal(own), "self-duplicating");
  EXPECT_THAT(refusal(late), ::testing::HasSubstr("later than this server's clock"));
  clock.advance(async::milliseconds(1'000));
  must_send({late});
  EXPECT_EQ(get("s"), "v");
}

TEST_F(DuplicateTest, RequestsAndTheirLagAreCounted) {
  auto lagging = entry(kPut, put("s", "v"));
  lagging.__set_timestamp(clock.unix_us() - 10'000'000);
  must_send({entry(kPut, put("s", "v")), lagging});
  auto stranger = entry(kPut, put("s", "v"));
  stranger.__set_cluster_id(3);
  EXPECT_EQ(send({stranger}).error, kInvalidArgument);
  auto metrics = client.must(client.client().http_get(
      *net::parse_host_port(cluster.replica_addresses()[0].to_string()),
      "/metrics?types=replica&metrics=dup_requests,dup_lagging_writes&with_metric_fields=name,"
      "value",
      client.deadline()));
  EXPECT_THAT(metrics.body, ::testing::HasSubstr(R"({"name":"dup_requests","value":1})"));
  EXPECT_THAT(metrics.body, ::testing::HasSubstr(R"({"name":"dup_lagging_writes","value":1})"));
}

TEST_F(DuplicateTest, BodiesOfClientsInOtherLanguagesAreTaken) {
  wire::update_request request;
  request.key.data = record::encode_key("h", "s");
  request.value.data = "v";
  must_send({entry(kPut, wire::encode_body(request, 1))});
  EXPECT_EQ(get("s"), "v");
  must_send({entry(kRemove, wire::encode_body(wire::blob{record::encode_key("h", "s")}, 1))});
  EXPECT_EQ(get("s"), std::nullopt);
}

struct DuplicateLargeTest : DuplicateTest {
  DuplicateLargeTest()
      : DuplicateTest(
            {.max_request_size = 10'000, .duplication_group = {{"test", 1}, {"other", 2}}}) {}
};

// Real sources make requests larger than max_allowed_write_size, and would repeat them for ever.
TEST_F(DuplicateLargeTest, RequestsMayBeLargerThanThoseOfClients) {
  const std::string value(9'000, 'v');
  must_send(
      {entry(kPut, put("a", value)), entry(kPut, put("b", value)), entry(kPut, put("c", value))});
  EXPECT_EQ(get("c"), value);
  client.must(client.cluster().set_envs("t", {{"replica.write_throttling", "1000*reject*1000"}},
                                        client.deadline()));
  must_send({entry(kPut, put("d", value)), entry(kPut, put("e", value))});
  EXPECT_EQ(get("e"), value);
  WireClient wire(client, cluster.replica_addresses()[0]);
  auto reply = wire.call_raw(RpcCode::kDuplicate, gpid, std::string(50'000, 'x'));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->error, wire::ErrorCode::kInvalidData);
}

TEST_F(DuplicateTest, ARequestThatIsRepeatedIsAnsweredOkAndTakesADecree) {
  source = log(7, 3, 99);
  const std::vector<wire::duplicate_entry> entries{placed(entry(kPut, put("a", "remote")), 5, 0),
                                                   placed(entry(kRemove, remove("b")), 5, 1)};
  must_send(entries);
  set("a", "local");
  set("b", "local");
  const auto before = next_decree();
  must_send(entries);
  EXPECT_EQ(next_decree(), before + 2);
  EXPECT_EQ(get("a"), "local");
  EXPECT_EQ(get("b"), "local");
}

TEST_F(DuplicateTest, ARequestThatIsRefusedIsNotRemembered) {
  source = log(7, 3, 99);
  const auto good = placed(entry(kPut, put("s", "v")), 5, 0);
  EXPECT_EQ(send({good, placed(entry("nonsense", ""), 5, 1)}).error, kInvalidArgument);
  must_send({good});
  EXPECT_EQ(get("s"), "v");
  auto stranger = good;
  stranger.__set_cluster_id(3);
  EXPECT_EQ(send({stranger}).error, kInvalidArgument);
}

TEST_F(DuplicateTest, PositionsThatCannotBeAreRefused) {
  const auto plain = entry(kPut, put("s", "v"));
  auto other = plain, halved = plain;
  other.__set_cluster_id(127);
  halved.__set_decree(8);
  const auto refuses = [&](const std::vector<wire::duplicate_entry>& entries) {
    const auto response = send(entries);
    EXPECT_EQ(response.error, kInvalidArgument);
    EXPECT_THAT(response.error_hint, ::testing::HasSubstr("malformed"));
  };
  source = log(7, 3, 99);
  refuses({plain});
  refuses({halved});
  refuses({placed(plain, -1, 0)});
  refuses({placed(plain, 1, -1)});
  refuses({placed(plain, 2, 0), placed(plain, 2, 0)});
  refuses({placed(plain, 2, 0), placed(plain, 1, 5)});
  refuses({placed(plain, 2, 0), placed(other, 3, 0)});
  for (const auto& wrong : {log(-1, 3, 99), log(7, -1, 99), log(7, 3, -1)}) {
    source = wrong;
    refuses({placed(plain, 2, 0)});
  }
  EXPECT_EQ(get("s"), std::nullopt);
  source = log(INT32_MAX, INT32_MAX, INT64_MAX);
  must_send({placed(plain, INT64_MAX, INT32_MAX)});
  EXPECT_EQ(get("s"), "v");
}

TEST_F(DuplicateTest, NoEntriesAreNoError) { must_send({}); }

TEST_F(DuplicateWithoutGroupTest, NobodyMayDuplicate) {
  expect_refused({entry(kPut, put("s", "v"))}, "request cluster id is unconfigured");
}

TEST_F(DuplicateWithoutGroupTest, OwnWritesHaveTheIdZero) {
  set("s", "v");
  auto timetag = stored_timetag("s");
  EXPECT_NE(timetag, 0U);
  EXPECT_EQ(record::timetag_cluster_id(timetag), 0);
}

TEST_F(DuplicateTest, WritesAreNewerAfterARestartThoughTheClockWasSetBack) {
  set("row", "first");
  const auto first = clock.unix_us();
  clock.set_unix_seconds(clock.unix_seconds() - 3600);
  cluster.restart();
  set("row", "second");
  clock.set_unix_seconds(clock.unix_seconds() + 3600);
  must_send({verified("row", "as old as the first", first)});
  EXPECT_EQ(get("row"), "second");
  EXPECT_GT(record::timetag_timestamp_us(stored_timetag("row")), uint64_t(first));
}

}  // namespace
}  // namespace pegmove::server::replica
