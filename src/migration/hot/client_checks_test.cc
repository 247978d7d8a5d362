// Who asks the source's servers, and what clients write.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "migration/hot/preflight_checks.h"

namespace pegmove::migration::hot {
namespace {

using async::milliseconds;
using inspect::Finding;
using inspect::Findings;
using inspect::Severity;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A real source whose clients write 100 rows a second.
HotFacts written_facts() {
  HotFacts facts;
  facts.inspection.source.cluster = "A";
  facts.inspection.source.table = "t";
  facts.inspection.source.info.emplace();
  facts.load = WriteLoad{.window = milliseconds(10'000), .writes = 1'000, .partitions = 4};
  return facts;
}

Finding only(const Findings& findings, const std::string& kind) {
  const auto found = std::ranges::find(findings.all, kind, &Finding::kind);
  return found == findings.all.end() ? Finding{.kind = "there is none", .what = {}} : *found;
}

TEST(DirectClients, AreAnErrorUntilTheOperatorSaysThatThereAreNone) {
  auto facts = written_facts();
  facts.source_metas = {{.node = "a:34601", .connections = 12}, {.node = "b:34601"}};
  HotRequest request{.source = {.cluster = "A"}};
  auto finding = only(check_direct_clients(facts, request), "direct-clients");
  EXPECT_EQ(finding.severity, Severity::kError);
  EXPECT_THAT(finding.what,
              AllOf(HasSubstr("not known whether clients ask the meta servers of cluster A"),
                    HasSubstr("a:34601 12"), Not(HasSubstr("b:34601"))));
  EXPECT_THAT(finding.next_step, HasSubstr("--no-direct-clients"));
  request.cuts_over_alone = true;
  EXPECT_TRUE(check_direct_clients(facts, request).has_errors()) << "--auto confirms nothing";
  request.no_direct_clients = true;
  finding = only(check_direct_clients(facts, request), "direct-clients");
  EXPECT_EQ(finding.severity, Severity::kNote);
}

TEST(DirectClients, EveryPreflightLooksForThem) {
  auto facts = written_facts();
  facts.route_error = facts.inspection.source.unreachable = Error(Code::kUnreachable, "away");
  EXPECT_EQ(only(check_hot(facts, {}), "direct-clients").severity, Severity::kError);
}

TEST(AtomicWrites, AreCountedInTheWindowAndSinceTheServersWereStarted) {
  auto facts = written_facts();
  facts.load->atomic = 3;
  facts.load->atomic_since_start = 1'234;
  const auto finding = only(check_load(facts, {}), "atomic-writes");
  EXPECT_EQ(finding.severity, Severity::kWarning);
  EXPECT_THAT(finding.what,
              AllOf(HasSubstr("made 3 atomic writes"), HasSubstr("in the last 10.0 s"),
                    HasSubstr("1,234 since its servers were started"),
                    HasSubstr("until `pegmove complete`")));
  EXPECT_THAT(finding.next_step, HasSubstr("enable_atomic_idempotent"));
}

TEST(AtomicWrites, AreANoteWhereThereAreNoneAndWhereTheyStayPossible) {
  auto facts = written_facts();
  EXPECT_EQ(only(check_load(facts, {}), "atomic-writes").severity, Severity::kNote);
  facts.load->silent = 1;
  const auto unknown = only(check_load(facts, {}), "atomic-writes");
  EXPECT_EQ(unknown.severity, Severity::kWarning);
  EXPECT_THAT(unknown.what, HasSubstr("not known of 1 of 4 partitions"));
  facts.load->atomic = facts.load->atomic_since_start = 5;
  facts.inspection.source.info->atomic_idempotent = true;
  EXPECT_EQ(only(check_load(facts, {}), "atomic-writes").severity, Severity::kNote);
}

TEST(WriteRate, IsShownBesideWhatCanBeShipped) {
  const auto finding = only(check_load(written_facts(), {}), "write-rate");
  EXPECT_EQ(finding.severity, Severity::kNote);
  EXPECT_THAT(finding.what, AllOf(HasSubstr("clients made 100 writes/s in the last 10.0 s"),
                                  HasSubstr("real servers ship 5,400/s")));
}

TEST(WriteRate, MoreThanCanBeShippedInOrderIsAWarning) {
  auto facts = written_facts();
  HotRequest request{.ships_per_second = 99};
  EXPECT_TRUE(is_too_fast_to_ship(facts, request));
  const auto finding = only(check_load(facts, request), "write-rate");
  EXPECT_EQ(finding.severity, Severity::kWarning);
  EXPECT_THAT(finding.what, AllOf(HasSubstr("duplicate_log_batch_bytes stays at its default"),
                                  HasSubstr("--fence writes")));
  EXPECT_THAT(finding.next_step, HasSubstr("--ship-rate"));
  request.order = Order::kRoutesFirst;
  EXPECT_THAT(only(check_load(facts, request), "write-rate").what,
              HasSubstr("the target cannot be made exact"));
  request.ships_per_second = 100;
  EXPECT_FALSE(is_too_fast_to_ship(facts, request));
  facts.source_is_embedded = true;
  request.ships_per_second = 1;
  EXPECT_FALSE(is_too_fast_to_ship(facts, request)) << "it ships in order at any rate";
  EXPECT_EQ(only(check_load(facts, request), "write-rate").severity, Severity::kNote);
}

TEST(WriteRate, IsNotKnownWhereServersDoNotTell) {
  auto facts = written_facts();
  facts.load.reset();
  facts.load_error = Error(Code::kUnreachable, "nobody answers");
  const auto finding = only(check_load(facts, {}), "writes-unknown");
  EXPECT_EQ(finding.severity, Severity::kWarning);
  EXPECT_THAT(finding.what, HasSubstr("nobody answers"));
  EXPECT_FALSE(is_too_fast_to_ship(facts, {}));
}

}  // namespace
}  // namespace pegmove::migration::hot
