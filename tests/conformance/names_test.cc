#include "names.h"

#include <gtest/gtest.h>

#include "record/hash.h"

namespace pegmove::conformance {
namespace {

using client::RowKey;

TEST(NamesTest, LeadsBackToTheNames) {
  Names names("1", 2, {}, 4);
  for (const auto& [hash, sort] : {std::pair<std::string, std::string>{"h", "s"}, {"", "s"}}) {
    auto key = names.key(hash, sort);
    EXPECT_NE(key.hash_key + key.sort_key, hash + sort);
    auto back = names.names_of(key);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->hash_key, hash);
    EXPECT_EQ(back->sort_key, sort);
  }
  EXPECT_FALSE(names.names_of({"h", "s"}));
  EXPECT_FALSE(names.names_of(Names("1", 3, {}, 4).key("h", "s")));
}

TEST(NamesTest, KeepsTheSizeOfLongHashKeys) {
  Names names("1", 2, {}, 4);
  std::string longest(65534, 'h');
  EXPECT_EQ(names.hash_key(longest).size(), longest.size());
  EXPECT_NE(names.hash_key(longest), longest);
  EXPECT_EQ(names.names_of(names.key(longest, ""))->hash_key, longest);
}

TEST(NamesTest, PutsHashKeysIntoOnePartitionInTheirOrder) {
  for (int32_t partitions : {4, 7, 64}) {
    Names names("1", 2, {"a", "b", "c", "aa"}, partitions);
    auto partition = [&](const char* name) {
      return record::partition_index(record::key_hash(names.hash_key(name), ""), partitions);
    };
    EXPECT_EQ(partition("a"), partition("b"));
    EXPECT_EQ(partition("a"), partition("c"));
    EXPECT_EQ(partition("a"), partition("aa"));
    EXPECT_LT(names.hash_key("a"), names.hash_key("b"));
    EXPECT_LT(names.hash_key("b"), names.hash_key("c"));
    EXPECT_EQ(names.names_of({names.hash_key("b"), "s"})->hash_key, "b");
    EXPECT_TRUE(names.hash_key("b").starts_with(names.hash_key_prefix("b")));
    EXPECT_TRUE(names.hash_key("b").starts_with(names.hash_key_prefix("")));
    EXPECT_FALSE(names.hash_key("a").starts_with(names.hash_key_prefix("b")));
  }
}

}  // namespace
}  // namespace pegmove::conformance
