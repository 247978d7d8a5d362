// Databases on file systems that lack something.
#include "store/disk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>

#include "store/partitions_test.h"
#include "store/status.h"

namespace {

// What the calls below do to folders and links; 0: what the system does.
std::atomic<int> folder_sync_error = 0;
std::atomic<int> link_error = 0;

}  // namespace

// They replace the C library's.
extern "C" {
[[gnu::visibility("default")]] int fsync(int fd) {
  struct stat found{};
  if (folder_sync_error != 0 && fstat(fd, &found) == 0 && S_ISDIR(found.st_mode)) {
    errno = folder_sync_error;
    return -1;
  }
  return int(syscall(SYS_fsync, fd));
}
[[gnu::visibility("default")]] int link(const char* from, const char* to) noexcept {
  if (link_error != 0) {
    errno = link_error;
    return -1;
  }
  return int(syscall(SYS_link, from, to));
}
}

namespace pegmove::store {
namespace {

class DiskTest : public ::testing::Test {
 protected:
  ~DiskTest() override { folder_sync_error = link_error = 0; }

  TestFolder folder_;
};

TEST_F(DiskTest, AFileSystemThatCannotSyncFoldersHoldsDatabases) {
  folder_sync_error = EINVAL;
  for (int64_t number = 1; number <= 2; ++number) {  // one that is made, and one that is there
    const auto db = open({.path = folder_ / "a/b/db"});
    ASSERT_TRUE(put_row(*db, number, "v"));
    ASSERT_TRUE(db->flush());
    EXPECT_TRUE(db->checkpoint(folder_ / std::to_string(number)));
    EXPECT_TRUE(has_row(*db, 1));
  }
}

TEST_F(DiskTest, OtherErrorsOfSyncingAFolderAreErrors) {
  folder_sync_error = EIO;
  const auto db = PartitionDb::open({.path = folder_ / "db"});
  ASSERT_FALSE(db);
  EXPECT_EQ(db.error().code(), Code::kIo);
  EXPECT_THAT(db.error().message(), ::testing::HasSubstr("Input/output error"));
}

TEST_F(DiskTest, WithoutHardLinksACheckpointIsACopy) {
  link_error = EPERM;
  const auto db = open({.path = folder_ / "db"});
  ASSERT_TRUE(put_row(*db, 1, "v"));
  const auto decree = db->checkpoint(folder_ / "checkpoint");
  ASSERT_TRUE(decree) << decree.error().to_string();
  EXPECT_EQ(*decree, 1);
  for (const auto& file : std::filesystem::directory_iterator(folder_ / "checkpoint"))
    EXPECT_EQ(file.hard_link_count(), 1u) << file.path();
}

TEST_F(DiskTest, AFileSystemWithoutLocksIsNotADatabaseThatIsOpen) {
  const auto error_of = [](const char* reason) {
    return to_error(rocksdb::Status::IOError("While lock file: /db/LOCK", reason), "opening",
                    "/db");
  };
  const auto held = error_of("Resource temporarily unavailable");
  EXPECT_EQ(held.code(), Code::kBusy);
  EXPECT_THAT(held.message(), ::testing::HasSubstr("it is open already"));
  const auto lacking = error_of("No locks available");
  EXPECT_EQ(lacking.code(), Code::kIo);
  EXPECT_THAT(lacking.message(), ::testing::HasSubstr("file locks do not work"));
}

}  // namespace
}  // namespace pegmove::store
