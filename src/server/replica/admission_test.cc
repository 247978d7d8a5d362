#include "server/replica/admission.h"

#include <gtest/gtest.h>

#include "testing/sim_clock.h"

namespace pegmove::server::replica {
namespace {

using namespace std::chrono_literals;
using wire::ErrorCode;
using Kind = Admission::Kind;

class AdmissionTest : public ::testing::Test {
 protected:
  void configure(const EnvMap& envs, int32_t partition_count = 1) {
    control.configure(parse_table_envs(envs), partition_count);
  }
  wire::RequestHead head(size_t size = 100) const {
    wire::RequestHead head;
    head.timeout_ms = 1000;
    head.message_size = size;
    return head;
  }
  void expect_refused(const Admission& admission, ErrorCode error) {
    EXPECT_EQ(admission.kind, Kind::kRefuse);
    EXPECT_EQ(admission.error, error);
  }

  testing::SimClock clock;
  AdmissionControl control{{1, 0}, clock, 1 << 20};
};

TEST_F(AdmissionTest, EverythingPassesWithoutEnvs) {
  configure({});
  EXPECT_EQ(control.read(head()).kind, Kind::kPass);
  EXPECT_EQ(control.write(head()).kind, Kind::kPass);
}

TEST_F(AdmissionTest, ASecondaryReadsForBackupRequestsAlone) {
  auto backup = head();
  backup.is_backup_request = true;
  for (const EnvMap& envs : {EnvMap(), EnvMap{{"replica.read_throttling", "1*reject*0"}}}) {
    configure(envs);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(control.read(backup, Role::kSecondary).kind, Kind::kPass);
      expect_refused(control.read(head(), Role::kSecondary), ErrorCode::kInvalidState);
      expect_refused(control.write(head(), Role::kSecondary), ErrorCode::kInvalidState);
      expect_refused(control.write(backup, Role::kSecondary), ErrorCode::kInvalidState);
    }
    EXPECT_EQ(control.read(head()).kind, Kind::kPass) << "nothing of it counts at the primary";
  }
  expect_refused(control.write(head(2 << 20), Role::kSecondary), ErrorCode::kInvalidData);
}

TEST_F(AdmissionTest, ASecondaryDeniesWhatTheRuleNames) {
  configure({{"replica.deny_client_request", "timeout*all"}});
  auto backup = head();
  backup.is_backup_request = true;
  EXPECT_EQ(control.read(backup, Role::kSecondary).kind, Kind::kDrop);
  EXPECT_EQ(control.read(head(), Role::kSecondary).kind, Kind::kDrop);
  EXPECT_EQ(control.write(head(), Role::kSecondary).kind, Kind::kDrop);
}

TEST_F(AdmissionTest, DeniesWhatTheRuleNames) {
  configure({{"replica.deny_client_request", "timeout*write"}});
  EXPECT_EQ(control.write(head()).kind, Kind::kDrop);
  EXPECT_EQ(control.read(head()).kind, Kind::kPass);
  configure({{"replica.deny_client_request", "reconfig*read"}});
  expect_refused(control.read(head()), ErrorCode::kInvalidState);
  EXPECT_EQ(control.write(head()).kind, Kind::kPass);
  configure({{"replica.deny_client_request", "reconfig*all"}});
  expect_refused(control.read(head()), ErrorCode::kInvalidState);
  expect_refused(control.write(head()), ErrorCode::kInvalidState);
  configure({});
  EXPECT_EQ(control.write(head()).kind, Kind::kPass);
}

TEST_F(AdmissionTest, RefusesHashesOfOtherPartitionsWhenTold) {
  configure({{"replica.split.validate_partition_hash", "true"}}, 4);
  auto request = head();
  request.partition_hash = 8;
  EXPECT_EQ(control.read(request).kind, Kind::kPass);
  request.partition_hash = 9;
  expect_refused(control.read(request), ErrorCode::kParentPartitionMisused);
  expect_refused(control.write(request), ErrorCode::kParentPartitionMisused);
}

TEST_F(AdmissionTest, ThrottlesWritesByCount) {
  configure({{"replica.write_throttling", "1*delay*100,2*reject*300"}});  // a share of 2 and 3
  EXPECT_EQ(control.write(head()).pause, 0ms);
  EXPECT_EQ(control.write(head()).pause, 0ms);
  auto third = control.write(head());
  EXPECT_EQ(third.kind, Kind::kPass);
  EXPECT_EQ(third.pause, 100ms);
  auto fourth = control.write(head());
  expect_refused(fourth, ErrorCode::kBusy);
  EXPECT_EQ(fourth.pause, 300ms);
  EXPECT_EQ(control.read(head()).pause, 0ms);
  clock.advance(1s);
  EXPECT_EQ(control.write(head()).pause, 0ms);
}

TEST_F(AdmissionTest, ThrottlesWritesBySize) {
  configure({{"replica.write_throttling_by_size", "1K*reject*0"}});
  EXPECT_EQ(control.write(head(1000)).kind, Kind::kPass);
  expect_refused(control.write(head(100)), ErrorCode::kBusy);
  EXPECT_EQ(control.write(head(25)).kind, Kind::kPass);
}

TEST_F(AdmissionTest, ThrottlesReadsByCountAndBySize) {
  configure({{"replica.read_throttling", "1*reject*0"}});
  EXPECT_EQ(control.read(head()).kind, Kind::kPass);
  EXPECT_EQ(control.read(head()).kind, Kind::kPass);
  expect_refused(control.read(head()), ErrorCode::kBusy);
  configure({{"replica.read_throttling_by_size", "1000"}});
  EXPECT_EQ(control.read(head()).kind, Kind::kPass);
  control.count_read(1500);
  expect_refused(control.read(head()), ErrorCode::kBusy);
  clock.advance(501ms);
  EXPECT_EQ(control.read(head()).kind, Kind::kPass);
}

TEST_F(AdmissionTest, RejectedBackupRequestsGetNoAnswer) {
  configure({{"replica.backup_request_throttling", "1*reject*0"}});
  auto backup = head();
  backup.is_backup_request = true;
  for (int i = 0; i < 2; ++i) EXPECT_EQ(control.read(backup).kind, Kind::kPass);
  EXPECT_EQ(control.read(backup).kind, Kind::kDrop);
  EXPECT_EQ(control.read(head()).kind, Kind::kPass);
}

}  // namespace
}  // namespace pegmove::server::replica
