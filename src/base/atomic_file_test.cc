#include "base/atomic_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "base/small_file.h"
#include "testing/test_folder.h"

namespace pegmove::base {
namespace {

namespace fs = std::filesystem;
using pegmove::testing::contents;
using pegmove::testing::read_file;
using pegmove::testing::write_file;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Files = std::map<std::string, std::string>;

class AtomicFileTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_ / name; }
  static AtomicFile create(const std::string& path, AtomicFileOptions options = {}) {
    auto file = AtomicFile::create(path, options);
    EXPECT_TRUE(file) << file.error().to_string();
    return *std::move(file);
  }
  static void write(const std::string& path, std::string_view text) {
    auto file = create(path);
    EXPECT_TRUE(file.append(text));
    const auto done = file.commit();
    EXPECT_TRUE(done) << done.error().to_string();
  }
  Files files() const { return contents(folder_.path()); }

  pegmove::testing::TestFolder folder_;
};

TEST_F(AtomicFileTest, AppearsWholeWithItsCommit) {
  write_file(path("out"), "old");
  auto file = create(path("out"));
  ASSERT_TRUE(file.append("one\n"));
  ASSERT_TRUE(file.flush());
  EXPECT_EQ(read_file(path("out")), "old");
  ASSERT_TRUE(file.append("two\n"));
  ASSERT_TRUE(file.commit());
  EXPECT_EQ(files(), (Files{{"out", "one\ntwo\n"}}));
}

TEST_F(AtomicFileTest, WithoutACommitNothingStays) {
  {
    auto file = create(path("out"));
    ASSERT_TRUE(file.append("lost"));
    ASSERT_TRUE(file.sync());
    EXPECT_EQ(folder_.files(), 1u);
    const auto moved = std::move(file);
    EXPECT_EQ(moved.size().value_or(-1), 4);
  }
  EXPECT_EQ(folder_.files(), 0u);
}

TEST_F(AtomicFileTest, TwoWritersOfOnePathDoNotMeet) {
  auto first = create(path("out")), second = create(path("out"));
  ASSERT_TRUE(first.append("first"));
  ASSERT_TRUE(second.append("second"));
  ASSERT_TRUE(first.commit());
  EXPECT_EQ(read_file(path("out")), "first");
  ASSERT_TRUE(second.commit());
  EXPECT_EQ(files(), (Files{{"out", "second"}}));
}

TEST_F(AtomicFileTest, PiecesOfAnySizeComeInTheirOrder) {
  std::string all;
  auto file = create(path("out"));
  for (size_t size : {1, 70'000, 3, 65'535, 65'536, 10, 200'000, 7}) {
    const std::string piece(size, char('a' + all.size() % 26));
    ASSERT_TRUE(file.append(piece));
    file.begin_sync();
    all += piece;
  }
  ASSERT_TRUE(file.commit());
  EXPECT_EQ(read_file(path("out")), all);
}

TEST_F(AtomicFileTest, HasTheModeThatIsAskedForLessTheUmask) {
  const auto mode_of = [&](const std::string& name) {
    struct stat found{};
    EXPECT_EQ(stat(path(name).c_str(), &found), 0);
    return found.st_mode & 0777;
  };
  const auto before = umask(027);
  write(path("usual"), "a");
  ASSERT_TRUE(create(path("secret"), {.mode = 0600}).commit());
  umask(before);
  EXPECT_EQ(mode_of("usual"), 0640u);
  EXPECT_EQ(mode_of("secret"), 0600u);
}

TEST_F(AtomicFileTest, AFileThatIsReplacedKeepsItsMode) {
  for (const mode_t mode : {0600, 0664, 0444}) {
    write_file(path("out"), "old");
    fs::permissions(path("out"), fs::perms(mode));
    write(path("out"), "new");
    EXPECT_EQ(mode_t(fs::status(path("out")).permissions()), mode);
    EXPECT_EQ(read_file(path("out")), "new");
    fs::remove(path("out"));
  }
}

