#include "client/scanner.h"

#include <gmock/gmock.h>

#include <random>
#include <set>

#include "client/table.h"
#include "record/expiry.h"
#include "record/key.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::TestClient;
using testing::TestCluster;

// hash key, sort key, value
using Rows = std::vector<std::tuple<std::string, std::string, std::string>>;

bool passes(int filter, const std::string& pattern, const std::string& key) {
  if (filter == 1) return key.find(pattern) != key.npos;
  if (filter == 2) return key.compare(0, pattern.size(), pattern) == 0;
  if (filter == 3)
    return key.size() >= pattern.size() &&
           key.compare(key.size() - pattern.size(), pattern.size(), pattern) == 0;
  return true;
}

class ScannerTest : public ::testing::Test {
 protected:
  Deadline soon() { return client.deadline(); }

  void set(const std::string& hash, const std::string& sort, const std::string& value,
           int64_t ttl = 0) {
    auto expire_ts = ttl == 0 ? 0 : record::pegasus_seconds(server_clock.unix_seconds() + ttl);
    client.must(table->set(hash, sort, value, expire_ts, soon()));
    if (ttl == 0) written.insert({hash, sort, value});
  }
  void fill(int hash_keys, int sort_keys) {
    for (int hash = 0; hash < hash_keys; ++hash) {
      std::vector<SortValue> rows;
      for (int sort = 0; sort < sort_keys; ++sort)
        rows.push_back({"s" + std::to_string(sort), "v" + std::to_string(sort)});
      for (auto& row : rows) written.insert({"h" + std::to_string(hash), row.sort_key, row.value});
      client.must(table->multi_set("h" + std::to_string(hash), rows, 0, soon()));
    }
  }
  static void append(Rows& rows, const ScanBatch& batch) {
    for (auto& row : batch.rows) {
      auto key = record::split_key(row.key);
      ASSERT_TRUE(key);
      rows.emplace_back(key->hash_key, key->sort_key, row.value);
    }
  }
  Rows read(Scanner& scanner) {
    Rows rows;
    while (auto batch = client.must(scanner.next(soon()))) append(rows, *batch);
    return rows;
  }
  Rows scan_all(ScanOptions options) {
    Rows rows;
    for (int32_t index = 0; index < table->partition_count(); ++index) {
      auto part = read(*table->scan_partition(index, options));
      rows.insert(rows.end(), part.begin(), part.end());
    }
    return rows;
  }
  // What a scan must return, whatever the order of partitions.
  Rows expected(const ScanOptions& options) {
    Rows rows;
    for (auto& [hash, sort, value] : written)
      if (passes(options.hash_key_filter, options.hash_key_pattern, hash) &&
          passes(options.sort_key_filter, options.sort_key_pattern, sort))
        rows.emplace_back(hash, sort, options.no_value ? "" : value);
    return rows;
  }

  testing::SimClock server_clock;
  TestCluster cluster{server_clock};
  TestClient client{cluster.meta_address()};
  std::shared_ptr<Table> table = client.create_table("t", 4);
  std::set<std::tuple<std::string, std::string, std::string>> written;
};

TEST_F(ScannerTest, AnEmptyTableHasNoRows) { EXPECT_THAT(scan_all({}), IsEmpty()); }

