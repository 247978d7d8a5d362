#include "splitter/units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "record/hash.h"

namespace pegmove::splitter {
namespace {

using ::testing::ElementsAre;

TEST(Shape, ClassesAreThoseOfTheGreatestCommonDivisor) {
  EXPECT_EQ((Shape{8, 64}).classes(), 8);
  EXPECT_EQ((Shape{64, 8}).classes(), 8);
  EXPECT_EQ((Shape{8, 7}).classes(), 1);
  EXPECT_THAT((Shape{8, 12}).sources_of(1), ElementsAre(1, 5));
  EXPECT_THAT((Shape{8, 12}).targets_of(1), ElementsAre(1, 5, 9));
}

TEST(Shape, EveryKeyStaysInItsClass) {
  for (const auto shape : {Shape{8, 64}, {8, 7}, {64, 8}, {6, 4}, {1, 5}, {12, 18}})
    for (int i = 0; i < 2000; ++i) {
      const auto hash = record::key_hash("key" + std::to_string(i), "");
      EXPECT_EQ(record::partition_index(hash, shape.sources) % shape.classes(),
                record::partition_index(hash, shape.targets) % shape.classes());
    }
}

std::vector<TableFile> files(std::initializer_list<std::pair<const char*, int64_t>> list) {
  std::vector<TableFile> made;
  for (const auto& [smallest, bytes] : list)
    made.push_back({.smallest = smallest, .bytes = bytes, .rows = bytes / 10});
  return made;
}

TEST(CutClass, PiecesOfOneSizeThatTouchAndCoverAllKeys) {
  const auto units = cut_class(
      3, files({{"a", 100}, {"c", 100}, {"b", 100}, {"d", 100}, {"e", 100}, {"f", 100}}), 3);
  EXPECT_THAT(units, ElementsAre(Unit{.which = 3, .from = "", .to = "c", .rows = 20},
                                 Unit{.which = 3, .from = "c", .to = "e", .rows = 20},
                                 Unit{.which = 3, .from = "e", .to = "", .rows = 20}));
}

TEST(CutClass, FilesThatBeginAtOneKeyAreNotCutApart) {
  const auto units = cut_class(0, files({{"a", 100}, {"a", 100}, {"a", 100}, {"b", 100}}), 4);
  EXPECT_THAT(units, ElementsAre(Unit{.which = 0, .from = "", .to = "b", .rows = 30},
                                 Unit{.which = 0, .from = "b", .to = "", .rows = 10}));
}

TEST(CutClass, AClassWithoutFilesIsOneUnitAllTheSame) {
  EXPECT_THAT(cut_class(0, {}, 8), ElementsAre(Unit{.which = 0, .from = "", .to = "", .rows = 0}));
}

}  // namespace
}  // namespace pegmove::splitter
