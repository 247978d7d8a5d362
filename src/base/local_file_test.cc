#include "base/local_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "testing/test_folder.h"

namespace pegmove::base {
namespace {

using pegmove::testing::TestFolder;
using pegmove::testing::write_file;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(NamesInAFolder, ComeInTheirOrderAndWithHiddenOnes) {
  const TestFolder folder;
  EXPECT_THAT(*names_in(folder.path()), IsEmpty());
  for (const char* name : {"b", ".hidden", "a"}) write_file(folder / name, "");
  std::filesystem::create_directory(folder / "c");
  EXPECT_THAT(*names_in(folder.path()), ElementsAre(".hidden", "a", "b", "c"));
}

TEST(NamesInAFolder, AreAnErrorWithoutTheFolder) {
  const TestFolder folder;
  const auto nowhere = names_in(folder / "nowhere");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code(), Code::kNotFound);
  EXPECT_THAT(nowhere.error().to_string(), HasSubstr("listing " + (folder / "nowhere")));
  // Which is an error of the system also for root, and no exception.
  std::filesystem::create_symlink(folder / "circle", folder / "circle");
  const auto circle = names_in(folder / "circle");
  ASSERT_FALSE(circle);
  EXPECT_EQ(circle.error().code(), Code::kIo);
}

TEST(AbsolutePath, BeginsInTheWorkingDirectory) {
  EXPECT_EQ(absolute_path("a/b").value_or(""), std::filesystem::current_path() / "a/b");
  EXPECT_EQ(absolute_path("/a/b").value_or(""), "/a/b");
  EXPECT_EQ(absolute_path("").value_or("?"), "");
}

TEST(AbsolutePath, IsAnErrorWhenTheWorkingDirectoryIsGone) {
  const TestFolder folder;
  std::filesystem::create_directory(folder / "gone");
  const Descriptor before(::open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(::chdir((folder / "gone").c_str()), 0);
  std::filesystem::remove(folder / "gone");
  const auto relative = absolute_path("a"), absolute = absolute_path("/a");
  ASSERT_EQ(::fchdir(before.get()), 0);
  ASSERT_FALSE(relative);
  EXPECT_THAT(relative.error().to_string(), HasSubstr("working directory"));
  EXPECT_EQ(absolute.value_or(""), "/a");
}

}  // namespace
}  // namespace pegmove::base