TEST_F(AtomicFileTest, ADescriptorOfThisProcessIsWrittenFromWhereItIs) {
  const Descriptor open(::open(path("log").c_str(), O_WRONLY | O_CREAT, 0644));
  ASSERT_EQ(::write(open.get(), "before\n", 7), 7);
  const auto number = std::to_string(open.get());
  fs::create_symlink("/dev/fd/" + number, path("link"));
  for (const auto& name : {"/dev/fd/" + number, "/proc/self/fd/" + number, path("link")})
    write(name, name + "\n");
  ASSERT_EQ(::write(open.get(), "after\n", 6), 6);
  EXPECT_EQ(read_file(path("log")), "before\n/dev/fd/" + number + "\n/proc/self/fd/" + number +
                                        "\n" + path("link") + "\nafter\n");
  EXPECT_EQ(folder_.files(), 2u);
}

TEST_F(AtomicFileTest, ALinkStaysAndItsTargetIsReplacedWhereItIs) {
  fs::create_directory(path("there"));
  write_file(path("there/target"), "old");
  fs::create_symlink("there/target", path("relative"));
  fs::create_symlink(path("relative"), path("chain"));
  {
    auto file = create(path("chain"));
    EXPECT_EQ(contents(path("there")).size(), 2u);  // beside the target
    ASSERT_TRUE(file.append("new"));
    ASSERT_TRUE(file.commit());
  }
  EXPECT_TRUE(fs::is_symlink(path("chain")));
  EXPECT_TRUE(fs::is_symlink(path("relative")));
  EXPECT_EQ(contents(path("there")), (Files{{"target", "new"}}));
}

TEST_F(AtomicFileTest, TheTargetOfALinkNeedNotBeThere) {
  fs::create_directory(path("there"));
  fs::create_symlink(path("there/new"), path("link"));
  write(path("link"), "text");
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(contents(path("there")), (Files{{"new", "text"}}));
}

TEST_F(AtomicFileTest, ALinkIsReplacedWhereThatIsAskedFor) {
  write_file(path("target"), "old");
  fs::create_symlink(path("target"), path("link"));
  auto file = create(path("link"), {.follows_links = false});
  ASSERT_TRUE(file.append("new"));
  ASSERT_TRUE(file.commit());
  EXPECT_FALSE(fs::is_symlink(path("link")));
  EXPECT_EQ(files(), (Files{{"link", "new"}, {"target", "old"}}));
}

TEST_F(AtomicFileTest, LinksInACircleAreAnError) {
  fs::create_symlink(path("b"), path("a"));
  fs::create_symlink(path("a"), path("b"));
  const auto file = AtomicFile::create(path("a"));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code(), Code::kIo);
}

TEST_F(AtomicFileTest, APipeIsWrittenAsItIs) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  fs::create_symlink(path("pipe"), path("link"));
  std::fstream reader(path("pipe"), std::ios::in | std::ios::out);  // both, or opening would block
  auto file = create(path("link"));
  ASSERT_TRUE(file.append("one\n"));
  ASSERT_TRUE(file.flush());
  std::string line;
  std::getline(reader, line);
  EXPECT_EQ(line, "one");
  ASSERT_TRUE(file.append("two\n"));
  ASSERT_TRUE(file.commit());
  std::getline(reader, line);
  EXPECT_EQ(line, "two");
  EXPECT_TRUE(fs::is_fifo(path("pipe")));
  EXPECT_EQ(folder_.files(), 2u);
}

// What this thread may do to files depends on their modes alone, also for root.
class WithoutOverride {
 public:
  WithoutOverride() {
    EXPECT_EQ(syscall(SYS_capget, &header_, before_), 0);
    __user_cap_data_struct now[2] = {before_[0], before_[1]};
    now[0].effective &= ~((1u << CAP_DAC_OVERRIDE) | (1u << CAP_DAC_READ_SEARCH));
    EXPECT_EQ(syscall(SYS_capset, &header_, now), 0);
  }
  ~WithoutOverride() { EXPECT_EQ(syscall(SYS_capset, &header_, before_), 0); }

