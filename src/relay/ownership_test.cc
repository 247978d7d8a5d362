#include "relay/ownership.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>

#include "async/run.h"
#include "testing/fake_nodes.h"
#include "testing/sim_clock.h"

namespace pegmove::relay {
namespace {

using async::milliseconds;
using pegmove::testing::FakeNodes;
using pegmove::testing::SimClock;
using ::testing::HasSubstr;

const std::string kFolder = "/pegmove/relay/A/t/B";

// A ZooKeeper that may be slow.
class SlowNodes : public FakeNodes {
 public:
  SlowNodes(std::shared_ptr<Tree> tree, Clock& clock) : FakeNodes(std::move(tree)), clock_(clock) {}

  milliseconds read_time{0};
  milliseconds sure_for = milliseconds::max();  // after each confirmation
  // From the next ephemeral node on the seal's reads wait until release().
  bool hides_seal_when_it_owns = false;
  void release() {
    hides_seal_ = hides_seal_when_it_owns = false;
    released_.notify_all();
  }

  Task<std::optional<routes::Node>> read(std::string path, Deadline deadline) override {
    if (hides_seal_ && path == seal_path(kFolder)) co_await released_.wait();  // no result
    if (read_time.count() > 0) co_await clock_.sleep_for(read_time);           // no result
    co_return co_await FakeNodes::read(std::move(path), deadline);
  }
  Task<> create_ephemeral(std::string path, std::string data, Deadline deadline) override {
    hides_seal_ = hides_seal_when_it_owns;
    return FakeNodes::create_ephemeral(std::move(path), std::move(data), deadline);
  }
  Task<> confirm_session(Deadline deadline) override {
    if (sure_for != milliseconds::max()) sure_when_confirmed = clock_.now() + sure_for;
    return FakeNodes::confirm_session(deadline);
  }

 private:
  Clock& clock_;
  bool hides_seal_ = false;
  async::Event released_;
};

class OwnershipTest : public ::testing::Test {
 protected:
  struct Member {
    Member(std::shared_ptr<FakeNodes::Tree> tree, Clock& clock) : nodes(std::move(tree), clock) {}
    SlowNodes nodes;
    std::unique_ptr<Ownership> ownership;
  };

  ~OwnershipTest() override {
    for (auto& member : members) stop(*member);
  }
  // A relay that begins; its port tells it from others.
  Member& begin(uint16_t port, std::string duty = "{\"partitions\":2}") {
    auto& member = *members.emplace_back(std::make_unique<Member>(tree, clock));
    start(member, port, std::move(duty), 2);
    return member;
  }
  void start(Member& member, uint16_t port, std::string duty, int32_t partitions) {
    member.ownership = std::make_unique<Ownership>(context.get_executor(), clock, member.nodes,
                                                   OwnershipOptions{.folder = kFolder,
                                                                    .duty = std::move(duty),
                                                                    .partitions = partitions,
                                                                    .address = {"127.0.0.1", port}},
                                                   Logger("test"));
    member.nodes.listen(member.ownership.get());
    member.ownership->start();
    settle();
  }
  // As at its end: the session ends after it.
  void stop(Member& member) {
    if (!member.ownership) return;
    member.ownership->stop();
    async::run_to_end(context, join(*member.ownership));
    member.nodes.listen(nullptr);
    member.ownership.reset();
    member.nodes.expire();
    settle();
  }
  static Routine<bool> join(Ownership& ownership) {
    co_await ownership.join();  // no result
    co_return true;
  }
  void settle() {
    context.restart();
    context.poll();
  }
  void advance(milliseconds by) {
    clock.advance(by);
    settle();
  }
  void wait_out() { advance(kSuccessorsWait); }

