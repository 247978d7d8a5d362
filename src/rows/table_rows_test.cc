// Reading and writing tables in all modes, between embedded clusters over loopback.
#include "rows/table_rows.h"

#include <gmock/gmock.h>

#include "record/expiry.h"
#include "record/hash.h"
#include "record/key.h"
#include "testing/random_table.h"
#include "testing/skipping_clock.h"
#include "testing/two_clusters.h"

namespace pegmove::rows {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Model;
using namespace std::string_literals;

class TableRowsTest : public ::testing::Test {
 protected:
  uint32_t now() const { return record::pegasus_seconds(clusters.source_time.unix_seconds()); }
  std::shared_ptr<client::Table> source_table(int partitions, const Model& model) {
    auto table = clusters.create_table(clusters.source, "t", partitions);
    clusters.must(write_model(table, model, clusters.deadline()));
    return table;
  }
  std::shared_ptr<client::Table> target_table(int partitions, const Model& model = {},
                                              const std::string& name = "u") {
    auto table = clusters.create_table(clusters.target, name, partitions);
    clusters.must(write_model(table, model, clusters.deadline()));
    return table;
  }
  PumpProgress copy(std::shared_ptr<client::Table> from, std::shared_ptr<client::Table> to,
                    TableReadOptions reading, TableWriteOptions writing) {
    TableSource source(std::move(from), std::move(reading));
    TableSink sink(std::move(to), std::move(writing));
    Pump pump(source, sink, clusters.stop, {});
    clusters.must(pump.run());
    return pump.progress();
  }
  std::string differences(const std::shared_ptr<client::Table>& table, const Model& model) {
    return clusters.must(differs_from(table, model, now(), clusters.deadline()));
  }
  // All that a lane gives, from behind `after` on.
  std::vector<RowBatch> read(TableSource& source, int index, std::string after = "") {
    auto lane = source.open_lane(index, std::move(after));
    std::vector<RowBatch> batches;
    while (auto batch = clusters.must(lane->next())) batches.push_back(*std::move(batch));
    return batches;
  }
  // How many writes the first partition has seen.
  int64_t decree(client::Table& table) {
    return clusters.must(table.set("", "", "", 0, clusters.deadline())).decree;
  }

