// In which order files reach the disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "base/small_file.h"
#include "testing/disk_steps.h"
#include "testing/test_folder.h"

namespace pegmove::base {
namespace {

using pegmove::testing::take_disk_steps;
using ::testing::ElementsAre;

class DurabilityTest : public ::testing::Test {
 protected:
  DurabilityTest() { take_disk_steps(); }
  pegmove::testing::TestFolder folder_;
};

// Another order would leave an empty or a cut file of that name after a power cut, or none.
TEST_F(DurabilityTest, AFileIsSyncedThenRenamedAndThenItsFolderIsSynced) {
  auto file = AtomicFile::create(folder_ / "out");
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->append("one\n"));
  ASSERT_TRUE(file->flush());
  ASSERT_TRUE(file->append("two\n"));
  ASSERT_TRUE(file->commit());
  EXPECT_THAT(take_disk_steps(), ElementsAre("sync 8 bytes", "rename to out", "sync the folder"));
}

TEST_F(DurabilityTest, WhatComesAfterASyncIsSyncedToo) {
  auto file = AtomicFile::create(folder_ / "out");
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->append("one\n"));
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(file->append("two\n"));
  ASSERT_TRUE(file->commit());
  EXPECT_THAT(take_disk_steps(),
              ElementsAre("sync 4 bytes", "sync 8 bytes", "rename to out", "sync the folder"));
}

TEST_F(DurabilityTest, ASmallFileIsReplacedInTheSameOrder) {
  ASSERT_TRUE(replace_file(folder_ / "out", "text"));
  EXPECT_THAT(take_disk_steps(), ElementsAre("sync 4 bytes", "rename to out", "sync the folder"));
}

}  // namespace
}  // namespace pegmove::base
