#include "migration/hot/hot_certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "migration/hot/hot_report.h"
#include "testing/test_folder.h"

namespace pegmove::migration::hot {
namespace {

using ::testing::HasSubstr;

class HotCertificate : public ::testing::Test {
 protected:
  std::string why_not(const std::string& text) {
    pegmove::testing::write_file(path, text);
    return why_not_certified({.certificate = path}, "hot-1").value_or("");
  }

  pegmove::testing::TestFolder folder;
  const std::string path = folder / "hot-1.json";
};

TEST_F(HotCertificate, IsThatOfTheRunAndGood) {
  EXPECT_EQ(why_not(R"({"id":"hot-1","verdict":"equal"})"), "");
  EXPECT_EQ(why_not(R"({"id":"hot-1","verdict":"not settled"})"), "");
  EXPECT_THAT(why_not(R"({"id":"hot-1","verdict":"different"})"), HasSubstr("says: different"));
  EXPECT_THAT(why_not(R"({"id":"hot-2","verdict":"equal"})"), HasSubstr("not the certificate"));
  for (const auto* text : {"", "[]", "7", R"({"id":7,"verdict":"equal"})", R"({"id":"hot-1"})"})
    EXPECT_NE(why_not(text), "") << text;
}

TEST_F(HotCertificate, MustBeThere) {
  EXPECT_THAT(*why_not_certified({.certificate = path}, "hot-1"), HasSubstr("is missing"));
  EXPECT_TRUE(why_not_certified({}, "hot-1"));
  EXPECT_TRUE(why_not_certified({.certificate = folder.path()}, "hot-1")) << "a folder";
}

TEST(LiveCertificate, HasTheVerdictAfterTheRepair) {
  compare::LiveVerification live;
  live.found.missing = 2;
  live.repaired.missing = 2;
  const auto text = compare::certificate({.run_id = "hot-1"}, {}, {}, live);
  EXPECT_THAT(text, HasSubstr(R"("verdict": "equal")"));
  EXPECT_THAT(text, HasSubstr(R"("found": "different")"));
  live.repaired.extra_left = 1;
  EXPECT_THAT(compare::certificate({.run_id = "hot-1"}, {}, {}, live),
              HasSubstr(R"("verdict": "different")"));
  live.repaired.extra_left = 0;
  live.repaired.not_settled = 1;
  EXPECT_EQ(compare::verdict(live), "not settled");
}

}  // namespace
}  // namespace pegmove::migration::hot
