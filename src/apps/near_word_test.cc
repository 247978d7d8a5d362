#include "apps/near_word.h"

#include <gtest/gtest.h>

#include <vector>

namespace pegmove::apps {
namespace {

TEST(EditDistance, CountsLettersThatDiffer) {
  EXPECT_EQ(edit_distance("copy", "copy"), 0u);
  EXPECT_EQ(edit_distance("", "copy"), 4u);
  EXPECT_EQ(edit_distance("copy", ""), 4u);
  EXPECT_EQ(edit_distance("cpy", "copy"), 1u);
  EXPECT_EQ(edit_distance("coppy", "copy"), 1u);
  EXPECT_EQ(edit_distance("cony", "copy"), 1u);
  EXPECT_EQ(edit_distance("cpoy", "copy"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(NearWord, IsTheOneWithTheFewestMistakes) {
  const std::vector<std::string> verbs{"copy", "verify", "export", "import", "cluster", "ls", "rm"};
  EXPECT_EQ(near_word("cpoy", verbs), "copy");
  EXPECT_EQ(near_word("verfy", verbs), "verify");
  EXPECT_EQ(near_word("exprot", verbs), "export");
  EXPECT_EQ(near_word("inport", verbs), "import");
  EXPECT_EQ(near_word("clus", verbs), "cluster");
  EXPECT_EQ(near_word("l", verbs), "ls");
}

TEST(NearWord, OfOptionsCountsNoDashes) {
  const std::vector<std::string> options{"--from",     "--to",         "--table",
                                         "--to-table", "--partitions", "--max-rows-per-second"};
  EXPECT_EQ(near_word("--form", options), "--from");
  EXPECT_EQ(near_word("-table", options), "--table");
  EXPECT_EQ(near_word("--max-rows", options), "--max-rows-per-second");
  EXPECT_EQ(near_word("--partition", options), "--partitions");
}

TEST(NearWord, IsNoneWhenAllAreFar) {
  const std::vector<std::string> verbs{"copy", "verify", "status"};
  for (const char* word : {"nonsense", "", "move", "--", "x", "rfyvei"})
    EXPECT_EQ(near_word(word, verbs), "") << word;
  EXPECT_EQ(near_word("copy", {}), "");
}

}  // namespace
}  // namespace pegmove::apps
