// What the source's meta server asks another cluster for when a duplication is added with -s.
#include "server/meta/duplication/follower.h"

#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "async/run.h"
#include "base/bytes.h"
#include "testing/fake_master.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::server::meta {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using wire::ErrorCode;

class FollowerTest : public ::testing::Test {
 protected:
  FollowerTest() {
    request.remote = "onebox2";
    request.metas = {*net::parse_host_port(target.text())};
    request.table = request.own_table = "u";
    request.partition_count = target.partition_count = 4;
    request.app_type = "pegasus";
    request.own_cluster = "onebox";
    request.own_metas = "localhost:34601";
  }
  ~FollowerTest() override { async::run_to_end(context, client.close()); }

  Deadline soon() { return Deadline::in(clock, async::milliseconds(60'000)); }
  Result<void> create(const std::string& status) {
    return async::run_to_end(context, create_follower(client, request, status, soon()));
  }
  Result<void> check() {
    return async::run_to_end(context, check_follower(client, request, soon()));
  }
  Error error_of_check() {
    auto checked = check();
    if (checked) throw std::runtime_error("it is complete");
    return std::move(checked).error();
  }
  Error error_of_create(ErrorCode answer) {
    target.on_create = [answer] {
      wire::configuration_create_app_response response;
      response.err.code = answer;
      return response;
    };
    auto created = create("creating");
    if (created) throw std::runtime_error("it was created");
    EXPECT_EQ(created.error().wire_code(), int(answer));
    return std::move(created).error();
  }
  // The body of a request of real servers, in hex.
  static std::string recorded(int64_t id) {
    std::ifstream lines("tests/golden/duplication/checkpoint-copy.jsonl");
    for (std::string text; std::getline(lines, text);) {
      const auto line = nlohmann::json::parse(text);
      if (line.at("rpc") == "RPC_CM_CREATE_APP" && line.at("seq") == id)
        return line.at("body").get<std::string>();
    }
    throw std::runtime_error("no such line");
  }

  testing::FakeMaster target;
  FollowerRequest request;
  asio::io_context context;
  async::SystemClock clock;
  client::Client client{context.get_executor(), clock};
};

TEST_F(FollowerTest, SendsTheBytesOfRealServers) {
  ASSERT_TRUE(create("creating"));
  ASSERT_TRUE(create("created"));
  ASSERT_EQ(target.creates().size(), 2u);
  EXPECT_EQ(base::to_hex(target.creates()[0]), recorded(9));
  EXPECT_EQ(base::to_hex(target.creates()[1]), recorded(10));
}

TEST_F(FollowerTest, GivesTheTablesEnvsAndReplacesThoseOfAnEarlierMaster) {
  request.envs = {{"default_ttl", "60"},
                  {"duplication.master_cluster", "older"},
                  {"duplication.master_app_name", "older"},
                  {"duplication.follower_app_status", "created"}};
  ASSERT_TRUE(create("creating"));
  const auto sent =
      wire::decode_body<wire::configuration_create_app_request>(target.creates()[0]).value();
  EXPECT_EQ(sent.options.envs,
            (std::map<std::string, std::string>{{"default_ttl", "60"},
                                                {"duplication.follower_app_status", "creating"},
                                                {"duplication.master_app_name", "u"},
                                                {"duplication.master_cluster", "onebox"},
                                                {"duplication.master_metas", "localhost:34601"}}));
}

TEST_F(FollowerTest, SaysWhatToDoWhenTheTableCannotBeMade) {
  const auto exists = error_of_create(ErrorCode::kAppExist);
  EXPECT_EQ(exists.code(), Code::kAlreadyExists);
  EXPECT_THAT(exists.to_string(),
              AllOf(HasSubstr("the table 'u' on the cluster 'onebox2'"), HasSubstr("drop it there"),
                    HasSubstr("-a NAME"), HasSubstr("without -s")));
  const auto refused = error_of_create(ErrorCode::kInvalidParameters);
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.to_string(), HasSubstr("add_dup -s -r COUNT"));
  EXPECT_THAT(error_of_create(ErrorCode::kStateFreezed).to_string(),
              HasSubstr("set_meta_level steady"));
  EXPECT_THAT(error_of_create(ErrorCode::kBusyCreating).to_string(),
              HasSubstr("ERR_BUSY_CREATING"));
}

TEST_F(FollowerTest, LooksWhetherATableOfTheNameIsThere) {
  const auto look = [&] {
    return async::run_to_end(context, check_absent(client, request, soon()));
  };
  const auto found = look();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().wire_code(), int(ErrorCode::kAppExist));
  EXPECT_THAT(found.error().to_string(), AllOf(HasSubstr("the table 'u' on the cluster 'onebox2'"),
                                               HasSubstr("drop it there"), HasSubstr("-a NAME")));
  const auto answer = [&](ErrorCode code) {
    target.on_config = [code](auto& config) {
      config = {};
      config.err.code = code;
    };
  };
  answer(ErrorCode::kObjectNotFound);
  EXPECT_TRUE(look());
  answer(ErrorCode::kBusyCreating);
  EXPECT_EQ(look().error().wire_code(), int(ErrorCode::kBusyCreating));
}

TEST_F(FollowerTest, IsCompleteWhenAllPartitionsServe) {
  EXPECT_TRUE(check());
  target.on_config = [](auto& config) {
    for (auto& partition : config.partitions) {
      partition.max_replica_count = 2;
      partition.secondaries = {wire::rpc_address::of(0x7f000001, 1)};
    }
  };
  EXPECT_TRUE(check());
}

TEST_F(FollowerTest, IsNotCompleteWithPartitionsThatDoNotServe) {
  target.on_config = [](auto& config) {
    for (const size_t index : {1, 3}) {
      config.partitions[index].primary = {};
      config.partitions[index].__set_hp_primary({});
    }
  };
  const auto error = error_of_check();
  EXPECT_EQ(error.wire_code(), int(ErrorCode::kInactiveState));
  EXPECT_THAT(error.to_string(), HasSubstr("2 of 4 partitions do not serve yet (1, 3)"));
}

TEST_F(FollowerTest, IsNotCompleteWithoutSecondaries) {
  target.on_config = [](auto& config) {
    for (auto& partition : config.partitions) partition.max_replica_count = 3;
    config.partitions[2].secondaries = {wire::rpc_address::of(0x7f000001, 1)};
  };
  const auto error = error_of_check();
  EXPECT_EQ(error.wire_code(), int(ErrorCode::kNotEnoughMember));
  EXPECT_THAT(error.to_string(), HasSubstr("3 of 4 partitions have no secondary yet (0, 1, 3)"));
}

TEST_F(FollowerTest, OtherPartitionCountsAreRefusedWithTheWayThatWorks) {
  target.partition_count = 8;
  const auto error = error_of_check();
  EXPECT_EQ(error.code(), Code::kRefused);
  EXPECT_EQ(error.wire_code(), int(ErrorCode::kInconsistentState));
  EXPECT_THAT(error.to_string(),
              AllOf(HasSubstr("it has 8 partitions, and the table 'u' here has 4"),
                    HasSubstr("`pegmove split` and `pegmove load`")));
}

TEST_F(FollowerTest, ATableThatIsNotThereIsNotComplete) {
  target.on_config = [](auto& config) {
    config = {};
    config.err.code = ErrorCode::kObjectNotFound;
  };
  EXPECT_EQ(error_of_check().wire_code(), int(ErrorCode::kObjectNotFound));
}

// The embedded cluster as the target.
TEST_F(FollowerTest, AnEmbeddedClusterMakesTheTable) {
  testing::SimClock time;
  testing::TestCluster cluster(time);
  testing::TestClient user(cluster.meta_address());
  request.metas = {*net::parse_host_port(cluster.meta_address().to_string())};
  request.own_metas = target.text();  // plays the source now
  target.on_checkpoint = [](auto& found) { found.err.code = ErrorCode::kPathNotFound; };
  const auto look = [&] {
    return async::run_to_end(context, check_absent(client, request, soon()));
  };
  EXPECT_TRUE(look());
  ASSERT_TRUE(create("creating"));
  EXPECT_EQ(look().error().wire_code(), int(ErrorCode::kAppExist));
  ASSERT_TRUE(create("creating")) << "repeatable";
  EXPECT_EQ(error_of_check().wire_code(), int(ErrorCode::kInactiveState)) << "nothing is fetched";
  ASSERT_TRUE(create("created"));
  EXPECT_EQ(create("creating").error().wire_code(), int(ErrorCode::kAppExist));
  EXPECT_EQ(error_of_check().wire_code(), int(ErrorCode::kInactiveState))
      << "a partition without its rows is not opened empty";
  request.table = "other";
  user.create_table("other", 4);
  EXPECT_EQ(create("creating").error().wire_code(), int(ErrorCode::kAppExist));
  request.table = "third";
  request.replica_count = 3;
  EXPECT_EQ(create("creating").error().wire_code(), int(ErrorCode::kInvalidParameters));
}

}  // namespace
}  // namespace pegmove::server::meta
