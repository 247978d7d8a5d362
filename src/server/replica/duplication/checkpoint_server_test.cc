// A replica server's answers to clusters that fetch its checkpoints.
#include "server/replica/duplication/checkpoint_server.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <set>

#include "async/run.h"
#include "blockstore/digest.h"
#include "client/client.h"
#include "data_types.h"
#include "duplication/failpoints.h"
#include "record/key.h"
#include "server/replica/replica_node.h"
#include "store/fetched_checkpoint.h"
#include "testing/sim_clock.h"
#include "testing/test_folder.h"

namespace pegmove::server::replica {
namespace {

using testing::read_file;
using wire::ErrorCode;
using wire::RpcCode;

constexpr Gpid kSourceGpid{7, 0};

class CheckpointServerTest : public ::testing::Test {
 protected:
  CheckpointServerTest() {
    start();
    put("h", "s", "value");
  }
  ~CheckpointServerTest() override {
    async::run_to_end(context, client.close());
    stop();
  }

  void start() {
    node = std::make_unique<ReplicaNode>(thread.executor(),
                                         NodeOptions{.data_dir = folder.path(),
                                                     .listen = {0x7f000001, 0},
                                                     .on_failpoint =
                                                         [this](std::string_view point) {
                                                           std::lock_guard lock(mutex);
                                                           points.emplace(point);
                                                         }},
                                         clock, Logger());
    thread.wait_for(begin(*node));
    ASSERT_TRUE(node->host({.app_id = 7, .name = "t", .envs = {}}, 0));
  }
  void stop() {
    thread.wait_for(end(*node));
    node->drain();
    node.reset();
  }
  static Routine<> begin(ReplicaNode& node) {
    EXPECT_TRUE(node.start());
    co_return;
  }
  static Routine<> end(ReplicaNode& node) {
    node.stop();
    co_await node.join();  // no result
  }

