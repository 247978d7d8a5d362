#include "compare/row_fingerprint.h"

#include "compare/two_tables_test.h"

namespace pegmove::compare {
namespace {

class RowFingerprintTest : public TwoTablesTest {};

TEST_F(RowFingerprintTest, ExpiriesWithinTheToleranceAreTheSame) {
  make_tables({}, 2, 3);
  set(source, {"h", "near"}, "v", now() + 1000);
  set(target, {"h", "near"}, "v", now() + 1002);
  set(source, {"h", "far"}, "v", now() + 1003);
  set(target, {"h", "far"}, "v", now() + 1000);
  set(source, {"h", "none"}, "v", 0);
  set(target, {"h", "none"}, "v", 1);
  set(target, {"h", "none"}, "v", now() + 1000);
  EXPECT_EQ(compare().expiry_differs, 3);
  EXPECT_EQ(found_in(compare({.expiry_tolerance_s = 2}).differences),
            (Found{{DifferenceKind::kExpiry, "h", "far"}, {DifferenceKind::kExpiry, "h", "none"}}));
}

}  // namespace
}  // namespace pegmove::compare