  testing::TwoClusters clusters;
};

Model random_rows(uint32_t seed, uint32_t now, int rows = 500) {
  return testing::random_model(seed, {.rows = rows, .largest_value = 300, .expires_after = now});
}

// The rows that a condition holds for.
template <typename Keep>
Model only(const Model& model, Keep keep) {
  Model kept;
  for (const auto& [key, row] : model)
    if (keep(key, row)) kept[key] = row;
  return kept;
}

TEST_F(TableRowsTest, ChosenPartitionsAreTheLanes) {
  auto model = random_rows(1, now());
  auto from = source_table(5, model);
  auto to = target_table(3);
  TableSource source(from, {.partitions = {4, 1}});
  EXPECT_EQ(source.lanes(), 2);
  EXPECT_EQ(source.partition_of(0), 4);
  auto progress = copy(from, to, {.partitions = {4, 1}}, {});
  auto chosen = only(model, [](const auto& key, const auto&) {
    auto index = record::partition_index(record::key_hash(key.hash_key, key.sort_key), 5);
    return index == 4 || index == 1;
  });
  EXPECT_EQ(progress.rows, int64_t(chosen.size()));
  EXPECT_EQ(progress.lanes.size(), 2u);
  EXPECT_EQ(differences(to, chosen), "");
}

TEST_F(TableRowsTest, APartitionThatIsNotThereIsAnError) {
  TableSource source(source_table(2, {}), {.partitions = {2}});
  auto lane = source.open_lane(0, "");
  auto batch = clusters.run(lane->next());
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(batch.error().message(), HasSubstr("no partition 2"));
}

TEST_F(TableRowsTest, RepliesAreJoinedToBatchesOfSoManyRows) {
  Model model;
  for (int i = 0; i < 10'000; ++i) model[{"h" + std::to_string(i), "s"}] = {"v", 0};
  auto from = source_table(1, model);
  TableSource source(from, {.batch_rows = 3000});
  auto batches = read(source, 0);
  ASSERT_GE(batches.size(), 4u);
  EXPECT_LE(batches.size(), 5u);
  Model found;
  std::string last;
  for (const auto& batch : batches) {
    EXPECT_EQ(batch.rows_read, int64_t(batch.rows.size()));
    EXPECT_LT(batch.rows.size(), 4000u);
    EXPECT_EQ(batch.last_key, batch.rows.back().key);
    for (const auto& row : batch.rows) {
      EXPECT_LT(last, row.key);
      last = row.key;
      auto key = *record::split_key(row.key);
      found[{std::string(key.hash_key), std::string(key.sort_key)}] = {std::string(row.value), 0};
    }
  }
  EXPECT_EQ(found, model);
}

TEST_F(TableRowsTest, JoinedRepliesStayWithinTheBytesOfABatch) {
  Model model;
  for (int i = 0; i < 300; ++i) model[{"h" + std::to_string(i), "s"}] = {std::string(5000, 'v'), 0};
  auto from = source_table(1, model);
  TableSource source(from, {.batch_bytes = 100'000, .batch_rows = 1000});
  int64_t rows = 0;
  for (const auto& batch : read(source, 0)) {
    EXPECT_LE(batch.size(), 110'000);
    rows += batch.rows_read;
  }
  EXPECT_EQ(rows, 300);
}

TEST_F(TableRowsTest, FiltersMayHaveAnyBytes) {
  auto model = random_rows(2, now());
  model[{"\0\x80\xff"s, "\0"s}] = {"\xff\0v"s, 0};
  auto from = source_table(3, model);
  const RowFilters kFilters[] = {
      {.hash_key = {Match::kAnywhere, "\x80\xff"}},
      {.hash_key = {Match::kPrefix, "\0"s}, .sort_key = {Match::kPostfix, "\0"s}},
      {.sort_key = {Match::kExact, "\0"s}},
      {.sort_key = {Match::kExact, ""}},
      {.hash_key = {Match::kPostfix, "\xff"}, .value = {Match::kPrefix, "\xff\0"s}},
      {.value = {Match::kExact, ""}}};
  int number = 0;
  for (const auto& filters : kFilters) {
    SCOPED_TRACE(number);
    auto to = target_table(2, {}, "u" + std::to_string(number++));
    auto chosen = only(model, [&](const auto& key, const auto& row) {
      return filters.hash_key.accepts(key.hash_key) && filters.sort_key.accepts(key.sort_key) &&
             filters.value.accepts(row.value);
    });
    EXPECT_GT(chosen.size(), 0u);
    auto progress = copy(from, to, {.filters = filters}, {});
    EXPECT_EQ(progress.rows, int64_t(chosen.size()));
    EXPECT_EQ(differences(to, chosen), "");
  }
}

TEST_F(TableRowsTest, APositionIsTheLastRowThatWasReadEvenIfItWasLeftOut) {
  Model model;
  for (char sort = 'a'; sort <= 'z'; ++sort)
    model[{"h", std::string(1, sort)}] = {sort == 'd' ? "wanted" : "not", 0};
  TableSource source(source_table(1, model), {.filters = {.value = {Match::kExact, "wanted"}}});
  auto batches = read(source, 0);
  int64_t rows_read = 0, rows = 0;
  for (const auto& batch : batches) {
    rows_read += batch.rows_read;
    rows += int64_t(batch.rows.size());
  }
  EXPECT_EQ(rows_read, 26);
  EXPECT_EQ(rows, 1);
  EXPECT_EQ(batches.back().last_key, record::encode_key("h", "z"));
  EXPECT_TRUE(batches.back().rows.empty());
  // Behind the first batch there are only the others' rows.
  ASSERT_GT(batches.size(), 1u);
  auto rest = read(source, 0, std::string(batches[0].last_key));
  int64_t rest_read = 0;
  for (const auto& batch : rest) rest_read += batch.rows_read;
  EXPECT_EQ(rest_read, 26 - batches[0].rows_read);
}

TEST_F(TableRowsTest, ValuesAndExpiriesCanBeLeftOut) {
  auto model = random_rows(3, now());
  auto from = source_table(3, model);
  auto without_values = model, without_expiry = model;
  for (auto& [key, row] : without_values) row.value.clear();
  for (auto& [key, row] : without_expiry) row.expire_ts = 0;
  auto to = target_table(2);
  copy(from, to, {.with_values = false}, {});
  EXPECT_EQ(differences(to, without_values), "");
  copy(from, to, {.with_expiry = false}, {});
  EXPECT_EQ(differences(to, without_expiry), "");
}

TEST_F(TableRowsTest, AFilterOfValuesWorksWithoutValues) {
  auto from = source_table(1, {{{"a", "1"}, {"yes", 0}}, {{"a", "2"}, {"no", 0}}});
  auto to = target_table(1);
  copy(from, to, {.filters = {.value = {Match::kExact, "yes"}}, .with_values = false}, {});
  EXPECT_EQ(differences(to, {{{"a", "1"}, {"", 0}}}), "");
}

TEST_F(TableRowsTest, ARequestGivesAtMostSoManyRows) {
  auto model = random_rows(4, now(), 300);
  TableSource source(source_table(1, model), {.most_rows = 7});
  size_t rows = 0;
  for (const auto& batch : read(source, 0)) {
    EXPECT_LE(batch.rows.size(), 7u);
    rows += batch.rows.size();
  }
  EXPECT_EQ(rows, model.size());
}

TEST_F(TableRowsTest, ABatchCanBeWrittenInParts) {
  auto model = random_rows(5, now());
  auto from = source_table(3, model);
  for (auto mode : {WriteMode::kPlain, WriteMode::kNoOverwrite, WriteMode::kMultiSet}) {
    auto to = target_table(4, {}, "u" + std::to_string(int(mode)));
    auto progress =
        copy(from, to, {}, {.mode = mode, .most_rows_at_once = 2, .most_multi_sets = 1});
    EXPECT_EQ(progress.rows, int64_t(model.size()));
    EXPECT_EQ(differences(to, model), "");
  }
}

TEST_F(TableRowsTest, ExpiredRowsAreLeftOutInEveryMode) {
  auto model = Model{{{"h", "gone"}, {"v", now() + 10}}, {{"h", "there"}, {"v", now() + 1000}}};
  auto from = source_table(1, model);
  // The client's wall time is the source's; the servers' do not matter to the sink.
  SharedBytes bytes = SharedBytes::own(record::encode_key("h", "gone"));
  for (auto mode : {WriteMode::kPlain, WriteMode::kNoOverwrite, WriteMode::kMultiSet}) {
    auto to = target_table(1, {}, "u" + std::to_string(int(mode)));
    TableSink late(to, {.mode = mode, .clock_ahead_s = -5});
    EXPECT_EQ(clusters.must(late.write({bytes, {{bytes.view, "v", now()}}})).expired, 0);
    TableSink sink(to, {.mode = mode, .clock_ahead_s = 0});
    auto counts = clusters.must(sink.write({bytes, {{bytes.view, "v", now()}}}));
    EXPECT_EQ(counts.expired, 1);
    EXPECT_EQ(counts.written, 0);
    EXPECT_EQ(differences(to, {}), "");
  }
}

TEST_F(TableRowsTest, NoOverwriteKeepsWhatStandsThere) {
  auto model = random_rows(6, now());
  Model there, expected = model;
  int i = 0;
  for (const auto& [key, row] : model)
    if (i++ % 3 == 0) there[key] = {"the target's own", i % 2 ? now() + 500 : 0};
  for (const auto& [key, row] : there) expected[key] = row;
  auto from = source_table(3, model);
  auto to = target_table(4, there);
  auto progress = copy(from, to, {}, {.mode = WriteMode::kNoOverwrite});
  EXPECT_EQ(progress.rows_kept, int64_t(there.size()));
  EXPECT_EQ(progress.rows, int64_t(model.size() - there.size()));
  EXPECT_EQ(differences(to, expected), "") << "rows without hash key are among them";
  // Again: now all are there.
  progress = copy(from, to, {}, {.mode = WriteMode::kNoOverwrite});
  EXPECT_EQ(progress.rows, 0);
  EXPECT_EQ(progress.rows_kept, int64_t(model.size()));
}

TEST_F(TableRowsTest, NoOverwriteReplacesWhatHasExpired) {
  auto from = source_table(1, {{{"h", "s"}, {"new", 0}}});
  auto to = target_table(1, {{{"h", "s"}, {"old", now() + 5}}});
  clusters.target_time.advance(std::chrono::seconds(6));
  auto progress = copy(from, to, {}, {.mode = WriteMode::kNoOverwrite});
  EXPECT_EQ(progress.rows, 1);
  EXPECT_EQ(differences(to, {{{"h", "s"}, {"new", 0}}}), "");
}

TEST_F(TableRowsTest, NoOverwriteNamesARowThatIsTooLarge) {
  auto to = target_table(1);
  TableSink sink(to, {.mode = WriteMode::kNoOverwrite});
  auto bytes = SharedBytes::own(record::encode_key("h", "s"));
  std::string value(2 << 20, 'v');
  auto written = clusters.run(sink.write({bytes, {{bytes.view, value, 0}}}));
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message(), HasSubstr("\"h\" : \"s\" is too large"));
}

TEST_F(TableRowsTest, MultiSetKeepsEachExpiryHoweverTheyAlternate) {
  const uint32_t kExpiries[] = {0, now() + 1000, now() + 100, now() + 5000, 0};
  Model model;
  for (int hash = 0; hash < 5; ++hash)
    for (int sort = 0; sort < 60; ++sort)
      model[{"h" + std::to_string(hash), std::to_string(sort)}] = {"v" + std::to_string(sort),
                                                                   kExpiries[(sort + hash) % 5]};
  for (int sort = 0; sort < 20; ++sort)
    model[{"", std::to_string(sort)}] = {"no hash key", kExpiries[sort % 5]};
  auto from = source_table(2, model);
  auto to = target_table(3);
  auto progress = copy(from, to, {}, {.mode = WriteMode::kMultiSet});
  EXPECT_EQ(progress.rows, int64_t(model.size()));
  EXPECT_EQ(differences(to, model), "");
}

TEST_F(TableRowsTest, MultiSetIsARequestForAllRowsOfOneHashKeyAndExpiry) {
  std::string keys, long_value(100, 'v');
  std::vector<std::string> raw;
  for (int i = 0; i < 90; ++i)
    raw.push_back(record::encode_key(i < 60 ? "a" : "b", std::to_string(i)));
  RowBatch batch;
  for (size_t i = 0; i < raw.size(); ++i)
    batch.rows.push_back({raw[i], long_value, i % 2 ? now() + 1000 : 0});
  auto to = target_table(1);
  TableSink sink(to, {.mode = WriteMode::kMultiSet});
  auto before = decree(*to);
  EXPECT_EQ(clusters.must(sink.write(batch)).written, 90);
  EXPECT_EQ(decree(*to) - before - 1, 4) << "two hash keys, two expiries each";
  // Bounded in bytes.
  TableSink small(to, {.max_request_bytes = 1000, .mode = WriteMode::kMultiSet});
  before = decree(*to);
  EXPECT_EQ(clusters.must(small.write(batch)).written, 90);
  EXPECT_GT(decree(*to) - before - 1, 10);
}

// Four rows of a hash key are a request each at first. Each request takes 0.1 ms here,
// whatever is in it, and nothing else takes any time.
TEST(TableSink, MeasuresHowFewRowsAreFasterInOneRequest) {
  using std::chrono::microseconds;
  testing::SkippingClock clock(async::milliseconds(10));
  testing::TestCluster cluster(
      clock, {.write_cost = server::replica::WriteCost{.mutation = microseconds(0),
                                                       .request = microseconds(100)}});
  testing::TestClient client(cluster.meta_address(), clock);
  auto table = client.create_table("t", 1);
  std::vector<std::string> keys;
  for (int i = 0; i < 40; ++i)
    keys.push_back(record::encode_key("h" + std::to_string(i / 4), std::to_string(i % 4)));
  RowBatch batch;
  for (const auto& key : keys) batch.rows.push_back({key, "v", 0});
  TableSink sink(table);
  int batches = 0;
  do client.must(sink.write(batch));
  while (++batches < 3000 && sink.joins_used()->joined_share < 1);
  const auto used = *sink.joins_used();
  EXPECT_EQ(used.joined_from, 4u);
  EXPECT_EQ(used.rows_alone + used.rows_joined, 40 * batches);
  EXPECT_EQ(used.joined_requests, used.rows_joined / 4);
  ASSERT_TRUE(used.last_trial);
  EXPECT_EQ(used.last_trial->least_rows, 4u);
  EXPECT_EQ(used.last_trial->most_rows, 7u);
  EXPECT_DOUBLE_EQ(used.last_trial->joined_to_alone, 0.25);
  auto written = client.must(table->multi_get("h3", {}, client.deadline()));
  EXPECT_EQ(written.rows.size(), 4u);
}

TEST_F(TableRowsTest, OnlyPlainWritesHaveAChoice) {
  auto to = target_table(2);
  EXPECT_TRUE(TableSink(to).joins_used());
  EXPECT_FALSE(TableSink(to, {.mode = WriteMode::kMultiSet}).joins_used());
  EXPECT_FALSE(TableSink(to, {.mode = WriteMode::kNoOverwrite}).joins_used());
  EXPECT_FALSE(TableSink(to, {.duplicate = client::DuplicateWrite{}}).joins_used());
}

class GeoRowsTest : public TableRowsTest {
 protected:
  static std::string value_at(const std::string& latitude, const std::string& longitude) {
    return "id|a|b|c|" + longitude + "|" + latitude + "|z";
  }
  // 40.0039, 116.3222 and -33.8688, 151.2093, computed without the S2 library.
  static constexpr const char* kHashA = "1/223320022311";
  static constexpr const char* kSortA = "000122033012212321:";
  static constexpr const char* kHashB = "3/112021111301";
  static constexpr const char* kSortB = "333323011020000222:";
  const std::string at_a = value_at("40.0039", "116.3222");
  const std::string at_b = value_at("-33.8688", "151.2093");
};

TEST_F(GeoRowsTest, BothRowsAreWrittenWithOneExpiry) {
  Model model{{{"h", "a"}, {at_a, now() + 700}},
              {{"h", "b"}, {at_b, 0}},
              {{"", "\xff\0"s}, {at_b, 0}},
              {{"h", "none"}, {"no point", now() + 50}}};
  auto from = source_table(2, model);
  auto common = target_table(3);
  auto geo = target_table(4, {}, "u_geo");
  auto progress = copy(from, common, {}, {.mode = WriteMode::kGeo, .geo = GeoTarget{geo, {}}});
  EXPECT_EQ(progress.rows, 4);
  EXPECT_EQ(progress.rows_not_geo, 1);
  EXPECT_EQ(differences(common, model), "");
  EXPECT_EQ(differences(geo, {{{kHashA, kSortA + "\0\1ha"s}, {at_a, now() + 700}},
                              {{kHashB, kSortB + "\0\1hb"s}, {at_b, 0}},
                              {{kHashB, kSortB + "\0\0\xff\0"s}, {at_b, 0}}}),
            "");
}

TEST_F(GeoRowsTest, TheGeoRowOfTheOldValueGoes) {
  auto common = target_table(3);
  auto geo = target_table(4, {}, "u_geo");
  TableWriteOptions writing{.mode = WriteMode::kGeo, .geo = GeoTarget{geo, {}}};
  TableSink sink(common, writing);
  std::vector<std::string> raw{record::encode_key("h", "moves"), record::encode_key("h", "stays"),
                               record::encode_key("h", "leaves"), record::encode_key("h", "comes")};
  auto write = [&](const std::string& moves, const std::string& leaves, const std::string& comes) {
    RowBatch batch;
    batch.rows = {{raw[0], moves, 0}, {raw[1], at_a, 0}, {raw[2], leaves, 0}, {raw[3], comes, 0}};
    return clusters.must(sink.write(batch)).not_geo;
  };
  EXPECT_EQ(write(at_a, at_a, "nowhere"), 1);
  EXPECT_EQ(write(at_b, "nowhere", at_b), 1);
  EXPECT_EQ(differences(common, {{{"h", "moves"}, {at_b, 0}},
                                 {{"h", "stays"}, {at_a, 0}},
                                 {{"h", "leaves"}, {"nowhere", 0}},
                                 {{"h", "comes"}, {at_b, 0}}}),
            "");
  EXPECT_EQ(differences(geo, {{{kHashB, kSortB + raw[0]}, {at_b, 0}},
                              {{kHashA, kSortA + raw[1]}, {at_a, 0}},
                              {{kHashB, kSortB + raw[3]}, {at_b, 0}}}),
            "");
}

}  // namespace
}  // namespace pegmove::rows
