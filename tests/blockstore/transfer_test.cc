// Whole files on their way to and from every store, and what networks and servers do to them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <optional>

#include "async/run.h"
#include "blockstore/async_store.h"
#include "blockstore/digest.h"
#include "blockstore/provider.h"
#include "testing/fault_proxy.h"
#include "tests/blockstore/stores.h"

namespace pegmove::conformance {
namespace {

using async::milliseconds;
using blockstore::FileSum;
using blockstore::Transfer;
using ::testing::HasSubstr;

constexpr size_t kBig = (20 << 20) + 17;

FileSum sum_of(const std::string& bytes) {
  return {.size = int64_t(bytes.size()), .md5 = blockstore::md5_hex(bytes)};
}

dev_t device_of(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? status.st_dev : 0;
}

class TransferTest : public ::testing::TestWithParam<StoreKind> {
 protected:
  // Through the proxy, when there is one.
  blockstore::AsyncStore& store() {
    if (!store_) {
      auto opened = make_store(GetParam(), proxy_ ? proxy_->port() : 0, more_);
      store_.emplace(
          std::move(opened), pool_, clock_,
          blockstore::RetryOptions{.retry_for = retry_for_, .first_pause = milliseconds(1)});
    }
    return *store_;
  }
  template <typename T>
  Result<T> run(Task<T> task) {
    return async::run_to_end(context_, std::move(task));
  }
  // Connections to the data node of HDFS go through the proxy, too.
  bool use_proxy() {
    if (GetParam().name == "folder") return false;
    if (GetParam().name == "s3") {
      proxy_.emplace(server_port(GetParam()));
      return true;
    }
    data_proxy_.emplace(data_node_port());
    proxy_.emplace(
        server_port(GetParam()),
        pegmove::testing::Rewrites{{"http://127.0.0.1:" + std::to_string(data_node_port()),
                                    "http://127.0.0.1:" + std::to_string(data_proxy_->port())}});
    return true;
  }
  // Where file bytes pass.
  pegmove::testing::Faults& faults() {
    return data_proxy_ ? data_proxy_->faults() : proxy_->faults();
  }
  static uint16_t data_node_port();

