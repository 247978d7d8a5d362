// What the tests share that kill a child of theirs: a test of the same program that is disabled,
// and writes rows until then.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "base/child_process.h"
#include "base/units.h"

namespace pegmove::store {

constexpr int64_t kReportedRows = 1000;
constexpr const char* kPathVariable = "PEGMOVE_STORE_TEST_PATH";
constexpr std::string_view kReportMark = "written: ";

// In the child: the path of its database; null: it is not a child. And that a row is written.
inline const char* path_of_child() { return std::getenv(kPathVariable); }
inline void report_row(int64_t number) {
  std::printf("%s%ld\n", kReportMark.data(), long(number));
  if (std::fflush(stdout) != 0) _exit(9);
}

// The next row that the child reports; nothing when it has ended.
inline std::optional<int64_t> next_report(base::ChildProcess& child) {
  while (auto line = child.next_line()) {
    if (!*line) break;
    if ((*line)->starts_with(kReportMark))
      return base::parse_integer((*line)->substr(kReportMark.size()), 1, INT64_MAX).value();
  }
  return std::nullopt;
}

// Starts the disabled test, and kills it when it has reported kReportedRows. `last`: the last row
// that it reported.
inline void kill_child(const std::string& test, const std::string& path, int64_t& last) {
  auto child = base::ChildProcess::start(
      {"/proc/self/exe", "--gtest_also_run_disabled_tests", "--gtest_filter=" + test},
      {.environment = {{kPathVariable, path}}});
  ASSERT_TRUE(child) << child.error().to_string();
  last = 0;
  while (last < kReportedRows) {
    const auto row = next_report(*child);
    if (!row) break;
    last = *row;
  }
  child->send(SIGKILL);
  while (const auto row = next_report(*child)) last = *row;  // what it still reported counts too
  ASSERT_EQ(child->wait().value_or(0), -SIGKILL);
  ASSERT_GE(last, kReportedRows);
}

}  // namespace pegmove::store