 private:
  __user_cap_header_struct header_{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct before_[2]{};
};

// A folder without files, in which none can be made.
class LockedFolder {
 public:
  explicit LockedFolder(const std::string& path) : path_(path) {
    fs::permissions(path_, fs::perms(0555));
  }
  ~LockedFolder() { fs::permissions(path_, fs::perms(0755)); }

 private:
  std::string path_;
  WithoutOverride without_override_;
};

TEST_F(AtomicFileTest, AFileInAFolderThatTakesNoneIsWrittenInPlaceWhereThatIsAskedFor) {
  fs::create_directory(path("locked"));
  write_file(path("locked/out"), "the old bytes");
  fs::create_symlink("locked/out", path("link"));
  const LockedFolder locked(path("locked"));
  EXPECT_THAT(AtomicFile::create(path("link")).error().to_string(), HasSubstr("Permission denied"));
  for (const std::string text : {"new", ""}) {
    auto file = create(path("link"), {.may_be_in_place = true});
    EXPECT_TRUE(file.is_direct());
    ASSERT_TRUE(file.append(text));
    ASSERT_TRUE(file.commit());
    EXPECT_EQ(contents(path("locked")), (Files{{"out", text}}));
  }
  EXPECT_FALSE(AtomicFile::create(path("locked/other"), {.may_be_in_place = true}));
}

TEST_F(AtomicFileTest, AFileThatIsWrittenInPlaceKeepsItsBytesUntilThereAreNewOnes) {
  fs::create_directory(path("locked"));
  write_file(path("locked/out"), "the old bytes");
  const LockedFolder locked(path("locked"));
  ASSERT_TRUE(create(path("locked/out"), {.may_be_in_place = true}).append("not flushed"));
  EXPECT_EQ(read_file(path("locked/out")), "the old bytes");
  auto file = create(path("locked/out"), {.may_be_in_place = true});
  ASSERT_TRUE(file.append("a part"));
  ASSERT_TRUE(file.flush());
  EXPECT_EQ(read_file(path("locked/out")), "a part");
}

TEST_F(AtomicFileTest, SaysWhetherItIsWrittenDirectly) {
  EXPECT_FALSE(create(path("out"), {.may_be_in_place = true}).is_direct());
  auto device = create("/dev/full");
  ASSERT_TRUE(device.append("lost"));
  EXPECT_FALSE(device.commit());
  EXPECT_TRUE(device.is_direct());
}

TEST_F(AtomicFileTest, AFullDeviceIsAnErrorThatNamesThePathAndTheStep) {
  auto file = create("/dev/full");
  ASSERT_TRUE(file.append("lost"));
  const auto done = file.commit();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Code::kIo);
  EXPECT_EQ(done.error().to_string(),
            "writing /dev/full: writing /dev/full: No space left on device");
}

TEST_F(AtomicFileTest, EachErrorNamesThePathAndTheStep) {
  const auto nowhere = AtomicFile::create(path("no folder/out"));
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code(), Code::kIo);
  EXPECT_THAT(nowhere.error().to_string(),
              StartsWith("writing " + path("no folder/out") + ": creating "));
  const auto folder = AtomicFile::create(folder_.path());
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().to_string(), "writing " + folder_.path() + ": it is a directory");
  auto file = create(path("out"));
  fs::create_directories(path("out/in the way"));
  const auto done = file.commit();
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().to_string(), StartsWith("writing " + path("out") + ": renaming "));
}

TEST_F(AtomicFileTest, NothingComesBehindACommit) {
  auto file = create(path("out"));
  ASSERT_TRUE(file.commit());
  EXPECT_DEATH((void)file.append("more"), "after its commit");
  EXPECT_DEATH((void)file.commit(), "a file is committed once");
}

TEST_F(AtomicFileTest, ALongNameCanBeWritten) {
  const std::string name(255, 'n');
  write(path(name), "text");
  EXPECT_EQ(files(), (Files{{name, "text"}}));
}

