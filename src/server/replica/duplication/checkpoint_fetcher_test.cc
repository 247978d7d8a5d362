// Fetching a partition's rows from another cluster.
#include "server/replica/duplication/checkpoint_fetcher.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "async/run.h"
#include "base/bytes.h"
#include "blockstore/digest.h"
#include "duplication/failpoints.h"
#include "store/partitions_test.h"
#include "testing/fake_master.h"
#include "testing/skipping_clock.h"

namespace pegmove::server::replica {
namespace {

using testing::FakeMaster;
using ::testing::HasSubstr;
using testing::TestFolder;
using wire::ErrorCode;

// No time passes, so that no deadline does, however slow the machine is; sleeps are short.
class StoppedClock : public Clock {
 public:
  async::Instant now() const override { return {}; }
  int64_t unix_us() const override { return 1'800'000'000'000'000; }
  Routine<> sleep_until(async::Instant) override {
    return system_.sleep_for(async::milliseconds(1));
  }

 private:
  async::SystemClock system_;
};

class CheckpointFetcherTest : public ::testing::Test {
 protected:
  CheckpointFetcherTest() {
    master.checkpoint_of = [this](int32_t) { return checkpoint; };
    request.master_metas = {*net::parse_host_port(master.text())};
    request.master_cluster = "A";
    request.table = request.master_table = "t";
    request.gpid = {5, 0};
    request.partition_count = 1;
  }
  // Two rows, one of them of more than a block.
  void make_checkpoint() {
    std::mt19937_64 numbers(1);
    std::string noise(5'000'000, '\0');  // that no compression makes smaller
    for (auto& byte : noise) byte = char(numbers());
    const auto db = store::open({.path = folder / "master"});
    ASSERT_TRUE(store::put_row(*db, 1, noise));
    ASSERT_TRUE(store::put_row(*db, 2, "value"));
    ASSERT_EQ(db->checkpoint(checkpoint), 2);
    master.decree = 2;
  }
  Result<void> fetch(const std::string& dir) {
    CheckpointFetcher fetcher(
        context.get_executor(),
        {.limits = limits, .on_failpoint = [this](std::string_view point) { on_failpoint(point); }},
        clock, *entity);
    auto done = async::run_to_end(context, fetcher.fetch(request, dir, progress));
    async::run_to_end(context, fetcher.join());
    return done;
  }
  Error error_of_fetch() {
    auto done = fetch(folder / "target");
    if (done) throw std::runtime_error("it was fetched");
    EXPECT_FALSE(std::filesystem::exists(folder / "target/data/rdb"));
    return std::move(done).error();
  }
  static void expect_rows(const std::string& dir) {
    const auto db = store::open({.path = dir + "/data/rdb", .create_if_missing = false});
    EXPECT_EQ(db->last_decree(), 2);
    EXPECT_TRUE(store::has_row(*db, 1));
    EXPECT_TRUE(store::has_row(*db, 2));
  }