  TempFolder folder_;
  async::SystemClock clock_;
  async::Pool pool_{2};
  asio::io_context context_;
  std::optional<pegmove::testing::FaultProxy> proxy_, data_proxy_;
  std::string more_;
  milliseconds retry_for_{20'000};
  std::optional<blockstore::AsyncStore> store_;
};

// As the name node tells it in a redirect.
uint16_t TransferTest::data_node_port() {
  return uint16_t(std::stoi(std::getenv("PEGMOVE_TEST_HDFS_DATA")));
}

TEST_P(TransferTest, AFileGoesAndComesBack) {
  const auto bytes = random_bytes(kBig, 7);
  int64_t moved = 0;
  const Transfer how{.on_bytes = [&](int64_t count) { moved += count; }};
  auto sent = run(store().upload(folder_.file("f", bytes), "t/f", how));
  ASSERT_TRUE(sent) << sent.error().to_string();
  EXPECT_EQ(sent->sum, sum_of(bytes));
  EXPECT_FALSE(sent->was_there);
  EXPECT_EQ(moved, int64_t(kBig));
  const auto here = folder_.path() + "/back";
  auto came = run(store().download("t/f", here, sent->sum, how));
  ASSERT_TRUE(came) << came.error().to_string();
  EXPECT_EQ(blockstore::md5_hex(read_local(here)), sent->sum.md5);
  EXPECT_EQ(moved, 2 * int64_t(kBig));
  EXPECT_EQ(*run(store().sum("t/f", {})), sent->sum);
}

TEST_P(TransferTest, WhatIsThereIsProvenAndNotSentAgain) {
  const auto bytes = random_bytes(kBig, 8);
  const auto local = folder_.file("f", bytes);
  ASSERT_TRUE(run(store().upload(local, "f", {})));
  auto again = run(store().upload(local, "f", {}));
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_TRUE(again->was_there);
  EXPECT_EQ(again->sum, sum_of(bytes));
}

TEST_P(TransferTest, AnotherFileOfTheSameSizeIsReplaced) {
  auto bytes = random_bytes(kBig, 9);
  ASSERT_TRUE(run(store().upload(folder_.file("f", bytes), "f", {})));
  bytes[kBig / 2] ^= 4;
  auto again = run(store().upload(folder_.file("f", bytes), "f", {}));
  EXPECT_FALSE(again->was_there);
  EXPECT_EQ(*run(store().sum("f", {})), sum_of(bytes));
}

// As a whole file, with its sum; by a link where the store is on the same file system, else as a
// copy.
TEST_P(TransferTest, AFileThatIsNotNeededHereMayBecomeTheStores) {
  const auto bytes = random_bytes(kBig, 10);
  const auto here = folder_.file("f", bytes);
  const char* other = device_of(here) == device_of("/dev/shm") ? "/var/tmp" : "/dev/shm";
  const auto elsewhere = other + ("/pegmove-test-" + std::to_string(::getpid()));
  std::ofstream(elsewhere, std::ios::binary) << bytes;
  for (const auto& local : {here, elsewhere, here}) {
    ASSERT_TRUE(run(store().write_file("t/f", "what was there")));
    const auto sent = run(store().upload(local, "t/f", {.may_take = true}));
    ASSERT_TRUE(sent) << sent.error().to_string();
    EXPECT_EQ(sent->sum, sum_of(bytes));
    EXPECT_EQ(*run(store().sum("t/f", {})), sum_of(bytes));
    EXPECT_EQ(run(store().list("t"))->size(), 1u);
    const bool is_linked = GetParam().name == "folder" && local == here;
    EXPECT_EQ(std::filesystem::hard_link_count(local), is_linked ? 2u : 1u) << local;
  }
  // It is there already, and the same.
  const auto again = run(store().upload(here, "t/f", {.may_take = true}));
  EXPECT_TRUE(again && again->was_there);
  std::filesystem::remove(elsewhere);
}

TEST_P(TransferTest, AFileThatIsNotAsWantedIsNotKept) {
  ASSERT_TRUE(run(store().write_file("f", "bytes")));
  const auto here = folder_.path() + "/f";
  for (auto wanted : {FileSum{.size = 5, .md5 = blockstore::md5_hex("other")},
                      FileSum{.size = 6, .md5 = blockstore::md5_hex("bytes")}}) {
    auto came = run(store().download("f", here, wanted, {}));
    ASSERT_FALSE(came);
    EXPECT_EQ(came.error().code(), Code::kCorrupt);
    EXPECT_THAT(came.error().to_string(), HasSubstr("downloading f"));
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
  }
}

TEST_P(TransferTest, ATransferIsStopped) {
  int pieces = 0;
  const Transfer how{.on_bytes = [&](int64_t) { ++pieces; },
                     .should_stop = [&] { return pieces > 1; }};
  auto sent = run(store().upload(folder_.file("f", random_bytes(kBig, 1)), "f", how));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code(), Code::kInterrupted);
  EXPECT_FALSE(*run(store().find("f")));
}

TEST_P(TransferTest, TooLargeFilesAreNotReadAtOnce) {
  ASSERT_TRUE(run(store().write_file("f", "123456")));
  EXPECT_EQ(*run(store().read_file("f", 6)), "123456");
  EXPECT_EQ(run(store().read_file("f", 5)).error().code(), Code::kTooLarge);
}

TEST_P(TransferTest, AConnectionThatIsCutInMidFileIsMadeAgain) {
  if (!use_proxy()) GTEST_SKIP() << "a folder has no connection";
  const auto bytes = random_bytes(kBig, 10);
  ASSERT_TRUE(run(store().upload(folder_.file("f", bytes), "f", {})));
  faults().at = 3'000'000;
  faults().cut_replies = 2;
  int64_t moved = 0;
  auto came = run(store().download("f", folder_.path() + "/back", sum_of(bytes),
                                   {.on_bytes = [&](int64_t count) { moved += count; }}));
  ASSERT_TRUE(came) << came.error().to_string();
  EXPECT_EQ(faults().cut_replies, 0) << "the fault did not happen";
  EXPECT_EQ(moved, int64_t(kBig));
}

TEST_P(TransferTest, AServerThatIsBusyIsAskedAgain) {
  if (!use_proxy()) GTEST_SKIP() << "a folder has no server";
  proxy_->faults().refuse_with_503 = 3;
  auto written = run(store().write_file("f", "bytes"));
  ASSERT_TRUE(written) << written.error().to_string();
  EXPECT_EQ(proxy_->faults().refuse_with_503, 0);
  EXPECT_EQ(*run(store().read_file("f", 10)), "bytes");
}

TEST_P(TransferTest, AServerThatStaysBusyIsGivenUp) {
  if (!use_proxy()) GTEST_SKIP() << "a folder has no server";
  retry_for_ = milliseconds(50);
  proxy_->faults().refuse_with_503 = 1'000'000;
  auto written = run(store().write_file("f", "bytes"));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), Code::kBusy);
  EXPECT_THAT(written.error().to_string(), HasSubstr("503"));
}

