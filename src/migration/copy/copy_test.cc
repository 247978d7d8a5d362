#include "migration/copy/copy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "async/pool.h"
#include "compare/compare.h"
#include "migration/copy/copies_test.h"
#include "migration/copy/copy_text.h"
#include "record/expiry.h"
#include "record/key.h"
#include "testing/random_table.h"
#include "testing/two_clusters.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using testing::find_free_port;
using testing::Model;
using testing::random_model;
using testing::TestCluster;
using testing::TwoClusters;

class CopyTest : public ::testing::Test {
 protected:
  void make(testing::TestClusterOptions source = {}, testing::TestClusterOptions target = {}) {
    clusters = std::make_unique<TwoClusters>(source, target);
  }
  uint32_t now() const { return record::pegasus_seconds(clusters->source_time.unix_seconds()); }

  Model make_table(const std::string& name, int partitions, uint32_t seed,
                   testing::RandomTableOptions options = {}) {
    options.expires_after = now();
    auto model = random_model(seed, options);
    auto table = clusters->create_table(clusters->source, name, partitions);
    clusters->must(write_model(table, model, clusters->deadline()));
    return model;
  }
  Result<CopyReport> copy(CopyOptions options, CopyListener listener = {}) {
    return clusters->run(prepare_and_copy(clusters->source, clusters->target, std::move(options),
                                          clusters->stop, std::move(listener)));
  }
  Result<PreparedCopy> prepare(CopyOptions options) {
    return clusters->run(prepare_copy(clusters->source, clusters->target, std::move(options)));
  }
  Error error_of(CopyOptions options) {
    auto prepared = prepare(std::move(options));
    return prepared ? Error(Code::kInternal, "it is no error") : prepared.error();
  }
  compare::CompareReport compare(compare::CompareOptions options) {
    async::StopSignal stop;
    auto tables = clusters->must(compare::open_tables(
        clusters->source, clusters->target, options.table, options.to_table, clusters->deadline()));
    return clusters->must(compare::compare(std::move(tables), std::move(options), stop, {}));
  }
  // How a table of the target differs from the model, by a reader of another kind.
  std::string differences(const std::string& table, const Model& model) {
    return clusters->must(differs_from(clusters->open_table(clusters->target, table), model, now(),
                                       clusters->deadline()));
  }
  std::vector<std::string> target_tables() {
    std::vector<std::string> names;
    for (auto& info : clusters->must(
             clusters->target->tables(client::ListedTables::kAvailable, clusters->deadline())))
      names.push_back(info.name);
    return names;
  }

  std::unique_ptr<TwoClusters> clusters;
};

int64_t bytes_of(const Model& model) {
  int64_t bytes = 0;
  for (const auto& [key, row] : model)
    bytes += int64_t(2 + key.hash_key.size() + key.sort_key.size() + row.value.size());
  return bytes;
}

// Each partition count is copied to each other one.
class CopyBetweenCountsTest : public CopyTest, public ::testing::WithParamInterface<int> {};

TEST_P(CopyBetweenCountsTest, EveryRowArrivesWithItsExpiry) {
  make({.replica_servers = 2}, {.replica_servers = 3});
  const int partitions = GetParam();
  auto model = make_table("t", partitions, uint32_t(partitions));
  std::optional<compare::RowSum> sum;
  for (int target_partitions : {1, 2, 4, 3, 8, 6}) {
    SCOPED_TRACE("to " + std::to_string(target_partitions));
    auto name = "t" + std::to_string(target_partitions);
    auto report =
        copy({.table = "t", .to_table = name, .create = true, .partitions = target_partitions});
    ASSERT_TRUE(report) << report.error().to_string();
    EXPECT_EQ(report->rows, int64_t(model.size()));
    EXPECT_EQ(report->bytes, bytes_of(model));
    EXPECT_EQ(report->source_partitions, partitions);
    EXPECT_EQ(report->target_partitions, target_partitions);
    EXPECT_EQ(report->partition_rows.size(), size_t(partitions));
    EXPECT_EQ(differences(name, model), "");

    auto compared = compare({.table = "t", .to_table = name});
    EXPECT_TRUE(compared.equal());
    EXPECT_TRUE(compared.differences.empty());
    EXPECT_EQ(compared.source_rows, int64_t(model.size()));
    EXPECT_EQ(compared.target_rows, int64_t(model.size()));
    EXPECT_EQ(compared.source_sum, compared.target_sum);
    EXPECT_EQ(sum.value_or(compared.source_sum), compared.source_sum)
        << "the sum knows no partitions";
    sum = compared.source_sum;
    clusters->must(clusters->target->drop_table(name, 0, clusters->deadline()));
  }
}

