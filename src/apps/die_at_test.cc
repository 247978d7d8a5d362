#include "apps/die_at.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "testing/test_folder.h"

namespace pegmove::apps {
namespace {

std::string text_in(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// A child that passes these failpoints under the options, and ends with 0.
class PassingChild {
 public:
  PassingChild(const FailpointOptions& options, std::initializer_list<const char*> points) {
    const auto listener = failpoint_listener(options);
    pid_ = fork();
    if (pid_ != 0) return;
    for (const char* point : points) (*listener)(point);
    _exit(0);
  }
  ~PassingChild() {
    if (is_over_) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const { return pid_; }
  void go_on() { kill(pid_, SIGCONT); }
  // Its next change: of waitpid(), stops too.
  int next() {
    int status = 0;
    waitpid(pid_, &status, WUNTRACED);
    is_over_ = WIFEXITED(status) || WIFSIGNALED(status);
    return status;
  }

 private:
  pid_t pid_ = 0;
  bool is_over_ = false;
};

TEST(FailpointOptions, UnknownFailpointsAreRefused) {
  for (const auto& options : {FailpointOptions{.die_at = "cutover.none"},
                              FailpointOptions{.stop_at = "cutover.fence_set,cutover.none"},
                              FailpointOptions{.guard_die_at = "guard.none"}}) {
    const auto listener = failpoint_listener(options);
    ASSERT_FALSE(listener);
    EXPECT_TRUE(listener.error().to_string().contains(".none'")) << listener.error().to_string();
  }
}

TEST(FailpointOptions, AProcessStopsAtEachPointInTheirOrder) {
  PassingChild child({.stop_at = "cutover.fence_set,cutover.checked"},
                     {"cutover.checked", "cutover.fence_set", "cutover.drained", "cutover.checked",
                      "cutover.fence_set"});
  EXPECT_TRUE(WIFSTOPPED(child.next()));
  child.go_on();
  EXPECT_TRUE(WIFSTOPPED(child.next()));
  child.go_on();
  EXPECT_TRUE(WIFEXITED(child.next()));
}

TEST(FailpointOptions, PointsAreInTheFileBeforeTheProcessDiesAtThem) {
  testing::TestFolder folder;
  const auto path = folder / "points";
  PassingChild child({.die_at = "cutover.fence_set", .points_in = path},
                     {"cutover.members_seen", "cutover.fence_set", "cutover.checked"});
  const int status = child.next();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_EQ(text_in(path),
            fmt::format("{0} cutover.members_seen\n{0} cutover.fence_set\n", child.pid()));
}

TEST(FailpointOptions, AGuardNotesItsPointsInTheSameFileAndDiesByItsOwnOption) {
  EXPECT_EQ(guard_words({.die_at = "cutover.fence_set",
                         .stop_at = "cutover.checked",
                         .points_in = "file",
                         .guard_die_at = "guard.ended"}),
            (std::vector<std::string>{"--points-in", "file", "--die-at", "guard.ended"}));
  EXPECT_TRUE(guard_words({}).empty());
}

}  // namespace
}  // namespace pegmove::apps
