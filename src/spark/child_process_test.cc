#include "spark/child_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {  // glibc 2.36 leaves it out
#include <sys/pidfd.h>
}

#include <csignal>
#include <fstream>
#include <optional>

#include "testing/test_folder.h"

namespace pegmove::spark {
namespace {

using ::testing::HasSubstr;

const auto never = [] { return false; };

class ChildProcessTest : public ::testing::Test {
 protected:
  Result<ChildProcess> shell(const std::string& script) {
    return ChildProcess::start({"sh", "-c", script}, log());
  }
  std::string log() const { return folder_.path() + "/log"; }

  testing::TestFolder folder_;
};

TEST_F(ChildProcessTest, ItsLinesAreReadAndItsErrorsLogged) {
  auto child = shell("echo one; echo wrong >&2; printf 'two\\nlast'; exit 3");
  ASSERT_TRUE(child) << child.error().to_string();
  EXPECT_EQ(**child->next_line(never), "one");
  EXPECT_EQ(**child->next_line(never), "two");
  EXPECT_EQ(*child->next_line(never), std::nullopt);  // what has no end is no line
  EXPECT_EQ(*child->wait(never), 3);
  std::ifstream file(log());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "wrong\n");
}

TEST_F(ChildProcessTest, ALongLineComesWhole) {
  auto child = shell("head -c 300000 /dev/zero | tr '\\0' x; echo");
  ASSERT_TRUE(child);
  EXPECT_EQ(**child->next_line(never), std::string(300'000, 'x'));
}

TEST_F(ChildProcessTest, WhatIsNotThereIsNamed) {
  const auto child = ChildProcess::start({"no-such-program"}, log());
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code(), Code::kNotFound);
  EXPECT_THAT(child.error().message(), HasSubstr("no-such-program"));
}

// A process of any kinship, by its end.
class Watched {
 public:
  explicit Watched(pid_t id) : process_(pidfd_open(id, 0)) {}
  ~Watched() { close(process_); }
  bool ends_soon() const {
    pollfd ended{.fd = process_, .events = POLLIN, .revents = 0};
    return poll(&ended, 1, 10'000) > 0;
  }

 private:
  int process_;
};

TEST_F(ChildProcessTest, AStopIsHeardAndTheGroupEnds) {
  std::optional<Watched> grandchild;
  {
    auto child = shell("sleep 1000 & echo $!; wait");
    ASSERT_TRUE(child);
    grandchild.emplace(pid_t(std::stol(**child->next_line(never))));
    const auto stopped = child->next_line([] { return true; });
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code(), Code::kInterrupted);
    EXPECT_EQ(child->wait([] { return true; }).error().code(), Code::kInterrupted);
  }
  EXPECT_TRUE(grandchild->ends_soon());
}

TEST_F(ChildProcessTest, ItEndsWithWhoeverStartedIt) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const auto parent = fork();
  if (parent == 0) {
    auto child = shell("echo ready; sleep 1000");
    if (!child || !child->next_line(never)) _exit(1);
    const auto id = child->id();
    [[maybe_unused]] const auto told = write(ends[1], &id, sizeof id);
    pause();
  }
  pid_t child = 0;
  ASSERT_EQ(read(ends[0], &child, sizeof child), ssize_t(sizeof child));
  const Watched watched(child);
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  EXPECT_TRUE(watched.ends_soon());
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace pegmove::spark
