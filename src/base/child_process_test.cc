#include "base/child_process.h"

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

namespace pegmove::base {
namespace {

using ::testing::HasSubstr;

class ChildProcessTest : public ::testing::Test {
 protected:
  Result<ChildProcess> shell(const std::string& script) {
    return ChildProcess::start({"sh", "-c", script}, {.log = log()});
  }
  std::string log() const { return folder_.path() + "/log"; }

  pegmove::testing::TestFolder folder_;
};

TEST_F(ChildProcessTest, ItsLinesAreReadAndItsErrorsLogged) {
  auto child = shell("echo one; echo wrong >&2; printf 'two\\nlast'; exit 3");
  ASSERT_TRUE(child) << child.error().to_string();
  EXPECT_EQ(**child->next_line(), "one");
  EXPECT_EQ(**child->next_line(), "two");
  EXPECT_EQ(*child->next_line(), std::nullopt);  // text without a newline is not a line
  EXPECT_EQ(*child->wait(), 3);
  std::ifstream file(log());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "wrong\n");
}

TEST_F(ChildProcessTest, ALongLineComesWhole) {
  auto child = shell("head -c 300000 /dev/zero | tr '\\0' x; echo");
  ASSERT_TRUE(child);
  EXPECT_EQ(**child->next_line(), std::string(300'000, 'x'));
}

TEST_F(ChildProcessTest, WhatIsNotThereIsNamed) {
  const auto child = ChildProcess::start({"no-such-program"}, {.log = log()});
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code(), Code::kNotFound);
  EXPECT_THAT(child.error().message(), HasSubstr("no-such-program"));
}

// Waits for the end of any process, not only a child.
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
    grandchild.emplace(pid_t(std::stol(**child->next_line())));
    const ChildWait stop{.should_stop = [] { return true; }};
    const auto stopped = child->next_line(stop);
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code(), Code::kInterrupted);
    EXPECT_EQ(child->wait(stop).error().code(), Code::kInterrupted);
  }
  EXPECT_TRUE(grandchild->ends_soon());
}

TEST_F(ChildProcessTest, AllThatItSaysIsReadAtOnce) {
  auto child = shell("printf 'one\\ntwo\\nlast'");
  ASSERT_TRUE(child);
  EXPECT_EQ(**child->next_line(), "one");
  EXPECT_EQ(*child->read_all(), "two\nlast");
  EXPECT_EQ(*child->read_all(), "");
}

TEST_F(ChildProcessTest, ALimitEndsTheWaitAndNotTheProcess) {
  auto child = shell("exec sleep 1000");
  ASSERT_TRUE(child);
  const ChildWait soon{.limit = std::chrono::milliseconds(1)};
  EXPECT_EQ(child->next_line(soon).error().code(), Code::kTimeout);
  EXPECT_EQ(child->wait(soon).error().code(), Code::kTimeout);
  EXPECT_EQ(child->ended(), std::nullopt);
  child->send(SIGTERM);
  EXPECT_EQ(*child->wait(), -SIGTERM);
  EXPECT_EQ(child->ended(), -SIGTERM);
}

TEST_F(ChildProcessTest, ASignalThatThisProcessBlocksReachesIt) {
  sigset_t term, before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &term, &before);
  auto child = shell("echo ready; exec sleep 1000");
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ASSERT_TRUE(child && child->next_line());
  child->send(SIGTERM);
  EXPECT_EQ(*child->wait(), -SIGTERM);
}

TEST_F(ChildProcessTest, ItsEnvironmentIsThisOneAndMore) {
  setenv("PEGMOVE_TEST_A", "old", 1);
  setenv("PEGMOVE_TEST_B", "kept", 1);
  auto child = ChildProcess::start({"sh", "-c", "echo $PEGMOVE_TEST_A $PEGMOVE_TEST_B"},
                                   {.environment = {{"PEGMOVE_TEST_A", "new"}}});
  ASSERT_TRUE(child);
  EXPECT_EQ(**child->next_line(), "new kept");
}

TEST_F(ChildProcessTest, ALogIsReplacedOrAppendedTo) {
  const auto log_of_a_run = [&](bool appends) {
    auto child = ChildProcess::start({"sh", "-c", "echo line >&2"},
                                     {.log = log(), .appends_to_log = appends});
    EXPECT_TRUE(child && child->wait());
    return pegmove::testing::read_file(log());
  };
  EXPECT_EQ(log_of_a_run(false), "line\n");
  EXPECT_EQ(log_of_a_run(true), "line\nline\n");
  EXPECT_EQ(log_of_a_run(false), "line\n");
}

TEST_F(ChildProcessTest, ItsTimeOnTheProcessorIsCounted) {
  auto child = shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done");
  ASSERT_TRUE(child && child->wait());
  EXPECT_GT(child->cpu_time().count(), 0);
}

TEST_F(ChildProcessTest, OneForTheBackgroundOutlivesItsCaller) {
  pid_t id = 0;
  {
    auto child =
        ChildProcess::start({"sh", "-c", "echo $$; exec sleep 1000"}, {.outlives_caller = true});
    ASSERT_TRUE(child);
    EXPECT_EQ(**child->next_line(), std::to_string(child->id()));
    id = child->id();
    EXPECT_EQ(getsid(id), id);
  }
  EXPECT_EQ(kill(id, 0), 0);
  kill(id, SIGKILL);
  int status = 0;
  EXPECT_EQ(waitpid(id, &status, 0), id);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST_F(ChildProcessTest, ItEndsWithWhoeverStartedIt) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const auto parent = fork();
  if (parent == 0) {
    auto child = shell("echo ready; exec sleep 1000");
    if (!child || !child->next_line()) _exit(1);
    const auto id = child->id();
    [[maybe_unused]] const auto written = write(ends[1], &id, sizeof id);
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
}  // namespace pegmove::base