INSTANTIATE_TEST_SUITE_P(Partitions, CopyBetweenCountsTest, ::testing::Values(1, 2, 4, 3, 8, 6));

TEST_F(CopyTest, AnEmptyTableIsCopied) {
  make();
  clusters->create_table(clusters->source, "t", 3);
  auto report = copy({.table = "t", .create = true});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->rows, 0);
  EXPECT_EQ(report->target_partitions, 3);
  EXPECT_EQ(differences("t", {}), "");
}

TEST_F(CopyTest, ThroughDuplicateRowsThatTheTargetGotSinceStay) {
  make({}, {.name = "target", .duplication_group = {{"test", 1}, {"target", 2}}});
  auto model = make_table("t", 3, 1, {.rows = 700, .largest_value = 100});
  auto target = clusters->create_table(clusters->target, "t", 4);
  model.begin()->second = {"newer", 0};
  Model newer{*model.begin()};
  clusters->must(write_model(target, newer, clusters->deadline()));
  auto report = copy({.table = "t",
                      .into_nonempty = true,
                      .duplicate = client::DuplicateWrite{
                          .cluster_id = 1,
                          .timestamp_us = clusters->target_time.unix_us() - 600'000'000,
                          .verify_timetag = true}});
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(differences("t", model), "");
}

// What a table has that was split in the past: stale rows of its own keys in other partitions, and
// rows that are nowhere else.
TEST_F(CopyTest, ForeignRowsAreLeftOutHoweverRowsAreWritten) {
  make({}, {.name = "target", .duplication_group = {{"test", 1}, {"target", 2}}});
  const auto model = make_table("t", 4, 1, {.rows = 300, .largest_value = 100});
  Model stale = model;
  for (auto& [key, row] : stale) row = {"stale", 0};
  const auto source = clusters->open_table(clusters->source, "t");
  clusters->must(testing::write_foreign(source, stale, clusters->deadline()));
  clusters->must(
      testing::write_foreign(source, {{{"only", "here"}, {"v", 0}}}, clusters->deadline()));
  for (const bool duplicates : {false, true})
    for (int partitions : {4, 8, 3}) {
      const auto name = fmt::format("t{}_{}", partitions, duplicates);
      SCOPED_TRACE(name);
      CopyOptions options{.table = "t", .to_table = name, .create = true, .partitions = partitions};
      if (duplicates)
        options.duplicate = client::DuplicateWrite{
            .cluster_id = 1, .timestamp_us = clusters->target_time.unix_us() - 600'000'000};
      const auto report = copy(options);
      ASSERT_TRUE(report) << report.error().to_string();
      EXPECT_EQ(report->rows, int64_t(model.size()));
      EXPECT_EQ(report->rows_read, int64_t(2 * model.size() + 1));
      EXPECT_EQ(report->foreign.rows, int64_t(model.size() + 1));
      EXPECT_EQ(report->foreign.strays, 1);
      EXPECT_EQ(report->foreign.stray_keys, std::vector{record::encode_key("only", "here")});
      EXPECT_EQ(differences(name, model), "");
      const auto compared = compare({.table = "t", .to_table = name});
      EXPECT_TRUE(compared.equal());
      EXPECT_EQ(compared.source_foreign, report->foreign);
      EXPECT_EQ(compared.target_foreign, client::ForeignRows());
    }
}

TEST_F(CopyTest, OverwritesRowsAndLeavesThoseThatOnlyTheTargetHas) {
  make();
  auto model = make_table("t", 2, 1, {.rows = 50, .largest_value = 100});
  auto target = clusters->create_table(clusters->target, "t", 4);
  Model before{{{"only", "target"}, {"stays", 0}}, {model.begin()->first, {"old", now() + 99}}};
  clusters->must(write_model(target, before, clusters->deadline()));
  ASSERT_TRUE(copy({.table = "t", .into_nonempty = true}));
  model[{"only", "target"}] = {"stays", 0};
  EXPECT_EQ(differences("t", model), "");
}

