#include "client/foreign_rows.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>

#include "async/run.h"
#include "client/scanner.h"
#include "client/table.h"
#include "record/hash.h"
#include "record/key.h"
#include "testing/fake_partition.h"
#include "testing/random_table.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Model;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAreArray;
using Home = ForeignRow::Home;

class ForeignRowsTest : public ::testing::Test {
 protected:
  struct Read {
    Model rows;
    ForeignRows foreign;
    int64_t received = 0;
  };

  Deadline soon() { return client.deadline(); }
  void write(const Model& own, const Model& foreign) {
    client.must(write_model(table, own, soon()));
    client.must(write_foreign(table, foreign, soon()));
  }
  // All partitions; a row that comes twice is a failure.
  Read read(const ScanOptions& options) {
    Read read;
    for (int32_t index = 0; index < table->partition_count(); ++index) {
      auto scanner = table->scan_partition(index, options);
      while (auto batch = client.must(scanner->next(soon()))) take(*batch, read);
    }
    return read;
  }
  static void take(const ScanBatch& batch, Read& read) {
    EXPECT_EQ(batch.count, int64_t(batch.rows.size()));
    EXPECT_EQ(batch.last_key.empty(), batch.received() == 0);
    read.received += batch.received();
    for (const auto& row : batch.foreign) read.foreign.add(row);
    for (const auto& row : batch.rows) {
      const auto key = *record::split_key(row.key);
      const testing::ModelKey at{std::string(key.hash_key), std::string(key.sort_key)};
      EXPECT_TRUE(read.rows.try_emplace(at, std::string(row.value), row.expire_ts).second)
          << base::printable(row.key);
    }
  }

  testing::SimClock server_clock;
  testing::TestCluster cluster{server_clock};
  testing::TestClient client{cluster.meta_address()};
  std::shared_ptr<Table> table = client.create_table("t", 4);
};

// Also rows without a hash key: there the sort key decides.
TEST_F(ForeignRowsTest, AScanReturnsTheRowsOfThePartitionAndTheOthersKeysApart) {
  Model own, foreign, strays;
  for (int i = 0; i < 200; ++i) {
    own[{"h" + std::to_string(i), "s"}] = {"new", 0};
    own[{"", "s" + std::to_string(i)}] = {"new", 0};
  }
  for (int i = 0; i < 150; ++i) foreign[{"h" + std::to_string(i), "s"}] = {"old", 0};
  for (int i = 0; i < 100; ++i) foreign[{"", "s" + std::to_string(i)}] = {"old", 0};
  for (const char* key : {"", "only", "there"}) strays[{"stray", key}] = {"v", 0};
  write(own, foreign);
  write({}, strays);
  std::vector<std::string> stray_keys;
  for (const auto& [key, row] : strays)
    stray_keys.push_back(record::encode_key(key.hash_key, key.sort_key));
  for (int32_t batch_size : {1, 7, 1000}) {
    const auto found = read({.batch_size = batch_size});
    EXPECT_EQ(found.rows, own) << "batch size " << batch_size;
    EXPECT_EQ(found.received, 653);
    EXPECT_EQ(found.foreign.rows, 253);
    EXPECT_EQ(found.foreign.read, 253);
    EXPECT_EQ(found.foreign.strays, 3);
    EXPECT_THAT(found.foreign.stray_keys, UnorderedElementsAreArray(stray_keys));
  }
}

TEST_F(ForeignRowsTest, AScanWithoutValidationReturnsThemAsRows) {
  write({}, {{{"h", "s"}, {"old", 0}}});
  const auto found = read({.validate_partition_hash = false});
  EXPECT_THAT(found.rows, SizeIs(1));
  EXPECT_EQ(found.foreign, ForeignRows());
}

TEST_F(ForeignRowsTest, AScanContinuesAfterThemWhenTheServerHasForgottenIt) {
  Model own, foreign;
  for (int i = 0; i < 60; ++i) own[{"h" + std::to_string(i), "s"}] = {"new", 0};
  for (int i = 0; i < 60; ++i) foreign[{"i" + std::to_string(i), "s"}] = {"old", 0};
  write(own, foreign);
  Read found;
  for (int32_t index = 0; index < 4; ++index) {
    auto scanner = table->scan_partition(index, {.batch_size = 4});
    while (auto batch = client.must(scanner->next(soon()))) {
      take(*batch, found);
      server_clock.advance(std::chrono::minutes(6));
    }
  }
  EXPECT_EQ(found.rows, own);
  EXPECT_EQ(found.foreign.rows, 60);
}

