#include "inspect/finding.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace pegmove::inspect {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Findings, AreShownErrorsFirst) {
  Findings findings;
  findings.note("n", "a note", "here");
  findings.error(Code::kRefused, "e", "an error", "there", "fix it");
  findings.warning("w", "a warning", "");
  EXPECT_THAT(to_lines(findings.all), ElementsAre("error: an error (there); fix it",
                                                  "warning: a warning", "note: a note (here)"));
  auto json = to_json(findings.all);
  ASSERT_EQ(json.size(), 3);
  EXPECT_EQ(json[0].dump(), R"({"severity":"error","kind":"e","what":"an error",)"
                            R"("where":"there","next_step":"fix it"})");
  EXPECT_EQ(to_error(findings.all).message(), "an error (there); fix it");
}

}  // namespace
}  // namespace pegmove::inspect
