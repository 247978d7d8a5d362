#include "base/app_env_text.h"

#include <gtest/gtest.h>

#include <string>

namespace pegmove::base {
namespace {

using namespace std::chrono_literals;

Throttle must_parse(std::string_view text) { return parse_throttle(text).value(); }

TEST(ParseThrottle, ReadsBothSteps) {
  auto throttle = must_parse("2K*delay*100, 1M*reject*200");
  EXPECT_EQ(throttle.delay->units, 2048u);
  EXPECT_EQ(throttle.delay->pause, 100ms);
  EXPECT_EQ(throttle.reject->units, 1u << 20);
  EXPECT_EQ(throttle.reject->pause, 200ms);
  EXPECT_FALSE(must_parse("1*delay*0").reject);
}

TEST(ParseThrottle, ReadSizeIsANumberOrARejectPart) {
  EXPECT_EQ(parse_read_size_limit("20K").value(), 20480u);
  EXPECT_EQ(parse_read_size_limit("5*delay*1,7*reject*0").value(), 7u);
  EXPECT_EQ(parse_read_size_limit("5*delay*1").value(), 0u);
  EXPECT_FALSE(parse_read_size_limit("0"));
  EXPECT_FALSE(parse_read_size_limit("0*reject*1"));
}

TEST(ParseDenyRule, ReadsWhatIsDeniedAndHowItIsAnswered) {
  const auto all = parse_deny_rule("timeout*all").value();
  EXPECT_TRUE(all.reads && all.writes);
  EXPECT_EQ(all.answer, DenyRule::Answer::kNone);
  const auto reads = parse_deny_rule(" reconfig * read ").value();
  EXPECT_TRUE(reads.reads && !reads.writes);
  EXPECT_EQ(reads.answer, DenyRule::Answer::kReconfigure);
  const auto writes = parse_deny_rule("timeout*write").value();
  EXPECT_TRUE(writes.writes && !writes.reads);
}

TEST(ParseDenyRule, RefusesWhatIsNoRuleInPegasussWords) {
  for (const std::string text : {"", "timeout", "later*all", "timeout*some", "timeout*all*all"}) {
    const auto rule = parse_deny_rule(text);
    ASSERT_FALSE(rule) << text;
    EXPECT_TRUE(rule.error().message().starts_with("Invalid deny client args, valid include: "));
  }
}

}  // namespace
}  // namespace pegmove::base
