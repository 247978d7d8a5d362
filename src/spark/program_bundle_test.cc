#include "spark/program_bundle.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/child_process.h"
#include "testing/test_folder.h"

namespace pegmove::spark {
namespace {

#if defined(__has_feature) && __has_feature(address_sanitizer)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

TEST(ProgramBundle, RunsWithNothingOfTheSystem) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may change the root folder";
  if (kIsSanitized) GTEST_SKIP() << "sanitizers need /proc, which the bundle has not";
  testing::TestFolder folder;
  ASSERT_TRUE(write_bundle(folder.path() + "/bundle"));
  auto child =
      base::ChildProcess::start({"chroot", folder.path() + "/bundle", "/lib/ld.so",
                                 "--library-path", "/lib", "/pegmove", "--gtest_list_tests"},
                                {.log = folder.path() + "/log"});
  ASSERT_TRUE(child) << child.error().to_string();
  const auto output = child->read_all();
  EXPECT_EQ(*child->wait(), 0);
  EXPECT_TRUE(output && output->contains("RunsWithNothingOfTheSystem"));
}

TEST(ProgramBundle, AFolderThatCannotBeMadeIsNamed) {
  const auto written = write_bundle("/proc/no/such");
  ASSERT_FALSE(written);
  EXPECT_TRUE(written.error().message().contains("/proc/no/such")) << written.error().to_string();
}

}  // namespace
}  // namespace pegmove::spark
