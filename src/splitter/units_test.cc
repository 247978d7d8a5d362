#include "splitter/units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "record/hash.h"

namespace pegmove::splitter {
namespace {

using ::testing::ElementsAre;

TEST(Shape, ClassesAreThoseOfTheGreatestCommonDivisor) {
  EXPECT_EQ((Shape{8, 64}).residue_classes(), 8);
  EXPECT_EQ((Shape{64, 8}).residue_classes(), 8);
  EXPECT_EQ((Shape{8, 7}).residue_classes(), 1);
  EXPECT_THAT((Shape{8, 12}).sources_of(1), ElementsAre(1, 5));
  EXPECT_THAT((Shape{8, 12}).targets_of(1), ElementsAre(1, 5, 9));
}

TEST(Shape, EveryKeyStaysInItsClass) {
  for (const auto shape : {Shape{8, 64}, {8, 7}, {64, 8}, {6, 4}, {1, 5}, {12, 18}})
    for (int i = 0; i < 2000; ++i) {
      const auto hash = record::key_hash("key" + std::to_string(i), "");
      EXPECT_EQ(record::partition_index(hash, shape.sources) % shape.residue_classes(),
                record::partition_index(hash, shape.targets) % shape.residue_classes());
    }
}

// Keys with 100 bytes and 10 rows each.
ClassSize size_of(std::set<std::string> keys) {
  return {.bytes = int64_t(keys.size()) * 100,
          .rows = int64_t(keys.size()) * 10,
          .bytes_before = [keys](const std::string& key) -> Result<int64_t> {
            return std::distance(keys.begin(), keys.lower_bound(key)) * 100;
          }};
}

void expect_cover(const std::vector<Unit>& units) {
  EXPECT_EQ(units.front().from, "");
  EXPECT_EQ(units.back().to, "");
  for (size_t i = 1; i < units.size(); ++i) {
    EXPECT_EQ(units[i - 1].to, units[i].from);
    EXPECT_LT(units[i - 1].from, units[i].from);
  }
}

TEST(CutClass, PiecesOfOneSizeThatTouchAndCoverAllKeys) {
  std::set<std::string> keys;
  for (int i = 0; i < 3'000; ++i) keys.insert("long prefix of all keys " + std::to_string(i));
  const auto units = *cut_residue_class(3, size_of(keys), 4);
  ASSERT_EQ(units.size(), 4u);
  expect_cover(units);
  for (const auto& unit : units) {
    EXPECT_EQ(unit.which, 3);
    EXPECT_NEAR(double(unit.rows), 7'500, 750);
  }
}

TEST(CutClass, KeysOfAllBytesAreCutToo) {
  std::set<std::string> keys;
  for (int i = 0; i < 256; ++i)
    for (int j = 0; j < 256; ++j) keys.insert({char(i), '\xFF', char(j)});
  const auto units = *cut_residue_class(0, size_of(keys), 7);
  ASSERT_EQ(units.size(), 7u);
  expect_cover(units);
}

TEST(CutClass, WhatSizesDoNotTellApartIsNotCut) {
  auto size = size_of({"a"});
  size.bytes = 1'000'000;
  size.bytes_before = [](const std::string& key) -> Result<int64_t> {
    return key > "a" ? 1'000'000 : 0;
  };
  EXPECT_THAT(*cut_residue_class(0, size, 4),
              ElementsAre(Unit{.which = 0, .from = "", .to = "", .rows = 10}));
}

TEST(CutClass, AClassWithoutFilesIsOneUnitAllTheSame) {
  EXPECT_THAT(*cut_residue_class(0, size_of({}), 8),
              ElementsAre(Unit{.which = 0, .from = "", .to = "", .rows = 0}));
}

TEST(CutClass, AnErrorOfTheSourcesIsToldAsItIs) {
  auto size = size_of({"a", "b"});
  size.bytes_before = [](const std::string&) -> Result<int64_t> { return fail(Code::kIo, "gone"); };
  const auto units = cut_residue_class(0, size, 2);
  ASSERT_FALSE(units);
  EXPECT_EQ(units.error().code(), Code::kIo);
}

}  // namespace
}  // namespace pegmove::splitter