TEST_F(ForeignRowsTest, SearchesAreBoundedAndCountingIsNot) {
  Model foreign;
  for (int i = 0; i < 400; ++i) foreign[{"h" + std::to_string(i), "s"}] = {"old", 0};
  write({}, foreign);
  const auto found = read({.most_foreign_searched = 30});
  EXPECT_EQ(found.foreign.rows, 400);
  EXPECT_EQ(found.foreign.read, 4 * 30);
  EXPECT_EQ(found.foreign.strays, 4 * 30);
  EXPECT_THAT(found.foreign.stray_keys, SizeIs(ForeignRows::kMostListed));
}

TEST(ForeignRows, ListsOfKeysAreBoundedInBytes) {
  ForeignRows foreign;
  for (int i = 0; i < 10; ++i)
    foreign.add({.key = std::string(5'000, char(i)), .home = Home::kHasNone});
  EXPECT_EQ(foreign.strays, 10);
  EXPECT_THAT(foreign.stray_keys, SizeIs(3));
  foreign += ForeignRows(foreign);
  EXPECT_EQ(foreign.rows, 20);
  EXPECT_THAT(foreign.stray_keys, SizeIs(3));
  foreign.note({.key = "", .home = Home::kHasRow});
  foreign.note({.key = "", .home = Home::kNotRead});
  EXPECT_EQ(foreign.read, 21);
  EXPECT_EQ(foreign.rows, 20);
}

// A table whose partitions are split while it is read.
class SplitTableTest : public ::testing::Test {
 protected:
  ~SplitTableTest() override {
    table.reset();
    run([](Client& client) -> Routine<bool> {
      co_await client.close();  // no result
      co_return true;
    }(client));
    run(server.stop());
  }
  template <typename T>
  T run(asio::awaitable<T> routine) {
    return async::run_to_end(context, std::move(routine));
  }
  Deadline soon() { return Deadline::in(clock, async::milliseconds(5'000)); }
  void open() {
    const auto meta = *net::parse_host_port(server.meta_address().to_string());
    table = *run(Table::open(std::make_shared<Cluster>(client, std::vector{meta}), "t", soon()));
  }
  std::string refusal(const Result<std::optional<ScanBatch>>& next) {
    EXPECT_FALSE(next);
    if (next) return "";
    EXPECT_EQ(next.error().code(), Code::kRefused);
    return next.error().to_string();
  }

  asio::io_context context;
  async::SystemClock clock;
  testing::FakePartition server{context.get_executor(), clock};
  Client client{context.get_executor(), clock};
  std::shared_ptr<Table> table;
};

TEST_F(SplitTableTest, IsNotScannedUntilTheSplitHasEnded) {
  server.partitions = 2;
  server.is_being_split = true;
  server.on_data = [](net::IncomingCall call) {
    ADD_FAILURE() << "a request was sent";
    call.reply(wire::ErrorCode::kOk, "");
  };
  open();
  EXPECT_THAT(refusal(run(table->scan_partition(0, {})->next(soon()))),
              AllOf(HasSubstr("is being split from 1 to 2 partitions"), HasSubstr("query_split")));
}

TEST_F(SplitTableTest, EndsAScanThatHasBegun) {
  open();
  auto scanner = table->scan_partition(0, {});
  server.partitions = 2;
  server.is_being_split = true;
  // What a parent answers; then the cluster is asked.
  server.on_data = [](net::IncomingCall call) {
    call.reply(wire::ErrorCode::kParentPartitionMisused, "");
  };
  EXPECT_THAT(refusal(run(scanner->next(Deadline::in(clock, async::milliseconds(200))))),
              HasSubstr("is being split from 1 to 2 partitions"));
}

TEST_F(SplitTableTest, IsNoticedAfterTheLastRow) {
  open();
  EXPECT_TRUE(run(table->router().check_still_whole(1, soon())));
  server.partitions = 2;
  const auto whole = run(table->router().check_still_whole(1, soon()));
  ASSERT_FALSE(whole);
  EXPECT_EQ(whole.error().code(), Code::kRefused);
  EXPECT_THAT(whole.error().to_string(), HasSubstr("was split from 1 to 2 partitions"));
}

}  // namespace
}  // namespace pegmove::client