TEST_P(TransferTest, SilenceEndsWithATimeout) {
  if (!use_proxy()) GTEST_SKIP() << "a folder has no server";
  more_ = "timeout=1s";
  retry_for_ = milliseconds(0);
  proxy_->faults().silent = true;
  auto found = run(store().find("f"));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), Code::kTimeout);
  EXPECT_THAT(found.error().to_string(), HasSubstr("127.0.0.1"));
}

TEST_P(TransferTest, AByteThatChangesOnceOnTheWayIsFetchedAnew) {
  if (!use_proxy()) GTEST_SKIP() << "a folder has no way";
  const auto bytes = random_bytes(kBig, 14);
  faults().at = 3'000'000;
  faults().flip_requests = 1;
  auto sent = run(store().upload(folder_.file("f", bytes), "f", {}));
  ASSERT_TRUE(sent) << sent.error().to_string();
  faults().flip_replies = 1;
  auto came = run(store().download("f", folder_.path() + "/back", sum_of(bytes), {}));
  ASSERT_TRUE(came) << came.error().to_string();
  EXPECT_EQ(faults().flip_requests + faults().flip_replies, 0);
}

TEST_P(TransferTest, AByteThatChangesOnTheWayHereIsFound) {
  if (!use_proxy()) GTEST_SKIP() << "a folder has no way";
  const auto bytes = random_bytes(kBig, 11);
  ASSERT_TRUE(run(store().upload(folder_.file("f", bytes), "f", {})));
  faults().at = 3'000'000;
  faults().flip_replies = 100;
  auto came = run(store().download("f", folder_.path() + "/back", sum_of(bytes), {}));
  ASSERT_FALSE(came);
  EXPECT_EQ(came.error().code(), Code::kCorrupt);
  EXPECT_LT(faults().flip_replies, 100);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/back"));
}

TEST_P(TransferTest, AByteThatChangesOnTheWayThereIsFound) {
  if (!use_proxy()) GTEST_SKIP() << "a folder has no way";
  faults().at = 3'000'000;
  faults().flip_requests = 100;
  auto sent = run(store().upload(folder_.file("f", random_bytes(kBig, 12)), "f", {}));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code(), Code::kCorrupt) << sent.error().to_string();
  EXPECT_LT(faults().flip_requests, 100);
  EXPECT_FALSE(*run(store().find("f")));
}

TEST_P(TransferTest, WrongKeysAreRefusedAndNotTold) {
  if (GetParam().name != "s3") GTEST_SKIP() << "only S3 has keys";
  const auto file = folder_.file(
      "keys", "[default]\naws_access_key_id = " + std::string(std::getenv("AWS_ACCESS_KEY_ID")) +
                  "\naws_secret_access_key = notTheSecret\n");
  more_ = "credentials=" + file;
  auto written = run(store().write_file("f", "bytes"));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), Code::kUnauthenticated);
  EXPECT_THAT(written.error().to_string(), ::testing::Not(HasSubstr("notTheSecret")));
}

TEST_P(TransferTest, AStoreThatFillsFailsTheUploadAndShowsNothing) {
  if (GetParam().name == "folder") GTEST_SKIP() << "the disk of a folder is filled by a scenario";
  retry_for_ = milliseconds(0);
  store_.emplace(make_store(GetParam(), 0, "", true), pool_, clock_,
                 blockstore::RetryOptions{.retry_for = retry_for_, .tries_of_corrupt = 0});
  auto sent = run(store().upload(folder_.file("f", random_bytes(kBig, 13)), "t/f", {}));
  ASSERT_FALSE(sent);
  EXPECT_NE(sent.error().code(), Code::kCorrupt) << sent.error().to_string();
  EXPECT_THAT(sent.error().to_string(), HasSubstr("uploading t/f"));
  EXPECT_FALSE(*run(store().find("t/f")));
  auto small = run(store().write_file("t/small", "it goes on when there is room"));
  EXPECT_TRUE(small) << small.error().to_string();
}