TEST_F(CopyTest, CanBeRepeated) {
  make();
  auto model = make_table("t", 3, 2, {.rows = 100});
  ASSERT_TRUE(copy({.table = "t", .create = true, .partitions = 4}));
  ASSERT_TRUE(copy({.table = "t", .into_nonempty = true}));
  EXPECT_EQ(differences("t", model), "");
}

TEST_F(CopyTest, CopiesToAnotherTableOfTheSameCluster) {
  make();
  auto model = make_table("t", 2, 3, {.rows = 50});
  clusters->target = clusters->source;
  auto report = copy({.table = "t", .to_table = "u", .create = true, .partitions = 3});
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(differences("u", model), "");
}

TEST_F(CopyTest, TellsAnExpectedCountThatEndsExact) {
  make();
  auto model = make_table("t", 4, 4, {.rows = 400, .largest_value = 20'000});
  int64_t told = 0;
  std::optional<int64_t> last;
  ASSERT_TRUE(copy({.table = "t", .create = true, .pump = {.lanes_at_once = 1}},
                   [&](const CopyStatus& status) {
                     ++told;
                     EXPECT_EQ(status.partitions, 4);
                     if (!status.expected_rows) return;
                     EXPECT_GE(*status.expected_rows, status.progress.rows);
                     if (status.progress.lanes_done == 4) last = status.expected_rows;
                   }));
  EXPECT_GT(told, 0);
  EXPECT_EQ(last.value_or(int64_t(model.size())), int64_t(model.size()));
}

TEST_F(CopyTest, SaysByWhichRequestsRowsAreSent) {
  make();
  auto table = clusters->create_table(clusters->source, "t", 1);
  Model model;
  for (int i = 0; i < 100; ++i) model[{"h" + std::to_string(i / 4), std::to_string(i)}] = {"v", 0};
  clusters->must(write_model(table, model, clusters->deadline()));
  auto report = copy({.table = "t", .create = true, .through = Through::kPlain});
  ASSERT_TRUE(report) << report.error().to_string();
  ASSERT_TRUE(report->joins);
  EXPECT_EQ(report->joins->rows_alone, 100);
  EXPECT_NE(to_text(*report, {}).find("Sent 100 rows by PUT.\n"), std::string::npos);
  rows::PumpProgress progress;
  const auto line =
      CopySpeed().progress_of({progress, milliseconds(1000), 1, {}, "", "", report->joins}).line;
  EXPECT_NE(line.find("/s by PUT, partitions"), std::string::npos) << line;
}

TEST_F(CopyTest, ARowThatTheTargetRefusesIsNamed) {
  make({}, {.max_request_size = 30'000});
  auto table = clusters->create_table(clusters->source, "t", 2);
  clusters->must(table->set("big", "row", std::string(40'000, 'v'), 0, clusters->deadline()));
  clusters->must(table->set("small", "row", "v", 0, clusters->deadline()));
  auto report = copy({.table = "t", .create = true});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), Code::kInvalidArgument);
  auto text = report.error().to_string();
  EXPECT_NE(text.find("copying table 't'"), std::string::npos) << text;
  EXPECT_NE(text.find("\"big\" : \"row\" is too large"), std::string::npos) << text;
}

// More than a reply may hold: the scans must ask for fewer rows at a time.
TEST_F(CopyTest, RowsOfNearlyAMebibyteAreCopied) {
  make();
  auto table = clusters->create_table(clusters->source, "t", 1);
  Model model;
  for (int i = 0; i < 70; ++i)
    model[{"h" + std::to_string(i), "s"}] = {std::string(1'000'000, char('a' + i % 26)), 0};
  clusters->must(write_model(table, model, clusters->deadline()));
  auto report = copy({.table = "t", .create = true, .timeout = milliseconds(10'000)});
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(differences("t", model), "");
}

TEST_F(CopyTest, LargeRowsBehindManySmallOnesAreCopied) {
  make();
  auto table = clusters->create_table(clusters->source, "t", 1);
  Model model;
  for (int i = 0; i < 2100; ++i) model[{"a" + std::to_string(1000 + i), ""}] = {"small", 0};
  for (int i = 0; i < 800; ++i)
    model[{"longer" + std::to_string(1000 + i), ""}] = {std::string(100'000, char('a' + i % 26)),
                                                        0};
  clusters->must(write_model(table, model, clusters->deadline()));
  auto report = copy({.table = "t", .create = true, .timeout = milliseconds(10'000)});
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->rows, 2900);
}

TEST_F(CopyTest, ASourceTableThatDoesNotExistIsNamedAndNothingIsMade) {
  make();
  auto error = error_of({.table = "nowhere", .to_table = "made", .create = true});
  EXPECT_EQ(error.code(), Code::kNotFound);
  EXPECT_NE(error.message().find("'nowhere'"), std::string::npos) << error.message();
  EXPECT_TRUE(target_tables().empty());
}

TEST_F(CopyTest, AMissingTargetTableIsNotMadeUnasked) {
  make();
  clusters->create_table(clusters->source, "t", 1);
  auto error = error_of({.table = "t", .to_table = "u"});
  EXPECT_EQ(error.code(), Code::kNotFound);
  EXPECT_NE(error.message().find("'u'"), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("--create"), std::string::npos) << error.message();
  EXPECT_TRUE(target_tables().empty());
}

TEST_F(CopyTest, ATableToBeMadeMustNotExist) {
  make();
  clusters->create_table(clusters->source, "t", 1);
  clusters->create_table(clusters->target, "t", 1);
  auto error = error_of({.table = "t", .create = true});
  EXPECT_EQ(error.code(), Code::kAlreadyExists);
  EXPECT_NE(error.message().find("'t'"), std::string::npos) << error.message();
}

TEST_F(CopyTest, AnImpossiblePartitionCountIsRefused) {
  make();
  clusters->create_table(clusters->source, "t", 1);
  for (int partitions : {0, -1, 1'000'000}) {
    auto error = error_of({.table = "t", .create = true, .partitions = partitions});
    EXPECT_EQ(error.code(), Code::kInvalidArgument) << error.to_string();
  }
  EXPECT_TRUE(target_tables().empty());
}

TEST_F(CopyTest, ATableIsNotCopiedToItself) {
  make();
  auto model = make_table("t", 4, 5, {.rows = 20});
  auto metas = clusters->source_servers.meta_address().to_string();
  auto port = metas.substr(metas.rfind(':'));
  for (const auto& spelling :
       {metas, "localhost" + port, metas + "," + metas, "localhost" + port + "," + metas}) {
    SCOPED_TRACE(spelling);
    clusters->target = clusters->connect(spelling);
    auto error = error_of({.table = "t"});
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    EXPECT_NE(error.message().find("is the source itself"), std::string::npos) << error.message();
    EXPECT_EQ(error_of({.table = "t", .create = true}).code(), Code::kAlreadyExists);
  }
}

TEST_F(CopyTest, TablesOfTheSameIdAndCountOnTwoClustersAreNotTheSame) {
  make();
  auto a = clusters->create_table(clusters->source, "t", 4);
  auto b = clusters->create_table(clusters->target, "t", 4);
  auto c = clusters->create_table(clusters->source, "u", 4);
  ASSERT_EQ(a->app_id(), b->app_id());
  EXPECT_FALSE(inspect::is_same_table(*a, *b));
  EXPECT_FALSE(inspect::is_same_table(*a, *c));
  EXPECT_TRUE(inspect::is_same_table(*a, *a));
}

TEST_F(CopyTest, AClusterThatIsAwayIsAnErrorInTime) {
  make();
  clusters->create_table(clusters->source, "t", 1);
  clusters->target_servers.stop();
  auto error = error_of({.table = "t", .timeout = milliseconds(200)});
  EXPECT_EQ(error.code(), Code::kUnreachable) << error.to_string();
  EXPECT_NE(error.message().find(clusters->target->meta_list()), std::string::npos)
      << error.message();
}

// Something happens to the clusters when so and so many rows are copied.
class CopyInterruptedTest : public CopyTest {
 protected:
  // About 15 MB: many batches.
  void make_large_table() {
    Model rows;
    std::mt19937 random(11);
    for (int i = 0; i < 1500; ++i)
      rows[{testing::random_bytes(random, 4, 8), testing::random_bytes(random, 0, 4)}] = {
          testing::random_bytes(random, 9'000, 11'000), i % 3 ? 0 : now() + 1000 + uint32_t(i)};
    model = std::move(rows);
    auto table = clusters->create_table(clusters->source, "t", 4);
    clusters->must(write_model(table, model, clusters->deadline()));
  }
  CopyOptions options() const {
    return {.table = "t", .create = true, .partitions = 6, .pump = {.lanes_at_once = 2}};
  }
  // Stops the cluster at each of these rows, within the copy; it starts again beside the copy,
  // which meanwhile finds nobody there.
  CopyListener restart_at(TestCluster& servers, std::vector<int64_t> rows) {
    return [this, &servers, rows, next = size_t{0}](const CopyStatus& status) mutable {
      if (next == rows.size() || status.progress.rows < rows[next] || away) return;
      ASSERT_LT(status.progress.rows, int64_t(model.size())) << "it was too quick";
      ++next;
      ++restarts;
      away = true;
      servers.stop();
      starter.post([this, &servers] {
        servers.start();
        away = false;
      });
    };
  }
  void expect_equal() {
    EXPECT_EQ(differences("t", model), "");
    auto compared = compare({.table = "t"});
    EXPECT_TRUE(compared.equal());
    EXPECT_EQ(compared.source_sum, compared.target_sum);
  }

  Model model;
  int restarts = 0;
  std::atomic<bool> away = false;
  async::Pool starter{1};  // last: its destructor waits for a start under way
};

TEST_F(CopyInterruptedTest, ASourceThatRestartsOnItsPortsIsCopiedToItsEnd) {
  make({.replica_port = find_free_port()});
  make_large_table();
  auto report = copy(options(), restart_at(clusters->source_servers, {1, 700}));
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(restarts, 2);
  EXPECT_EQ(report->rows, int64_t(model.size())) << "no row is read twice";
  expect_equal();
}

TEST_F(CopyInterruptedTest, ASourceThatComesBackOnOtherPortsIsCopiedToItsEnd) {
  make();
  make_large_table();
  auto report = copy(options(), restart_at(clusters->source_servers, {1, 700}));
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(restarts, 2);
  EXPECT_EQ(report->rows, int64_t(model.size()));
  expect_equal();
}

TEST_F(CopyInterruptedTest, ATargetThatRestartsOnItsPortsGetsEveryRow) {
  make({}, {.replica_port = find_free_port()});
  make_large_table();
  auto report = copy(options(), restart_at(clusters->target_servers, {1, 700}));
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(restarts, 2);
  EXPECT_EQ(report->rows, int64_t(model.size()));
  expect_equal();
}

TEST_F(CopyInterruptedTest, ATargetThatComesBackOnOtherPortsGetsEveryRow) {
  make();
  make_large_table();
  auto report = copy(options(), restart_at(clusters->target_servers, {1, 700}));
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(restarts, 2);
  expect_equal();
}

TEST_F(CopyInterruptedTest, ATargetThatStaysAwayIsAnErrorThatSaysWhy) {
  make();
  make_large_table();
  auto late = options();
  late.timeout = milliseconds(500);
  late.retry_for = milliseconds(500);
  bool stopped = false;
  auto report = copy(late, [&](const CopyStatus& status) {
    if (status.progress.rows == 0 || std::exchange(stopped, true)) return;
    clusters->target_servers.stop();
  });
  ASSERT_FALSE(report);
  EXPECT_TRUE(stopped);
  EXPECT_EQ(report.error().code(), Code::kTimeout) << report.error().to_string();
  EXPECT_NE(report.error().to_string().find("copying table 't': partition "), std::string::npos)
      << report.error().to_string();
}

TEST_F(CopyInterruptedTest, AStoppedCopyIsCompletedByTheNext) {
  make();
  make_large_table();
  int64_t seen = 0;
  auto report = copy(options(), [&](const CopyStatus& status) {
    if (status.progress.rows == 0 || clusters->stop.requested()) return;
    seen = status.progress.rows;
    clusters->stop.request();
  });
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), Code::kInterrupted) << report.error().to_string();
  auto written = clusters->must(
      testing::count_rows(clusters->open_table(clusters->target, "t"), clusters->deadline()));
  EXPECT_GE(written, seen);
  EXPECT_LT(written, int64_t(model.size()));

  async::StopSignal never;
  auto second = clusters->run(prepare_and_copy(clusters->source, clusters->target,
                                               {.table = "t", .into_nonempty = true}, never, {}));
  ASSERT_TRUE(second) << second.error().to_string();
  expect_equal();
}

}  // namespace
}  // namespace pegmove::migration