  asio::io_context context;
  SimClock clock;
  std::shared_ptr<FakeNodes::Tree> tree = std::make_shared<FakeNodes::Tree>();
  std::vector<std::unique_ptr<Member>> members;
};

TEST_F(OwnershipTest, TheFirstRelayOwnsAllPartitionsAfterItHasWaited) {
  auto& one = begin(1);
  EXPECT_EQ(one.ownership->owned(), 2);
  EXPECT_EQ(one.ownership->problem(), "");
  advance(kSuccessorsWait - milliseconds(1));
  ASSERT_FALSE(one.ownership->may_forward(1));
  EXPECT_EQ(one.ownership->may_forward(1).error().code(), Code::kBusy);
  advance(milliseconds(1));
  ASSERT_TRUE(one.ownership->may_forward(1));
  EXPECT_EQ(*one.ownership->may_forward(1), one.ownership->owner(1)->epoch);
}

TEST_F(OwnershipTest, AnotherRelayKnowsTheOwnerAndForwardsNothing) {
  begin(1);
  auto& two = begin(2);
  wait_out();
  EXPECT_EQ(two.ownership->owned(), 0);
  EXPECT_EQ(two.ownership->owner(0)->address.to_string(), "127.0.0.1:1");
  ASSERT_FALSE(two.ownership->may_forward(0));
  EXPECT_EQ(two.ownership->may_forward(0).error().code(), Code::kRefused);
}

TEST_F(OwnershipTest, ASuccessorHasAHigherEpochAndWaitsOutTheLongestForward) {
  auto& one = begin(1);
  auto& two = begin(2);
  wait_out();
  const auto epoch = one.ownership->owner(0)->epoch;
  stop(one);
  EXPECT_EQ(two.ownership->owned(), 2);
  EXPECT_GT(two.ownership->owner(0)->epoch, epoch);
  EXPECT_EQ(two.ownership->may_forward(0).error().code(), Code::kBusy);
  wait_out();
  EXPECT_TRUE(two.ownership->may_forward(0));
}

TEST_F(OwnershipTest, ARelayThatIsNotSureOfItsSessionForwardsNothing) {
  auto& one = begin(1);
  wait_out();
  one.nodes.connect(false);
  one.nodes.sure = clock.now() + milliseconds(500);
  EXPECT_TRUE(one.ownership->may_forward(0));
  advance(milliseconds(500));
  ASSERT_FALSE(one.ownership->may_forward(0));
  EXPECT_EQ(one.ownership->may_forward(0).error().code(), Code::kBusy);
  EXPECT_EQ(one.ownership->owner(0)->address.to_string(), "127.0.0.1:1");  // for sources
  EXPECT_THAT(one.ownership->problem(), HasSubstr("does not answer"));
  // The session has lasted: it continues at once, under its epoch.
  const auto epoch = one.ownership->owner(0)->epoch;
  one.nodes.connect(true);
  settle();
  ASSERT_TRUE(one.ownership->may_forward(0));
  EXPECT_EQ(*one.ownership->may_forward(0), epoch);
}

TEST_F(OwnershipTest, AnExpiredSessionIsAnotherEpochAndWaitsAgain) {
  auto& one = begin(1);
  wait_out();
  const auto epoch = one.ownership->owner(0)->epoch;
  one.nodes.expire();
  settle();
  EXPECT_EQ(one.ownership->owned(), 2);
  EXPECT_GT(one.ownership->owner(0)->epoch, epoch);
  EXPECT_EQ(one.ownership->may_forward(0).error().code(), Code::kBusy);
  wait_out();
  EXPECT_TRUE(one.ownership->may_forward(0));
}

TEST_F(OwnershipTest, WhatItLosesIsAnothers) {
  auto& one = begin(1);
  auto& two = begin(2);
  wait_out();
  one.nodes.connect(false);
  tree->clients.erase(&one.nodes);  // no notices without a connection
  one.nodes.expire();
  settle();
  EXPECT_EQ(two.ownership->owned(), 2);
  one.nodes.connect(true);
  settle();
  EXPECT_EQ(one.ownership->owned(), 0);
  EXPECT_EQ(one.ownership->may_forward(0).error().code(), Code::kRefused);
  EXPECT_EQ(one.ownership->owner(0)->address.to_string(), "127.0.0.1:2");
}

TEST_F(OwnershipTest, ACreationWhoseAnswerIsLostIsFound) {
  auto& one = *members.emplace_back(std::make_unique<Member>(tree, clock));
  for (size_t slash = kFolder.find('/', 1); slash != kFolder.npos;
       slash = kFolder.find('/', slash + 1))
    one.nodes.set(kFolder.substr(0, slash), "");
  one.nodes.set(kFolder, "d");
  one.nodes.lost = FakeNodes::Lost::kAfter;
  one.ownership = std::make_unique<Ownership>(
      context.get_executor(), clock, one.nodes,
      OwnershipOptions{.folder = kFolder, .duty = "d", .partitions = 1, .address = {"h", 1}},
      Logger("test"));
  one.ownership->start();
  settle();
  EXPECT_EQ(one.ownership->owned(), 0);
  one.nodes.lost = FakeNodes::Lost::kNothing;
  advance(milliseconds(1'000));
  EXPECT_EQ(one.ownership->owned(), 1);
}

TEST_F(OwnershipTest, TheSealIsSeenAndItsRemovalToo) {
  auto& one = begin(1);
  EXPECT_FALSE(one.ownership->is_sealed());
  one.nodes.set(seal_path(kFolder), "");
  advance(milliseconds(1'000));
  EXPECT_TRUE(one.ownership->is_sealed());
  one.nodes.remove(seal_path(kFolder));
  settle();
  EXPECT_FALSE(one.ownership->is_sealed());
}

TEST_F(OwnershipTest, ARelayThatBeginsUnderASealIsSealedBeforeItOwnsAnything) {
  FakeNodes operators(tree);
  operators.set(seal_path(kFolder), "");
  auto& one = begin(1);
  EXPECT_TRUE(one.ownership->is_sealed());
  EXPECT_EQ(one.ownership->owned(), 2);
}

// The relay before it may have been the proof of a seal that this one has not seen.
TEST_F(OwnershipTest, ASuccessorForwardsNothingUntilItHasReadTheSealAsTheOwner) {
  auto& one = begin(1);
  auto& two = begin(2);
  two.nodes.hides_seal_when_it_owns = true;
  stop(one);
  EXPECT_EQ(two.ownership->owned(), 2);
  FakeNodes(tree).set(seal_path(kFolder), "");
  wait_out();
  ASSERT_FALSE(two.ownership->may_forward(0));
  EXPECT_THAT(two.ownership->may_forward(0).error().to_string(), HasSubstr("were sealed before"));
  two.nodes.release();
  settle();
  EXPECT_TRUE(two.ownership->may_forward(0));
  EXPECT_TRUE(two.ownership->is_sealed());
}

// 16 at once, and 64 of them: each is read, made, and read again.
TEST_F(OwnershipTest, PartitionsAreReadSeveralAtOnceAndTheSessionIsConfirmedMeanwhile) {
  auto& one = *members.emplace_back(std::make_unique<Member>(tree, clock));
  one.nodes.read_time = milliseconds(2'000);
  one.nodes.sure_for = milliseconds(5'000);
  start(one, 1, "d", 64);
  int seconds = 0;
  for (; one.ownership->owned() < 64 && seconds < 60; ++seconds) {
    EXPECT_GT(one.nodes.sure_until(), clock.now());
    advance(milliseconds(1'000));
  }
  EXPECT_GT(seconds, 10);
  EXPECT_LE(seconds, 24);
}

TEST_F(OwnershipTest, RelaysOfAnotherDutyOwnNothing) {
  begin(1);
  auto& two = begin(2, "{\"partitions\":2,\"to_table\":\"u\"}");
  stop(*members[0]);
  advance(milliseconds(1'000));
  EXPECT_EQ(two.ownership->owned(), 0);
  EXPECT_THAT(two.ownership->problem(), HasSubstr("is for other relays"));
  ASSERT_FALSE(two.ownership->looked());
  EXPECT_EQ(two.ownership->looked().error().code(), Code::kRefused);
  EXPECT_EQ(two.ownership->may_forward(0).error().code(), Code::kRefused);
}

TEST_F(OwnershipTest, ANodeThatSomebodyRemovesIsMadeAgainAsAnotherEpoch) {
  auto& one = begin(1);
  wait_out();
  const auto epoch = one.ownership->owner(0)->epoch;
  FakeNodes(tree).remove(owner_path(kFolder, 0));
  settle();
  EXPECT_GT(one.ownership->owner(0)->epoch, epoch);
  EXPECT_FALSE(one.ownership->may_forward(0));
  EXPECT_TRUE(one.ownership->may_forward(1));
}

TEST(RelayFolder, HasTheNamesOfBothClustersAndTheTable) {
  EXPECT_EQ(*relay_folder("/pegmove/relay", "A", "t", "B"), kFolder);
  EXPECT_FALSE(relay_folder("/r", "A", "t/u", "B"));
}

TEST(RelayFolder, AnOwnersNodeHasItsAddress) {
  EXPECT_EQ(parse_owner("{\"relay\":\"h:7\"}")->to_string(), "h:7");
  EXPECT_FALSE(parse_owner("{}"));
  EXPECT_FALSE(parse_owner("x"));
  EXPECT_FALSE(parse_owner("{\"relay\":\"h\"}"));
}

}  // namespace
}  // namespace pegmove::relay