  TestFolder folder;
  const std::string checkpoint = folder / "checkpoint.2";
  FakeMaster master;
  duplication::CheckpointRequest request;
  std::shared_ptr<duplication::CheckpointProgress> progress =
      std::make_shared<duplication::CheckpointProgress>();
  std::function<void(std::string_view)> on_failpoint = [](std::string_view) {};
  std::vector<blockstore::RateLimit*> limits;
  metrics::Registry metrics;
  std::shared_ptr<metrics::Entity> entity = metrics.add("server", "replica", {});
  StoppedClock clock;
  asio::io_context context;
};

TEST_F(CheckpointFetcherTest, GetsTheRows) {
  make_checkpoint();
  ASSERT_TRUE(fetch(folder / "target"));
  expect_rows(folder / "target");
  EXPECT_FALSE(std::filesystem::exists(folder / "target/duplication"));
  EXPECT_GT(progress->all_bytes, 5'000'000);
  EXPECT_EQ(progress->done_bytes, progress->all_bytes);
}

TEST_F(CheckpointFetcherTest, AsksAsRealServersDo) {
  make_checkpoint();
  ASSERT_TRUE(fetch(folder / "target"));
  std::vector<std::string> asked;
  for (const auto& copy : master.copies()) {
    EXPECT_EQ(copy.source_dir, checkpoint);
    EXPECT_EQ(copy.dst_dir, folder / "target/duplication");
    EXPECT_TRUE(copy.overwrite);
    EXPECT_TRUE(copy.__isset.source_disk_tag && copy.__isset.pid && copy.__isset.hp_source);
    EXPECT_EQ(copy.hp_source, wire::host_port::of("127.0.0.1", master.address().port));
    asked.push_back(fmt::format("{} {} {}", copy.file_name.substr(0, 4), copy.offset / 1000,
                                copy.is_last ? "last" : "more"));
  }
  std::vector<std::string> expected{"MANI 0 last", "OPTI 0 last", "CURR 0 last"};
  for (const auto& [name, bytes] : testing::contents(checkpoint)) {
    if (!name.ends_with(".sst")) continue;
    const auto prefix = name.substr(0, 4);
    if (bytes.size() > size_t(CheckpointFetcher::kBlockBytes)) {
      expected.push_back(prefix + " 0 more");
      expected.push_back(prefix + " 4194 last");
    } else {
      expected.push_back(prefix + " 0 last");
    }
  }
  EXPECT_EQ(expected.size(), 7u);
  EXPECT_EQ(asked, expected);
}

TEST_F(CheckpointFetcherTest, DoesNothingWhenThePartitionIsThere) {
  make_checkpoint();
  ASSERT_TRUE(fetch(folder / "target"));
  ASSERT_TRUE(fetch(folder / "target"));
  EXPECT_EQ(master.configs(), 1);
}

// A copy of the folder at each failpoint is what a kill there leaves.
TEST_F(CheckpointFetcherTest, AKillAtAnyStepBeginsFromTheStart) {
  make_checkpoint();
  std::set<std::string> reached;
  std::vector<std::string> left;
  std::filesystem::create_directory(folder / "target");
  on_failpoint = [&](std::string_view point) {
    if (!reached.emplace(point).second) return;
    left.push_back(folder / ("left_at_" + std::string(point)));
    std::filesystem::copy(folder / "target", left.back(), std::filesystem::copy_options::recursive);
  };
  ASSERT_TRUE(fetch(folder / "target"));
  std::set<std::string> expected;
  for (const auto point : duplication::kFailpoints)
    if (point.starts_with("follower.") && point != "follower.partition_opened")
      expected.emplace(point);
  EXPECT_EQ(reached, expected) << "the list has them all";
  on_failpoint = [](std::string_view) {};
  for (const auto& dir : left) {
    SCOPED_TRACE(dir);
    const auto copies = master.copies().size();
    ASSERT_TRUE(fetch(dir));
    expect_rows(dir);
    EXPECT_EQ(master.copies().size() - copies, dir.ends_with("in_place") ? 0u : 7u)
        << "nothing of the earlier copy is used";
  }
}

TEST_F(CheckpointFetcherTest, RefusesAnotherPartitionCountAndNamesTheWay) {
  make_checkpoint();
  master.partition_count = 4;
  const auto error = error_of_fetch();
  EXPECT_EQ(error.code(), Code::kRefused);
  EXPECT_EQ(error.wire_code(), int(ErrorCode::kInconsistentState));
  EXPECT_THAT(error.to_string(), HasSubstr("fetching partition 0 of the table 't' of the cluster "
                                           "'A': the table 't' has 1 partitions, but there it has "
                                           "4"));
  EXPECT_THAT(error.to_string(), HasSubstr("`pegmove split` and `pegmove load`"));
  EXPECT_TRUE(master.copies().empty());
}

TEST_F(CheckpointFetcherTest, SaysWhatTheMasterLacks) {
  master.on_config = [](auto& config) { config.err.code = ErrorCode::kObjectNotFound; };
  EXPECT_EQ(error_of_fetch().code(), Code::kNotFound);
  master.on_config = [](auto& config) {
    config.partitions[0].primary = {};
    config.partitions[0].__set_hp_primary({});
  };
  EXPECT_EQ(error_of_fetch().wire_code(), int(ErrorCode::kInvalidState));
  master.on_config = [](auto& config) { config.partitions[0].pid.id.partition_index = 3; };
  EXPECT_EQ(error_of_fetch().code(), Code::kProtocol);
  master.on_config = [](auto&) {};
  std::filesystem::create_directory(checkpoint);
  master.on_checkpoint = [](auto& found) {
    found = {};
    found.err.code = ErrorCode::kPathNotFound;
  };
  const auto error = error_of_fetch();
  EXPECT_EQ(error.code(), Code::kNotFound);
  EXPECT_EQ(error.wire_code(), int(ErrorCode::kPathNotFound));
  EXPECT_THAT(error.to_string(), HasSubstr("keeps no checkpoint of it"));
}

TEST_F(CheckpointFetcherTest, WritesNothingOutsideOfItsFolder) {
  make_checkpoint();
  master.on_checkpoint = [](auto& found) { found.state.files.push_back("../../evil"); };
  EXPECT_EQ(error_of_fetch().code(), Code::kProtocol);
  EXPECT_TRUE(master.copies().empty());
  EXPECT_FALSE(std::filesystem::exists(folder / "target"));
}

TEST_F(CheckpointFetcherTest, RefusesFilesThatDifferFromWhatWasAnnounced) {
  make_checkpoint();
  master.on_copy = [](const auto&, auto& block) { block.file_content.data.pop_back(); };
  EXPECT_EQ(error_of_fetch().code(), Code::kCorrupt);
  master.on_copy = [](const auto&, auto&) {};
  master.on_sizes = [](auto& sizes) { sizes.size_list[0] = int64_t{1} << 60; };
  const auto error = error_of_fetch();
  EXPECT_EQ(error.code(), Code::kRefused);
  EXPECT_THAT(error.to_string(), HasSubstr("make space there"));
  master.on_sizes = [](auto&) {};
  master.decree = 9;
  EXPECT_THAT(error_of_fetch().to_string(), HasSubstr("ends at decree 2, and 9 was announced"));
}

TEST_F(CheckpointFetcherTest, FindsADamagedBlockWithoutChecksumsOfTheMaster) {
  make_checkpoint();
  master.on_copy = [](const wire::copy_request& request, auto& block) {
    if (request.offset == CheckpointFetcher::kBlockBytes) block.file_content.data[1000] ^= 1;
  };
  EXPECT_EQ(error_of_fetch().code(), Code::kCorrupt);
  master.on_copy = [](const auto&, auto&) {};
  ASSERT_TRUE(fetch(folder / "target")) << "the next try begins from the start";
  expect_rows(folder / "target");
}

TEST_F(CheckpointFetcherTest, ComparesTheMd5SumsThatAreGiven) {
  make_checkpoint();
  // Shared: the master answers on its own thread, perhaps after the test.
  const auto wrong_file = std::make_shared<std::string>("CURRENT");
  master.on_checkpoint = [this, wrong_file](wire::learn_response& found) {
    std::vector<std::string> sums;
    for (const auto& name : found.state.files)
      sums.push_back(name == *wrong_file
                         ? std::string(32, '0')
                         : blockstore::md5_hex(testing::read_file(checkpoint + "/" + name)));
    found.state.__set_file_checksums(sums);
  };
  EXPECT_THAT(error_of_fetch().to_string(), HasSubstr("CURRENT has another MD5"));
  wrong_file->clear();
  ASSERT_TRUE(fetch(folder / "target"));
  expect_rows(folder / "target");
}

TEST_F(CheckpointFetcherTest, ABlockThatFailsIsAskedForAgain) {
  make_checkpoint();
  const auto refusals = std::make_shared<std::atomic<int>>(0);
  master.on_copy = [refusals](const wire::copy_request& request, auto& block) {
    if (request.offset == 0 || ++*refusals > 2) return;
    block = {};
    block.error.code = ErrorCode::kBusy;
  };
  ASSERT_TRUE(fetch(folder / "target"));
  EXPECT_EQ(*refusals, 3);
  expect_rows(folder / "target");
}

TEST_F(CheckpointFetcherTest, TheLimitHoldsForWhatIsReceived) {
  make_checkpoint();
  testing::SkippingClock time(async::milliseconds(100));
  blockstore::RateLimit limit(time);
  limit.set(1 << 20);
  limits = {&limit};
  const auto begin = time.now();
  ASSERT_TRUE(fetch(folder / "target"));
  EXPECT_GT(time.now() - begin, std::chrono::seconds(3)) << "5 MB at 1 MiB/s, the first for free";
}

TEST_F(CheckpointFetcherTest, EndsWhenItIsCancelled) {
  make_checkpoint();
  on_failpoint = [&](std::string_view point) {
    if (point == "follower.block_written") progress->cancelled = true;
  };
  EXPECT_EQ(error_of_fetch().code(), Code::kInterrupted);
  EXPECT_LT(master.copies().size(), 6u);
}

// The dialogue of two real clusters, the source's answers as recorded.
TEST_F(CheckpointFetcherTest, OpensWhatARealServerSends) {
  std::map<int64_t, wire::copy_request> asked;
  std::map<std::string, std::string> files;
  wire::learn_response found;
  std::ifstream recorded("tests/golden/duplication/checkpoint-copy.jsonl");
  for (std::string text; std::getline(recorded, text);) {
    const auto line = nlohmann::json::parse(text);
    const auto name = line.at("rpc").get<std::string>();
    const auto body = base::from_hex(line.at("body").get<std::string>()).value();
    const auto id = line.at("seq").get<int64_t>();
    if (name == "RPC_QUERY_LAST_CHECKPOINT_INFO_ACK" && id == 105)
      found = wire::decode_body<wire::learn_response>(body).value();
    if (name == "RPC_NFS_COPY") asked[id] = wire::decode_body<wire::copy_request>(body).value();
    if (name == "RPC_NFS_COPY_ACK")
      files[asked.at(id).file_name] =
          wire::decode_body<wire::copy_response>(body).value().file_content.data;
  }
  ASSERT_EQ(files.size(), 6u);
  std::filesystem::create_directory(checkpoint);
  for (const auto& [name, bytes] : files) testing::write_file(checkpoint + "/" + name, bytes);
  master.partition_count = request.partition_count = 4;
  master.on_checkpoint = [found](wire::learn_response& response) {
    response.state = found.state;
    response.last_committed_decree = found.last_committed_decree;
  };
  ASSERT_TRUE(fetch(folder / "target"));
  std::vector<std::string> names;
  for (const auto& copy : master.copies()) names.push_back(copy.file_name);
  EXPECT_EQ(names, found.state.files) << "in the recorded order";
  const auto db = store::open({.path = folder / "target/data/rdb", .create_if_missing = false});
  EXPECT_EQ(db->last_decree(), 522);
  int rows = 0;
  const auto cursor = db->new_cursor();
  for (cursor->seek(""); cursor->valid(); cursor->next()) ++rows;
  EXPECT_GT(rows, 400);
}

// The thread hash of a request whose header names no partition: real servers end their process when
// a checkpoint is asked for on another thread than the partition's.
TEST_F(CheckpointFetcherTest, NamesThePartitionsThreadInTheHeader) {
  make_checkpoint();
  asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  const auto port = acceptor.local_endpoint().port();
  std::array<char, 192> header{};
  async::TaskGroup listening(context.get_executor());
  listening.spawn([](asio::ip::tcp::acceptor& from, std::array<char, 192>& to) -> Routine<> {
    auto socket = co_await from.async_accept(asio::use_awaitable);
    co_await asio::async_read(socket, asio::buffer(to), asio::use_awaitable);  // no result
  }(acceptor, header));
  master.on_config = [port](auto& config) {
    config.partitions[0].pid.id = {2, 0};
    config.partitions[0].__set_hp_primary(wire::host_port::of("127.0.0.1", port));
  };
  EXPECT_EQ(error_of_fetch().code(), Code::kUnreachable);
  async::run_to_end(context, listening.join());
  EXPECT_STREQ(header.data() + 40, "RPC_QUERY_LAST_CHECKPOINT_INFO");
  EXPECT_EQ(base::load_little_endian<int32_t>(header.data() + 124), 15838) << "as recorded";
}

}  // namespace
}  // namespace pegmove::server::replica
