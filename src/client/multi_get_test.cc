// multi_get in all its forms, compared with a model that is written from the description of the
// wire protocol alone and knows nothing of RocksDB.
#include <gmock/gmock.h>

#include <algorithm>
#include <random>

#include "client/table.h"
#include "record/expiry.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::client {
namespace {

using testing::TestClient;
using testing::TestCluster;

struct ModelRow {
  std::string hash_key, sort_key, value;
  bool expired = false;
};

std::string describe(const MultiGetOptions& options) {
  auto hex = [](const std::string& text) {
    std::string out = "'";
    for (unsigned char byte : text) out += (out.size() > 1 ? " " : "") + std::to_string(byte);
    return out + "'";
  };
  std::string out = (options.start_inclusive ? "[" : "(") + hex(options.start_sort_key) + ", " +
                    hex(options.stop_sort_key) + (options.stop_inclusive ? "]" : ")") + " filter " +
                    std::to_string(int(options.sort_key_filter)) + " " +
                    hex(options.sort_key_pattern) + " rows " + std::to_string(options.max_rows) +
                    " bytes " + std::to_string(options.max_bytes) +
                    (options.no_value ? " no value" : "") + (options.reverse ? " reverse" : "");
  for (const auto& key : options.sort_keys) out += " key " + hex(key);
  return out;
}

// The answer by the book. `rows` are all rows of the partition in the order of the database.
class Model {
 public:
  Model(const std::vector<ModelRow>& rows, std::string hash_key, MultiGetOptions options)
      : rows_(rows), hash_key_(std::move(hash_key)), options_(std::move(options)) {}

  MultiGetResult answer() {
    options_.sort_keys.empty() ? walk_range() : look_up_each();
    return std::move(result_);
  }

 private:
  bool is_full() const {
    auto most = options_.max_rows > 0 ? std::min(options_.max_rows, 3000) : 3000;
    return int(result_.rows.size()) >= most ||
           (options_.max_bytes > 0 && bytes_ >= options_.max_bytes);
  }

  void take(const ModelRow& row) {
    result_.rows.push_back({row.sort_key, options_.no_value ? "" : row.value});
    bytes_ += int(result_.rows.back().sort_key.size() + result_.rows.back().value.size());
  }

  void look_up_each() {
    result_.complete = true;
    for (const auto& key : options_.sort_keys)
      for (const auto& row : rows_) {
        if (row.hash_key != hash_key_ || row.sort_key != key || row.expired) continue;
        if (is_full()) {
          result_.complete = false;
          return;
        }
        take(row);
      }
  }

  bool passes_filter(const std::string& key) const {
    const auto& pattern = options_.sort_key_pattern;
    switch (options_.sort_key_filter) {
      case Filter::kAnywhere: return key.find(pattern) != key.npos;
      case Filter::kPrefix: return key.substr(0, pattern.size()) == pattern;
      case Filter::kPostfix:
        return key.size() >= pattern.size() && key.substr(key.size() - pattern.size()) == pattern;
      default: return true;
    }
  }

  // Bounds as sort keys; no high bound: to the end of the hash key.
  struct Bounds {
    std::string low;
    bool low_inclusive;
    std::optional<std::string> high;
    bool high_inclusive;
  };

  Bounds bounds() const {
    Bounds out{options_.start_sort_key, options_.start_inclusive, {}, false};
    if (!options_.stop_sort_key.empty())
      out = {out.low, out.low_inclusive, options_.stop_sort_key, options_.stop_inclusive};
    const auto& pattern = options_.sort_key_pattern;
    if (options_.sort_key_filter != Filter::kPrefix || pattern.empty()) return out;
    if (pattern > out.low) out = {pattern, true, out.high, out.high_inclusive};
    auto behind = pattern;
    while (!behind.empty() && behind.back() == '\xff') behind.pop_back();
    if (behind.empty()) return out;
    behind.back() = char(behind.back() + 1);
    if (!out.high || behind <= *out.high) out = {out.low, out.low_inclusive, behind, false};
    return out;
  }

  void walk_range() {
    auto range = bounds();
    result_.complete = true;
    if (range.high && (range.low > *range.high || (range.low == *range.high &&
                                                   !(range.low_inclusive && range.high_inclusive))))
      return;
    auto rows = rows_;
    if (options_.reverse) std::ranges::reverse(rows);
    auto is_below = [&](const std::string& key) {
      return key < range.low || (key == range.low && !range.low_inclusive);
    };
    auto is_above = [&](const std::string& key) {
      return range.high && (key > *range.high || (key == *range.high && !range.high_inclusive));
    };
    bool has_begun = false;
    for (const auto& row : rows) {
      bool same_hash = row.hash_key == hash_key_;
      if (!has_begun &&
          (!same_hash || (options_.reverse ? is_above(row.sort_key) : is_below(row.sort_key)))) {
        // Of what stands behind the range in the direction of the walk, the nearest counts as more
        // only when something was taken; the walk begins inside or not at all.
        continue;
      }
      has_begun = true;
      if (!same_hash && !options_.reverse) break;
      if (is_full()) {
        result_.complete = false;
        break;
      }
      if (!same_hash || (options_.reverse ? is_below(row.sort_key) : is_above(row.sort_key))) break;
      if (!row.expired && passes_filter(row.sort_key)) take(row);
      bool at_far_end =
          options_.reverse ? row.sort_key == range.low : range.high && row.sort_key == *range.high;
      if (at_far_end) break;
    }
    if (options_.reverse) std::ranges::reverse(result_.rows);
  }

  const std::vector<ModelRow>& rows_;
  std::string hash_key_;
  MultiGetOptions options_;
  MultiGetResult result_;
  int bytes_ = 0;
};

class MultiGetTest : public ::testing::Test {
 protected:
  Deadline soon() { return client.deadline(); }