TEST_P(TransferTest, ANameNodeThatIsAwayIsPassedOver) {
  if (GetParam().name != "hdfs") GTEST_SKIP() << "only HDFS has name nodes";
  more_ = "webhdfs=http://127.0.0.1:1," + std::string(std::getenv("PEGMOVE_TEST_HDFS_STANDBY")) +
          "," + std::string(std::getenv("PEGMOVE_TEST_HDFS"));
  auto written = run(store().write_file("f", "bytes"));
  ASSERT_TRUE(written) << written.error().to_string();
  EXPECT_EQ(*run(store().read_file("f", 10)), "bytes");
}

TEST_P(TransferTest, NameNodesThatAreAllOnStandbyAreNamed) {
  if (GetParam().name != "hdfs") GTEST_SKIP() << "only HDFS has name nodes";
  more_ = "webhdfs=" + std::string(std::getenv("PEGMOVE_TEST_HDFS_STANDBY"));
  retry_for_ = milliseconds(0);
  auto found = run(store().find("f"));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), Code::kBusy);
  EXPECT_THAT(found.error().to_string(), HasSubstr("is on standby"));
}

TEST_P(TransferTest, ANameServiceIsFoundInHadoopsConfiguration) {
  if (GetParam().name != "hdfs") GTEST_SKIP() << "only HDFS has name services";
  const auto address = [](const char* name) {
    return std::string(std::getenv(name)).substr(std::string_view("http://").size());
  };
  const auto property = [](const std::string& name, const std::string& value) {
    return "<property><name>" + name + "</name><value>" + value + "</value></property>";
  };
  folder_.file(
      "hdfs-site.xml",
      "<configuration>" + property("dfs.ha.namenodes.xxxprc-hadoop", "a,b") +
          property("dfs.namenode.http-address.xxxprc-hadoop.a",
                   address("PEGMOVE_TEST_HDFS_STANDBY")) +
          property("dfs.namenode.http-address.xxxprc-hadoop.b", address("PEGMOVE_TEST_HDFS")) +
          "</configuration>");
  setenv("HADOOP_CONF_DIR", folder_.path().c_str(), 1);
  auto opened = blockstore::open_store(
      {.name = "x", .type = "hdfs_service", .args = "hdfs://xxxprc-hadoop/ /named user=root"},
      clock_);
  unsetenv("HADOOP_CONF_DIR");
  ASSERT_TRUE(opened) << opened.error().to_string();
  store_.emplace(std::shared_ptr(*std::move(opened)), pool_, clock_);
  ASSERT_TRUE(run(store().write_file("f", "bytes")));
  EXPECT_EQ(*run(store().read_file("f", 10)), "bytes");
}

TEST_P(TransferTest, ADelegationTokenIsSentAndNotTold) {
  if (GetParam().name != "hdfs") GTEST_SKIP() << "only HDFS has delegation tokens";
  use_proxy();
  more_ = "token_file=" + folder_.file("token", "theToken\n");
  retry_for_ = milliseconds(0);
  auto found = run(store().list("nothing/here"));
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().to_string(), ::testing::Not(HasSubstr("theToken")));
  EXPECT_THAT(proxy_->requests(), HasSubstr("delegation=theToken"));
  EXPECT_THAT(proxy_->requests(), ::testing::Not(HasSubstr("user.name")));
}

TEST_P(TransferTest, ACertificateThatNobodyKnowsIsRefused) {
  if (GetParam().name != "s3") GTEST_SKIP() << "one store with TLS is enough";
  auto opened =
      blockstore::open_store({.name = "x",
                              .type = "s3_service",
                              .args = std::string(std::getenv("PEGMOVE_TEST_S3_TLS")) + " backups"},
                             clock_);
  store_.emplace(std::shared_ptr(*std::move(opened)), pool_, clock_);
  auto found = run(store().find("f"));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), Code::kUnauthenticated) << found.error().to_string();
}

INSTANTIATE_TEST_SUITE_P(Stores, TransferTest, ::testing::ValuesIn(proxied_kinds()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace pegmove::conformance
