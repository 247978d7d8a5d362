#include "server/cluster/cluster_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "testing/test_folder.h"

namespace pegmove::server::cluster {
namespace {

using ::testing::HasSubstr;

class ClusterFolderTest : public ::testing::Test {
 protected:
  std::string path_of(const std::string& name) const { return folder_ / ("data/" + name); }
  Result<ClusterFolder> take(const std::string& name = "A") {
    return ClusterFolder::take(folder_ / "data", name);
  }
  nlohmann::json identity() const {
    return nlohmann::json::parse(testing::read_file(path_of("cluster.json")));
  }
  // A folder with this cluster.json.
  void make(const std::string& identity) {
    std::filesystem::create_directories(folder_ / "data");
    testing::write_file(path_of("cluster.json"), identity);
  }

  testing::TestFolder folder_;
};

TEST_F(ClusterFolderTest, IsMadeAndTakenAgain) {
  {
    ASSERT_TRUE(take());
  }
  EXPECT_EQ(identity().at("format"), 2);
  EXPECT_EQ(identity().at("name"), "A");
  EXPECT_TRUE(take());
}

TEST_F(ClusterFolderTest, IsUsedByOneProcessThatIsNamed) {
  const auto first = take();
  ASSERT_TRUE(first);
  const auto second = take();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::kBusy);
  EXPECT_THAT(second.error().message(), HasSubstr(std::to_string(getpid())));
}

TEST_F(ClusterFolderTest, OfAnotherClusterIsRefused) {
  {
    ASSERT_TRUE(take());
  }
  const auto other = take("B");
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message(), HasSubstr("use --name A"));
}

TEST_F(ClusterFolderTest, OfAnEarlierVersionIsMarkedSoThatThatVersionRefusesIt) {
  make(R"({"format": 1, "name": "A"})");
  EXPECT_FALSE(take("B"));
  EXPECT_EQ(identity().at("format"), 1) << "it was refused";
  ASSERT_TRUE(take());
  EXPECT_EQ(identity(), nlohmann::json({{"format", 2}, {"name", "A"}}));
}

TEST_F(ClusterFolderTest, OfALaterVersionIsRefusedAndLeftAsItIs) {
  make(R"({"format": 3, "name": "A"})");
  const auto taken = take();
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code(), Code::kUnsupported);
  EXPECT_EQ(identity().at("format"), 3);
}

TEST_F(ClusterFolderTest, SaysWhoRunsThere) {
  {
    auto folder = take();
    ASSERT_TRUE(folder);
    ASSERT_TRUE(
        folder->announce({.name = "A", .pid = getpid(), .meta = "m:1", .replicas = {"r:2"}}));
    const auto running = ClusterFolder::running(folder_ / "data");
    ASSERT_TRUE(running && *running);
    EXPECT_EQ((*running)->meta, "m:1");
    EXPECT_EQ((*running)->replicas, std::vector<std::string>{"r:2"});
  }
  const auto running = ClusterFolder::running(folder_ / "data");
  ASSERT_TRUE(running);
  EXPECT_FALSE(*running);
  EXPECT_EQ(ClusterFolder::running(folder_ / "nowhere").error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace pegmove::server::cluster
