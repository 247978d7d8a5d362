#include "base/standard_streams.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <iostream>

#include "base/descriptor.h"
#include "testing/test_folder.h"

namespace pegmove::base {
namespace {

using ::testing::HasSubstr;

Descriptor open_to_write(const std::string& path) {
  return Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

// Standard output is this descriptor, or none, while it exists.
class OtherOutput {
 public:
  explicit OtherOutput(const Descriptor& other) {
    std::fflush(stdout);
    if (other.is_open())
      ::dup2(other.get(), STDOUT_FILENO);
    else
      ::close(STDOUT_FILENO);
  }
  ~OtherOutput() {
    std::fflush(stdout);
    ::dup2(own_.get(), STDOUT_FILENO);
    std::clearerr(stdout);
  }

 private:
  Descriptor own_{::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10)};
};

TEST(StandardOutput, WhatWasPrintedHasArrivedAfterAFlush) {
  const pegmove::testing::TestFolder folder;
  Result<void> flushed;
  {
    const OtherOutput output(open_to_write(folder / "out"));
    std::printf("printed\n");
    std::cout << "streamed\n";
    flushed = flush_standard_output();
    EXPECT_EQ(pegmove::testing::read_file(folder / "out"), "printed\nstreamed\n");
  }
  EXPECT_TRUE(flushed);
}

TEST(StandardOutput, AFullDiskIsAnErrorOnce) {
  Result<void> first, second;
  {
    const OtherOutput output(open_to_write("/dev/full"));
    std::printf("lost\n");
    first = flush_standard_output();
    second = flush_standard_output();
  }
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code(), Code::kIo);
  EXPECT_EQ(first.error().to_string(), "writing standard output: No space left on device");
  EXPECT_TRUE(second);
}

TEST(StandardOutput, ALossInTheMiddleOfALongTextIsAnError) {
  Result<void> flushed;
  {
    const OtherOutput output(open_to_write("/dev/full"));
    std::fputs(std::string(1 << 20, 'x').c_str(), stdout);
    flushed = flush_standard_output();
  }
  ASSERT_FALSE(flushed);
  EXPECT_THAT(flushed.error().to_string(), HasSubstr("writing standard output: "));
}

TEST(StandardOutput, WithoutAReaderItIsAnError) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ::close(ends[0]);
  const Descriptor to_write(ends[1]);
  Result<void> flushed;
  {
    const OtherOutput output(to_write);
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    std::printf("lost\n");
    flushed = flush_standard_output();
    std::signal(SIGPIPE, before);
  }
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().to_string(), "writing standard output: Broken pipe");
}

TEST(StandardOutput, AStreamThatIsMissingIsNotTakenByTheNextFile) {
  Result<void> unused, flushed;
  int next = -1;
  {
    const OtherOutput output(Descriptor{});
    open_missing_standard_streams();
    next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    unused = flush_standard_output();
    std::printf("lost\n");
    flushed = flush_standard_output();
  }
  const Descriptor closed(next);
  EXPECT_GT(next, STDERR_FILENO);
  EXPECT_TRUE(unused);
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().to_string(), "writing standard output: Bad file descriptor");
}

}  // namespace
}  // namespace pegmove::base