  template <typename T>
  T run(Routine<T> routine) {
    return async::run_to_end(context, std::move(routine));
  }
  Result<net::IncomingReply> send(RpcCode code, std::string body, Gpid gpid = {}) {
    return run(client.channel(node->address())
                   .call({.code = code, .gpid = gpid, .body = body, .deadline = soon()}));
  }
  template <typename Response, typename Request>
  Response call(RpcCode code, const Request& request, Gpid gpid = {}) {
    const auto reply = send(code, wire::encode_body(request), gpid);
    if (!reply || reply->error != ErrorCode::kOk) throw std::runtime_error("no answer");
    return wire::decode_body<Response>(reply->body.view).value();
  }
  Deadline soon() { return Deadline::in(system, async::milliseconds(60'000)); }

  void put(const std::string& hash_key, const std::string& sort_key, const std::string& value) {
    wire::update_request request;
    request.key.data = record::encode_key(hash_key, sort_key);
    request.value.data = value;
    EXPECT_EQ(call<wire::update_response>(RpcCode::kPut, request, kSourceGpid).error, 0);
  }
  int64_t prepare() { return thread.wait_for(node->prepare_checkpoint(kSourceGpid)).value(); }
  wire::learn_response query(wire::checksum_kind sums = wire::CST_NONE) {
    wire::learn_request request;
    request.pid.id = kSourceGpid;
    request.checksum_type = sums;
    return call<wire::learn_response>(RpcCode::kQueryLastCheckpoint, request);
  }
  wire::copy_response copy(const std::string& folder, const std::string& file, int64_t offset,
                           int32_t size) {
    wire::copy_request request;
    request.source_dir = folder;
    request.file_name = file;
    request.offset = offset;
    request.size = size;
    return call<wire::copy_response>(RpcCode::kNfsCopy, request);
  }
  wire::get_file_size_response sizes(const std::string& folder,
                                     std::vector<std::string> files = {}) {
    wire::get_file_size_request request;
    request.source_dir = folder;
    request.file_list = std::move(files);
    return call<wire::get_file_size_response>(RpcCode::kNfsGetFileSize, request);
  }

  std::mutex mutex;                           // guards points
  std::set<std::string, std::less<>> points;  // failpoints that were reached
  testing::SimClock clock;                    // of the node
  async::SystemClock system;
  testing::TestFolder folder;
  async::ContextThread thread;
  std::unique_ptr<ReplicaNode> node;
  asio::io_context context;
  client::Client client{context.get_executor(), system};
};

TEST_F(CheckpointServerTest, TellsWhereTheCheckpointIs) {
  EXPECT_EQ(prepare(), 1);
  put("h", "later", "value");
  const auto found = query();
  EXPECT_EQ(found.err.code, ErrorCode::kOk);
  EXPECT_EQ(found.state.from_decree_excluded, 0);
  EXPECT_EQ(found.state.to_decree_included, 1);
  EXPECT_EQ(found.last_committed_decree, 2) << "written since";
  EXPECT_EQ(found.base_local_dir, folder / "7.0.pegasus/data/checkpoint.1");
  EXPECT_EQ(net::Address({found.learnee.ipv4(), found.learnee.port()}), node->address());
  EXPECT_EQ(found.hp_learnee, wire::host_port::of("127.0.0.1", node->address().port));
  EXPECT_FALSE(found.__isset.replica_disk_tag);
  EXPECT_FALSE(found.state.__isset.file_sizes) << "only when checksums are asked for";
  ASSERT_GE(found.state.files.size(), 4u);
  EXPECT_TRUE(found.state.files[0].starts_with("MANIFEST-"));
  EXPECT_TRUE(found.state.files[1].starts_with("OPTIONS-"));
  EXPECT_EQ(found.state.files[2], "CURRENT");
}

TEST_F(CheckpointServerTest, HasNoneUntilItIsPrepared) {
  EXPECT_EQ(query().err.code, ErrorCode::kPathNotFound);
  wire::learn_request other;
  other.pid.id = {7, 1};
  EXPECT_EQ(call<wire::learn_response>(RpcCode::kQueryLastCheckpoint, other).err.code,
            ErrorCode::kObjectNotFound);
  prepare();
  EXPECT_EQ(query().err.code, ErrorCode::kOk);
  duplication::Assignment preparing;
  preparing.id = 1;
  node->duplicate(kSourceGpid, {preparing});
  EXPECT_EQ(query().err.code, ErrorCode::kOk) << "the target may fetch it still";
  node->duplicate(kSourceGpid, {});
  while (query().err.code == ErrorCode::kOk) {
  }
  EXPECT_EQ(query().err.code, ErrorCode::kPathNotFound);
}

TEST_F(CheckpointServerTest, SendsFilesThatAreAWholePartition) {
  prepare();
  const auto found = query();
  const auto all = sizes(found.base_local_dir, found.state.files);
  EXPECT_EQ(all.error, 0);
  EXPECT_EQ(all.file_list, found.state.files);
  EXPECT_EQ(sizes(found.base_local_dir).size_list, all.size_list) << "all, when none is named";
  std::filesystem::create_directory(folder / "copy");
  for (size_t i = 0; i < all.file_list.size(); ++i) {
    const auto& name = all.file_list[i];
    std::string bytes;
    for (int64_t offset = 0; offset < all.size_list[i];) {
      const auto size = int32_t(std::min<int64_t>(1000, all.size_list[i] - offset));
      const auto block = copy(found.base_local_dir, name, offset, size);
      ASSERT_EQ(block.error.code, ErrorCode::kOk);
      ASSERT_EQ(block.file_content.data.size(), size_t(size));
      EXPECT_EQ(block.offset, offset);
      EXPECT_EQ(block.size, size);
      bytes += block.file_content.data;
      offset += size;
    }
    testing::write_file(folder / ("copy/" + name), bytes);
  }
  EXPECT_EQ(store::check_fetched_checkpoint(folder / "copy"), 1);
}

TEST_F(CheckpointServerTest, SendsMd5SumsWhenTheyAreAskedFor) {
  prepare();
  const auto found = query(wire::CST_MD5);
  ASSERT_EQ(found.err.code, ErrorCode::kOk);
  ASSERT_EQ(found.state.file_checksums.size(), found.state.files.size());
  ASSERT_EQ(found.state.file_sizes.size(), found.state.files.size());
  for (size_t i = 0; i < found.state.files.size(); ++i) {
    const auto bytes = read_file(found.base_local_dir + "/" + found.state.files[i]);
    EXPECT_EQ(found.state.file_checksums[i], blockstore::md5_hex(bytes));
    EXPECT_EQ(found.state.file_sizes[i], int64_t(bytes.size()));
  }
  EXPECT_EQ(query(wire::checksum_kind(9)).err.code, ErrorCode::kGetLearnStateFailed);
}

TEST_F(CheckpointServerTest, SendsNothingFromOutsideOfTheCheckpoint) {
  prepare();
  const auto dir = query().base_local_dir;
  testing::write_file(folder / "secret", "secret");
  testing::write_file(dir + "/unlisted", "secret");
  std::filesystem::create_symlink(folder / "secret", dir + "/link");
  const std::pair<std::string, std::string> wrong[] = {{dir, "../../../secret"},
                                                       {dir, folder / "secret"},
                                                       {dir, "unlisted"},
                                                       {dir, "link"},
                                                       {dir, ""},
                                                       {dir, "."},
                                                       {folder.path(), "secret"},
                                                       {dir + "/..", "rdb/CURRENT"},
                                                       {dir + "/", "CURRENT"},
                                                       {"", "CURRENT"},
                                                       {"/", "etc/passwd"},
                                                       {"/etc", "passwd"}};
  for (const auto& [from, name] : wrong) {
    const auto block = copy(from, name, 0, 6);
    EXPECT_EQ(block.error.code, ErrorCode::kObjectNotFound) << from << " " << name;
    EXPECT_EQ(block.file_content.data, "");
    EXPECT_NE(sizes(from, {name}).error, 0) << from << " " << name;
  }
  EXPECT_EQ(sizes(folder.path()).error, int32_t(ErrorCode::kObjectNotFound));
  EXPECT_TRUE(sizes(folder.path()).file_list.empty());
}

TEST_F(CheckpointServerTest, RefusesBlocksThatAreNone) {
  prepare();
  const auto dir = query().base_local_dir;
  EXPECT_EQ(copy(dir, "CURRENT", 0, 16).error.code, ErrorCode::kOk);
  EXPECT_EQ(copy(dir, "CURRENT", 16, 0).error.code, ErrorCode::kOk);
  EXPECT_EQ(copy(dir, "CURRENT", 0, 17).error.code, ErrorCode::kHandleEof);
  EXPECT_EQ(copy(dir, "CURRENT", INT64_MAX, 1).error.code, ErrorCode::kHandleEof);
  for (const auto& [offset, size] :
       {std::pair<int64_t, int32_t>{-1, 1}, {0, -1}, {0, CheckpointServer::kMostBlockBytes + 1}})
    EXPECT_EQ(copy(dir, "CURRENT", offset, size).error.code, ErrorCode::kInvalidParameters);
  for (const auto code :
       {RpcCode::kNfsCopy, RpcCode::kNfsGetFileSize, RpcCode::kQueryLastCheckpoint})
    EXPECT_EQ(send(code, "x")->error, ErrorCode::kInvalidParameters);
}

TEST_F(CheckpointServerTest, KeepsTheCheckpointOverARestart) {
  prepare();
  const auto before = query();
  put("h", "later", "value");
  stop();
  start();
  const auto after = query();
  EXPECT_EQ(after.err.code, ErrorCode::kOk);
  EXPECT_EQ(after.base_local_dir, before.base_local_dir);
  EXPECT_EQ(after.state.files, before.state.files);
  EXPECT_EQ(after.last_committed_decree, 2);
}

TEST_F(CheckpointServerTest, PassesAllFailpointsOfTheSource) {
  prepare();
  copy(query().base_local_dir, "CURRENT", 0, 16);
  put("h", "later", "value");
  prepare();  // the first one is removed
  std::lock_guard lock(mutex);
  for (const auto point : duplication::kFailpoints)
    EXPECT_EQ(points.contains(point), point.starts_with("dup.")) << point;
}

TEST_F(CheckpointServerTest, TheSettingLimitsTheBytesOfASecond) {
  std::string noise;
  for (uint32_t i = 0; noise.size() < 900'000; ++i) noise += blockstore::md5_of(std::to_string(i));
  put("h", "large", noise);
  prepare();
  const auto found = query();
  const auto all = sizes(found.base_local_dir);
  const auto largest = size_t(std::ranges::max_element(all.size_list) - all.size_list.begin());
  const auto& name = all.file_list[largest];
  const auto text = node->address().to_string();
  const auto set = run(client.http_get(*net::parse_host_port(text),
                                       "/updateConfig?max_send_rate_megabytes_per_disk=1", soon()));
  ASSERT_TRUE(set && set->body.contains("OK")) << (set ? set->body : set.error().to_string());
  // The limit begins with some bytes to spare, and the first block leaves a debt.
  EXPECT_EQ(copy(found.base_local_dir, name, 0, 900'000).error.code, ErrorCode::kOk);
  bool is_answered = false;
  wire::copy_request request;
  request.source_dir = found.base_local_dir;
  request.file_name = name;
  request.size = 900'000;
  client.channel(node->address())
      .start({.code = RpcCode::kNfsCopy, .body = wire::encode_body(request), .deadline = soon()},
             [&](const Result<net::IncomingReply>& reply) { is_answered = reply.has_value(); });
  for (int i = 0; i < 20; ++i) query();  // answered after it, were it not for the limit
  EXPECT_FALSE(is_answered);
  while (!is_answered) {
    clock.advance(async::milliseconds(100));
    query();
  }
}

}  // namespace
}  // namespace pegmove::server::replica