TEST_F(AtomicFileTest, AHardLinkTakesTheBytesOfAnotherFile) {
  write_file(path("from"), "bytes");
  {
    auto given_up = AtomicFile::link(path("from"), path("to"));
    ASSERT_TRUE(given_up) << given_up.error().to_string();
    EXPECT_EQ(given_up->size().value_or(-1), 5);
  }
  EXPECT_EQ(folder_.files(), 1u);
  auto file = AtomicFile::link(path("from"), path("to"));
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->append("more"));
  EXPECT_FALSE(file->flush());
  auto again = AtomicFile::link(path("from"), path("to"));
  ASSERT_TRUE(again && again->commit());
  EXPECT_EQ(fs::hard_link_count(path("to")), 3u);
  EXPECT_FALSE(AtomicFile::link(path("nothing"), path("to")));
  EXPECT_FALSE(AtomicFile::link(folder_.path(), path("to")));
}

TEST_F(AtomicFileTest, WhatAKillLeftIsRemovedAndNothingElse) {
  for (const char* name : {"out", "out.tmp", "out.tmp-12abcdef", "out.tmpl", "out.tmp-notes",
                           "other.tmp-12abcdef", "out.tmp-12abcdeg"})
    write_file(path(name), "x");
  ASSERT_TRUE(remove_leftovers(path("out")));
  EXPECT_EQ(files(), (Files{{"out", "x"},
                            {"out.tmpl", "x"},
                            {"out.tmp-notes", "x"},
                            {"other.tmp-12abcdef", "x"},
                            {"out.tmp-12abcdeg", "x"}}));
  EXPECT_TRUE(remove_leftovers(path("no folder/out")));
  // The temporary file is removed, too.
  auto file = create(path("out"));
  ASSERT_TRUE(remove_leftovers(path("out")));
  EXPECT_THAT(file.commit().error().to_string(), HasSubstr("renaming"));
}

TEST_F(AtomicFileTest, ASmallFileIsReplacedAsAWhole) {
  ASSERT_TRUE(replace_file(path("small"), "one"));
  ASSERT_TRUE(replace_file(path("small"), "two"));
  EXPECT_EQ(base::read_file(path("small"), 3).value().value_or(""), "two");
  EXPECT_EQ(base::read_file(path("small"), 2).error().code(), Code::kCorrupt);
  EXPECT_EQ(base::read_file(path("none"), 2).value(), std::nullopt);
  EXPECT_EQ(folder_.files(), 1u);
}

TEST_F(AtomicFileTest, AnInputIsReadWholeOrNotAtAll) {
  const std::string all(200'000, 'x');
  ASSERT_TRUE(replace_file(path("input"), all));
  std::filesystem::create_symlink("input", path("link"));
  EXPECT_EQ(read_input(path("link"), all.size()).value(), all);
  EXPECT_EQ(read_input(path("input"), all.size() - 1).error().code(), Code::kCorrupt);
  EXPECT_EQ(read_input("/dev/null", 0).value(), "");
  EXPECT_EQ(read_input(path("none"), 1).error().code(), Code::kNotFound);
  const auto folder = read_input(folder_.path(), 1);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code(), Code::kIo);
  EXPECT_THAT(folder.error().to_string(), HasSubstr(folder_.path() + ": Is a directory"));
}

TEST_F(AtomicFileTest, FoldersAreMadeWithThoseAboveThem) {
  ASSERT_TRUE(make_folders(path("a/b/c/")));
  ASSERT_TRUE(make_folders(path("a/b/c")));
  ASSERT_TRUE(make_folders(path("private/folder"), 0700));
  struct stat found{};
  ASSERT_EQ(stat(path("private").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0700u);
  write_file(path("file"), "");
  const auto under_a_file = make_folders(path("file/folder"));
  ASSERT_FALSE(under_a_file);
  EXPECT_EQ(under_a_file.error().code(), Code::kIo);
  EXPECT_THAT(under_a_file.error().message(), HasSubstr(path("file")));
}

}  // namespace
}  // namespace pegmove::base
