// The journal on file systems that lack what it needs: it says so, whatever SQLite takes that for.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdarg>
#include <filesystem>

#include "journal/journals_test.h"
#include "testing/sim_clock.h"

namespace pegmove::journal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// As SQLite calls them.
int fcntl_without_locks(int fd, int command, ...) {
  va_list more;
  va_start(more, command);
  void* argument = va_arg(more, void*);
  va_end(more);
  if (command != F_SETLK && command != F_SETLKW && command != F_GETLK)
    return ::fcntl(fd, command, argument);
  errno = ENOLCK;
  return -1;
}

int fcntl_with_unknown_locks(int fd, int command, ...) {
  va_list more;
  va_start(more, command);
  void* argument = va_arg(more, void*);
  va_end(more);
  if (command != F_SETLK && command != F_SETLKW && command != F_GETLK)
    return ::fcntl(fd, command, argument);
  errno = EOPNOTSUPP;
  return -1;
}

void* mmap_without_sharing(void* address, size_t size, int protection, int flags, int fd,
                           off_t offset) {
  if ((flags & MAP_SHARED) == 0) return ::mmap(address, size, protection, flags, fd, offset);
  errno = ENODEV;
  return MAP_FAILED;
}

class OddDiskTest : public ::testing::Test {
 protected:
  ~OddDiskTest() override {
    for (const char* call : {"fcntl", "mmap"}) replace(call, nullptr);
  }
  static void replace(const char* call, sqlite3_syscall_ptr with) {
    auto* vfs = sqlite3_vfs_find(nullptr);
    ASSERT_EQ(vfs->xSetSystemCall(vfs, call, with), SQLITE_OK);
  }
  Result<Journal> open() { return Journal::open(path_, clock_, {.busy_timeout_ms = 0}); }
  // Of a new journal, and of one that is there.
  void expect_both_to_lack(const std::string& what, const char* call, sqlite3_syscall_ptr with) {
    for (const bool is_there : {false, true}) {
      if (is_there) good(open());
      replace(call, with);
      const auto error = bad(open());
      replace(call, nullptr);
      EXPECT_EQ(error.code(), Code::kUnsupported);
      EXPECT_THAT(error.to_string(),
                  AllOf(HasSubstr("journal " + path_ + ": "), HasSubstr(what),
                        HasSubstr("choose a local file with --state"), Not(HasSubstr(".new.")),
                        Not(HasSubstr("another process")), Not(HasSubstr("disk space"))));
      EXPECT_EQ(std::filesystem::exists(path_), is_there);
      EXPECT_TRUE(is_there || folder_.files() == 0);
    }
    good(open());
    EXPECT_EQ(folder_.files(), 1u);
  }

  TestFolder folder_;
  std::string path_ = folder_ / "journal.db";
  testing::SimClock clock_;
};

TEST_F(OddDiskTest, WithoutFileLocksItIsRefused) {
  expect_both_to_lack("file locks do not work", "fcntl",
                      reinterpret_cast<sqlite3_syscall_ptr>(fcntl_without_locks));
}

TEST_F(OddDiskTest, WhereFileLocksAreUnknownItIsRefused) {
  expect_both_to_lack("file locks do not work", "fcntl",
                      reinterpret_cast<sqlite3_syscall_ptr>(fcntl_with_unknown_locks));
}

TEST_F(OddDiskTest, WithoutSharedMappingsItIsRefused) {
  expect_both_to_lack("mappings of a file that processes share do not work", "mmap",
                      reinterpret_cast<sqlite3_syscall_ptr>(mmap_without_sharing));
}

TEST_F(OddDiskTest, AJournalThatAnotherProcessLocksIsBusyAllTheSame) {
  good(open());
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE", nullptr,
                         nullptr, nullptr),
            SQLITE_OK);
  const auto error = bad(open());
  sqlite3_close(other);
  EXPECT_EQ(error.code(), Code::kBusy);
  EXPECT_THAT(error.to_string(), HasSubstr("another process keeps it locked"));
  EXPECT_EQ(folder_.files(), 1u);
}

}  // namespace
}  // namespace pegmove::journal
