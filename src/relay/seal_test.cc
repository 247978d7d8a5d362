#include "relay/seal.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include "async/run.h"
#include "relay/ownership.h"
#include "testing/fake_nodes.h"
#include "testing/skipping_clock.h"

namespace pegmove::relay {
namespace {

using async::milliseconds;
using ::testing::HasSubstr;

const std::string kFolder = "/pegmove/relay/A/t/B";

// Two relays with a source partition each, and what they say of themselves.
class SealTest : public ::testing::Test {
 protected:
  SealTest() {
    nodes.set(kFolder, "{\"partitions\":2}");
    own(0, "127.0.0.1:1");
    own(1, "127.0.0.1:2");
  }
  void own(int partition, const std::string& relay) {
    const auto path = owner_path(kFolder, partition);
    nodes.remove(path);
    nodes.set(path, fmt::format("{{\"relay\":\"{}\"}}", relay));
    for (auto& [name, status] : relays) say(status, partition, name == relay);
    if (!relays.contains(relay)) {
      auto& status = relays[relay];
      status = {{"sealed", false}, {"partitions", nlohmann::json::array()}};
      for (int i = 0; i < 2; ++i)
        status["partitions"].push_back({{"partition", i},
                                        {"is_ours", false},
                                        {"epoch", 0},
                                        {"in_flight", false},
                                        {"may_forward", false},
                                        {"waits_for", ""}});
      say(status, partition, true);
    }
  }
  void say(nlohmann::json& status, int partition, bool is_ours) {
    auto& shown = status["partitions"][size_t(partition)];
    shown["is_ours"] = shown["may_forward"] = is_ours;
    shown["epoch"] = nodes.at(owner_path(kFolder, partition)).epoch;
  }
  nlohmann::json& partition(const std::string& relay, size_t index) {
    return relays.at(relay)["partitions"][index];
  }
  Task<std::string> ask(net::HostPort relay) {
    ++questions;
    on_question();
    if (!relays.contains(relay.to_string())) co_return fail(Code::kUnreachable, "nobody is there");
    auto& status = relays.at(relay.to_string());
    if (see_the_seal) status["sealed"] = nodes.has(seal_path(kFolder));
    co_return status.dump();
  }
  Result<SealReport> seal_all() {
    return async::run_to_end(
        context, seal(
                     nodes, clock, kFolder,
                     [this](net::HostPort relay, Deadline) { return ask(std::move(relay)); },
                     Deadline::in(clock, milliseconds(10'000))));
  }
  void expect_no_proof(const std::string& why) {
    const auto sealed = seal_all();
    ASSERT_FALSE(sealed);
    EXPECT_EQ(sealed.error().code(), Code::kTimeout);
    EXPECT_THAT(sealed.error().to_string(), HasSubstr(why));
    EXPECT_TRUE(nodes.has(seal_path(kFolder)));
  }

  asio::io_context context;
  pegmove::testing::SkippingClock clock{milliseconds(1'000)};
  pegmove::testing::FakeNodes nodes;
  std::map<std::string, nlohmann::json> relays;
  bool see_the_seal = true;
  int questions = 0;
  std::function<void()> on_question = [] {};
};

TEST_F(SealTest, IsProvenWhenEachOwnerHasSeenItAndHasNothingInFlight) {
  const auto sealed = seal_all();
  ASSERT_TRUE(sealed) << sealed.error().to_string();
  EXPECT_EQ(sealed->partitions, 2);
  EXPECT_EQ(sealed->relays, 2);
  EXPECT_TRUE(nodes.has(seal_path(kFolder)));
  EXPECT_TRUE(seal_all());  // again
}

TEST_F(SealTest, WaitsForWhatIsInFlight) {
  partition("127.0.0.1:2", 1)["in_flight"] = true;
  partition("127.0.0.1:2", 1)["waits_for"] = "ERR_TIMEOUT";
  on_question = [this] {
    if (questions == 6) partition("127.0.0.1:2", 1)["in_flight"] = false;
  };
  EXPECT_TRUE(seal_all());
  EXPECT_GE(questions, 6);
  partition("127.0.0.1:2", 1)["in_flight"] = true;
  expect_no_proof("source partition 1 has a request in flight: ERR_TIMEOUT");
}

TEST_F(SealTest, ARelayThatHasNotSeenTheSealIsNoProof) {
  see_the_seal = false;
  expect_no_proof("127.0.0.1:1 has not seen the seal");
}

TEST_F(SealTest, ANewOwnerThatStillWaitsForItsPredecessorIsNoProof) {
  partition("127.0.0.1:1", 0)["may_forward"] = false;
  expect_no_proof("source partition 0 is not safely owned yet");
}

TEST_F(SealTest, APartitionWithoutARelayIsNoProof) {
  nodes.remove(owner_path(kFolder, 1));
  expect_no_proof("source partition 1 has no relay");
}

TEST_F(SealTest, ARelayThatDoesNotAnswerIsNoProof) {
  relays.erase("127.0.0.1:2");
  expect_no_proof("nobody is there");
}

TEST_F(SealTest, ARelayThatIsNoLongerTheOwnerIsNoProof) {
  partition("127.0.0.1:1", 0)["epoch"] = 1;
  expect_no_proof("source partition 0 has another owner");
}

TEST_F(SealTest, ATakeOverWhileTheRelaysAreAskedIsNoProof) {
  on_question = [this] {
    const auto path = owner_path(kFolder, 0);
    const auto data = nodes.at(path).data;
    if (questions % 2 == 0) {  // after the owner of partition 0 was asked
      nodes.remove(path);
      nodes.set(path, data);
      say(relays.at("127.0.0.1:1"), 0, true);
    }
  };
  expect_no_proof("taken over meanwhile");
}

TEST_F(SealTest, WithoutRelaysNothingIsSealed) {
  nodes.remove(kFolder);
  const auto sealed = seal_all();
  ASSERT_FALSE(sealed);
  EXPECT_EQ(sealed.error().code(), Code::kNotFound);
  EXPECT_FALSE(nodes.has(seal_path(kFolder)));
}

TEST_F(SealTest, IsLiftedAgain) {
  ASSERT_TRUE(seal_all());
  const auto soon = Deadline::in(clock, milliseconds(1'000));
  EXPECT_TRUE(async::run_to_end(context, unseal(nodes, kFolder, soon)));
  EXPECT_FALSE(nodes.has(seal_path(kFolder)));
  EXPECT_TRUE(async::run_to_end(context, unseal(nodes, kFolder, soon)));
  const auto proof = async::run_to_end(
      context, check_sealed(
                   nodes, kFolder,
                   [this](net::HostPort relay, Deadline) { return ask(std::move(relay)); }, soon));
  ASSERT_FALSE(proof);
  EXPECT_EQ(proof.error().code(), Code::kBusy);
}

}  // namespace
}  // namespace pegmove::relay