TEST_F(ScannerTest, PartitionsTogetherHaveEveryRowOnce) {
  fill(20, 30);
  set("", "no hash key", "v");
  set("h", "", "no sort key");
  set("h", std::string("\0\xff", 2), std::string("\0\xff", 2));
  set("expires", "s", "v", 5);
  server_clock.advance(async::milliseconds(5'000));
  for (int32_t batch_size : {1, 7, 100, 1000, 5000}) {
    auto rows = scan_all({.batch_size = batch_size});
    std::ranges::sort(rows);
    ASSERT_EQ(rows, expected({})) << "batch size " << batch_size;
  }
}

TEST_F(ScannerTest, RowsOfAPartitionComeInOrderOfTheirRawKeys) {
  fill(20, 5);
  set("a longer hash key", "s", "v");
  for (int32_t index = 0; index < 4; ++index) {
    std::string last;
    for (auto& [hash, sort, value] : read(*table->scan_partition(index, {.batch_size = 3}))) {
      auto key = record::encode_key(hash, sort);
      EXPECT_LT(last, key);
      last = key;
    }
  }
}

TEST_F(ScannerTest, FiltersChooseRowsByEitherKey) {
  fill(15, 15);
  set("", "s1", "v");
  std::mt19937 random(7);
  const std::vector<std::string> hash_patterns{"", "h", "h1", "1", "14", "x"};
  const std::vector<std::string> sort_patterns{"", "s", "s1", "1", "4", "s14", "x"};
  for (int i = 0; i < 60; ++i) {
    ScanOptions options{.batch_size = 1 + int32_t(random() % 20),
                        .no_value = random() % 4 == 0,
                        .hash_key_filter = int(random() % 4),
                        .hash_key_pattern = hash_patterns[random() % hash_patterns.size()],
                        .sort_key_filter = int(random() % 4),
                        .sort_key_pattern = sort_patterns[random() % sort_patterns.size()]};
    auto rows = scan_all(options);
    std::ranges::sort(rows);
    ASSERT_EQ(rows, expected(options))
        << options.hash_key_filter << " '" << options.hash_key_pattern << "' "
        << options.sort_key_filter << " '" << options.sort_key_pattern << "'";
  }
}

TEST_F(ScannerTest, AFilterThatDoesNotExistIsRefused) {
  set("h", "s", "v");
  auto refused = client.run(table->scan_partition(0, {.hash_key_filter = 4})->next(soon()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
}

TEST_F(ScannerTest, AHashKeysRangeIsScannedInOrder) {
  for (const auto* sort : {"", "a", "b", "ba", "c", "d"}) set("h", sort, "v");
  set("i", "a", "v");
  set("h1", "a", "v");
  auto sort_keys = [&](std::string_view start, std::string_view stop, bool start_inclusive,
                       bool stop_inclusive, ScanOptions options) {
    auto scanner = table->scan_hash_key("h", start, stop, start_inclusive, stop_inclusive, options);
    std::vector<std::string> keys;
    for (auto& [hash, sort, value] : read(**scanner)) {
      EXPECT_EQ(hash, "h");
      keys.push_back(sort);
    }
    return keys;
  };
  for (int32_t batch_size : {1, 2, 3, 100}) {
    ScanOptions options{.batch_size = batch_size};
    EXPECT_THAT(sort_keys("", "", true, false, options), ElementsAre("", "a", "b", "ba", "c", "d"));
    EXPECT_THAT(sort_keys("", "", false, false, options), ElementsAre("a", "b", "ba", "c", "d"));
    EXPECT_THAT(sort_keys("b", "c", true, false, options), ElementsAre("b", "ba"));
    EXPECT_THAT(sort_keys("b", "c", false, true, options), ElementsAre("ba", "c"));
    EXPECT_THAT(sort_keys("b", "b", true, true, options), ElementsAre("b"));
    EXPECT_THAT(sort_keys("b", "b", true, false, options), IsEmpty());
    EXPECT_THAT(sort_keys("d", "a", true, true, options), IsEmpty());
    EXPECT_THAT(sort_keys("e", "", true, true, options), IsEmpty());
    options.sort_key_filter = 2;
    options.sort_key_pattern = "b";
    EXPECT_THAT(sort_keys("", "", true, false, options), ElementsAre("b", "ba"));
  }
  EXPECT_FALSE(table->scan_hash_key("", "", "", true, false, {}));
}

TEST_F(ScannerTest, CountsWithoutRowsAndWithFilters) {
  fill(30, 40);
  for (int hash_filter : {0, 2}) {
    ScanOptions options{.batch_size = 17, .only_count = true};
    options.hash_key_filter = hash_filter;
    options.hash_key_pattern = "h1";
    int64_t count = 0;
    for (int32_t index = 0; index < 4; ++index) {
      auto scanner = table->scan_partition(index, options);
      while (auto batch = client.must(scanner->next(soon()))) {
        EXPECT_THAT(batch->rows, IsEmpty());
        count += batch->count;
      }
    }
    EXPECT_EQ(count, int64_t(expected(options).size()));
  }
}

TEST_F(ScannerTest, ExpiryComesWhenItIsAskedFor) {
  set("h", "for ever", "v");
  set("h", "later", "v", 100);
  auto later = record::pegasus_seconds(server_clock.unix_seconds() + 100);
  for (bool asked : {false, true}) {
    auto scanner = table->scan_hash_key("h", "", "", true, false, {.return_expire_ts = asked});
    auto batch = client.must((*scanner)->next(soon()));
    ASSERT_EQ(batch->rows.size(), 2u);
    EXPECT_EQ(batch->rows[0].expire_ts, 0u);
    EXPECT_EQ(batch->rows[1].expire_ts, asked ? later : 0u);
  }
}

TEST_F(ScannerTest, AScanSeesTheTableAsItWasAtItsBeginning) {
  fill(1, 50);
  auto scanner = table->scan_hash_key("h0", "", "", true, false, {.batch_size = 10});
  Rows rows;
  append(rows, *client.must((*scanner)->next(soon())));
  client.must(table->set("h0", "s9", "changed", 0, soon()));
  client.must(table->set("h0", "sx", "new", 0, soon()));
  client.must(table->del("h0", "s8", soon()));
  auto rest = read(**scanner);
  rows.insert(rows.end(), rest.begin(), rest.end());
  EXPECT_EQ(rows, expected({}));
}

TEST_F(ScannerTest, AnotherBatchSizeTakesEffectInTheMiddle) {
  fill(1, 50);
  auto scanner = table->scan_hash_key("h0", "", "", true, false, {.batch_size = 5});
  Rows rows;
  append(rows, *client.must((*scanner)->next(soon())));
  EXPECT_EQ(rows.size(), 5u);
  (*scanner)->set_batch_size(20);
  append(rows, *client.must((*scanner)->next(soon())));
  EXPECT_EQ(rows.size(), 25u);
  auto rest = read(**scanner);
  rows.insert(rows.end(), rest.begin(), rest.end());
  EXPECT_EQ(rows, expected({}));
}

TEST_F(ScannerTest, NoRowIsLostOrDoubledWhenTheClusterRestartsInTheMiddle) {
  fill(25, 20);
  for (bool filtered : {false, true}) {
    ScanOptions options{.batch_size = 13};
    if (filtered) {
      options.sort_key_filter = 1;
      options.sort_key_pattern = "1";
    }
    Rows rows;
    for (int32_t index = 0; index < 4; ++index) {
      auto scanner = table->scan_partition(index, options);
      for (int batches = 0; auto batch = client.must(scanner->next(soon())); ++batches) {
        append(rows, *batch);
        if (batches % 3 == 1) cluster.restart();
      }
    }
    std::ranges::sort(rows);
    EXPECT_EQ(rows, expected(options));
  }
}

TEST_F(ScannerTest, AScanThatRestedTooLongGoesOnBehindItsLastRow) {
  fill(1, 60);
  auto scanner = table->scan_hash_key("h0", "", "", true, false, {.batch_size = 25});
  Rows rows;
  while (auto batch = client.must((*scanner)->next(soon()))) {
    append(rows, *batch);
    server_clock.advance(std::chrono::minutes(6));
  }
  EXPECT_EQ(rows, expected({}));
}

TEST_F(ScannerTest, ACountThatTheServerForgotFails) {
  fill(1, 60);
  auto scanner =
      table->scan_hash_key("h0", "", "", true, false, {.batch_size = 25, .only_count = true});
  client.must((*scanner)->next(soon()));
  server_clock.advance(std::chrono::minutes(6));
  auto forgotten = client.run((*scanner)->next(soon()));
  ASSERT_FALSE(forgotten);
  EXPECT_EQ(forgotten.error().code(), Code::kRefused);
}

TEST_F(ScannerTest, ScannersThatAreGivenUpDoNoHarm) {
  fill(1, 60);
  for (int i = 0; i < 50; ++i) {
    auto scanner = table->scan_hash_key("h0", "", "", true, false, {.batch_size = 3});
    client.must((*scanner)->next(soon()));
  }
  EXPECT_EQ(scan_all({}).size(), 60u);
}

}  // namespace
}  // namespace pegmove::client