  std::string random_key(int most_bytes) {
    static constexpr char kBytes[] = {'\0', 'a', 'b', '\xff'};
    std::string key;
    for (int size = int(random() % unsigned(most_bytes + 1)); size > 0; --size)
      key += kBytes[random() % 4];
    return key;
  }

  // Three hash keys, neighbours in one partition.
  void fill() {
    std::map<std::tuple<size_t, std::string, std::string>, ModelRow> sorted;
    for (const auto* hash : {"g", "h", "i"})
      for (int i = 0; i < 60; ++i) {
        ModelRow row{hash, random_key(4), std::string(random() % 20, 'v'), random() % 8 == 0};
        sorted[{row.hash_key.size(), row.hash_key, row.sort_key}] = row;
      }
    for (auto& [key, row] : sorted) {
      auto expire_ts = row.expired ? record::pegasus_seconds(server_clock.unix_seconds() + 1) : 0;
      client.must(table->set(row.hash_key, row.sort_key, row.value, expire_ts, soon()));
      rows.push_back(row);
    }
    server_clock.advance(async::milliseconds(2'000));
  }

  MultiGetOptions random_request() {
    MultiGetOptions options;
    if (random() % 4 == 0)
      for (auto count = 1 + random() % 8; count > 0; --count)
        options.sort_keys.push_back(random() % 4 != 0 ? rows[random() % rows.size()].sort_key
                                                      : random_key(4));
    options.start_sort_key = random_key(3);
    options.stop_sort_key = random_key(3);
    if (random() % 3 == 0) options.start_sort_key = rows[random() % rows.size()].sort_key;
    if (random() % 3 == 0) options.stop_sort_key = rows[random() % rows.size()].sort_key;
    options.start_inclusive = random() % 2 == 0;
    options.stop_inclusive = random() % 2 == 0;
    options.sort_key_filter = Filter(random() % 4);
    options.sort_key_pattern = random_key(2);
    if (random() % 2 == 0) options.max_rows = int32_t(random() % 12);
    if (random() % 3 == 0) options.max_bytes = int32_t(random() % 120);
    options.no_value = random() % 4 == 0;
    options.reverse = random() % 2 == 0;
    return options;
  }

  testing::SimClock server_clock;
  TestCluster cluster{server_clock};
  TestClient client{cluster.meta_address()};
  std::shared_ptr<Table> table = client.create_table("t", 1);
  std::mt19937 random{20261122};
  std::vector<ModelRow> rows;
};

TEST_F(MultiGetTest, AnswersAsTheModelDoes) {
  fill();
  int incomplete = 0, with_rows = 0;
  for (int i = 0; i < 4000; ++i) {
    auto options = random_request();
    auto hash = std::string(1, "ghi"[random() % 3]);
    auto expected = Model(rows, hash, options).answer();
    auto actual = client.must(table->multi_get(hash, options, soon()));
    auto what = "request " + std::to_string(i) + " of " + hash + ": " + describe(options);
    ASSERT_EQ(actual.complete, expected.complete) << what;
    ASSERT_EQ(actual.rows.size(), expected.rows.size()) << what;
    for (size_t row = 0; row < actual.rows.size(); ++row) {
      ASSERT_EQ(actual.rows[row].sort_key, expected.rows[row].sort_key) << what;
      ASSERT_EQ(actual.rows[row].value, expected.rows[row].value) << what;
    }
    incomplete += !actual.complete;
    with_rows += !actual.rows.empty();
  }
  EXPECT_GT(incomplete, 200);  // the requests say something
  EXPECT_GT(with_rows, 1000);
}

TEST_F(MultiGetTest, ReturnsAtMost3000Rows) {
  std::vector<SortValue> some;
  for (int i = 0; i < 3000; ++i) some.push_back({std::to_string(10'000 + i), "v"});
  client.must(table->multi_set("h", some, 0, soon()));
  auto all = client.must(table->multi_get("h", {}, soon()));
  EXPECT_EQ(all.rows.size(), 3000u);
  EXPECT_TRUE(all.complete);
  client.must(table->set("h", "9", "one more", 0, soon()));
  for (int32_t max_rows : {0, -1, 5000}) {
    auto most = client.must(table->multi_get("h", {.max_rows = max_rows}, soon()));
    EXPECT_EQ(most.rows.size(), 3000u);
    EXPECT_FALSE(most.complete);
  }
  auto last = client.must(table->multi_get("h", {.max_rows = 1, .reverse = true}, soon()));
  ASSERT_EQ(last.rows.size(), 1u);
  EXPECT_EQ(last.rows[0].sort_key, "9");
  EXPECT_EQ(client.must(table->sort_key_count("h", soon())).count, 3001);
}

TEST_F(MultiGetTest, LooksAtNoMoreThan3000RowsForAFilter) {
  std::vector<SortValue> some;
  for (int i = 0; i < 3000; ++i) some.push_back({std::to_string(10'000 + i), "v"});
  some.push_back({"wanted", "v"});
  client.must(table->multi_set("h", some, 0, soon()));
  MultiGetOptions options{.sort_key_filter = Filter::kPostfix, .sort_key_pattern = "wanted"};
  auto found = client.must(table->multi_get("h", options, soon()));
  EXPECT_EQ(found.rows.size(), 0u);
  EXPECT_FALSE(found.complete);
  options.sort_key_filter = Filter::kPrefix;  // narrows the range
  found = client.must(table->multi_get("h", options, soon()));
  EXPECT_EQ(found.rows.size(), 1u);
  EXPECT_TRUE(found.complete);
}

}  // namespace
}  // namespace pegmove::client
