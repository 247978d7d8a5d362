#include "apps/verb.h"

#include <gtest/gtest.h>

#include "apps/command.h"

namespace pegmove::apps {
namespace {

struct Arguments {
  std::string from, way;
  int32_t count = 3;
  double percent = 0;
  std::vector<int32_t> partitions;
  std::optional<std::string> filter;
  bool create = false;
  int runs = 0;
};

std::optional<int> run(Arguments& arguments, std::vector<const char*> words) {
  Program program("pegmove", "moves tables", "pegmove 1");
  auto* verb = program.root().add_verb("copy", "copies");
  verb->add_option("--from", arguments.from)->required();
  verb->add_option("--way", arguments.way)->one_of({"plain", "duplicate"});
  auto* create = verb->add_flag("--create", arguments.create);
  verb->add_option("--count", arguments.count)->needs(create)->in_range(1, 65536);
  verb->add_option("--percent", arguments.percent)->in_range(0.0, 100.0);
  verb->add_option("--partition", arguments.partitions)->repeatable();
  verb->add_option("--filter", arguments.filter);
  verb->callback([&] { ++arguments.runs; });
  words.insert(words.begin(), "pegmove");
  return program.run(int(words.size()), words.data());
}

TEST(Verb, RunsOnceItsWordsAreParsed) {
  Arguments arguments;
  EXPECT_EQ(run(arguments, {"copy", "--from", "A", "--way", "plain", "--create", "--count", "65536",
                            "--percent", "0.5", "--partition", "3", "--partition", "1"}),
            std::nullopt);
  EXPECT_EQ(arguments.runs, 1);
  EXPECT_EQ(arguments.from, "A");
  EXPECT_EQ(arguments.way, "plain");
  EXPECT_EQ(arguments.count, 65536);
  EXPECT_EQ(arguments.percent, 0.5);
  EXPECT_EQ(arguments.partitions, (std::vector<int32_t>{3, 1}));
  EXPECT_EQ(arguments.filter, std::nullopt);
  EXPECT_TRUE(arguments.create);
}

TEST(Verb, WrongWordsAreAUsageErrorAndNothingRuns) {
  std::vector<std::vector<const char*>> wrong{
      {},
      {"move"},
      {"copy"},
      {"copy", "--from", "A", "--way", "fast"},
      {"copy", "--from", "A", "--count", "5"},
      {"copy", "--from", "A", "--create", "--count", "0"},
      {"copy", "--from", "A", "--create", "--count", "65537"},
      {"copy", "--from", "A", "--create", "--count", "x"},
      {"copy", "--from", "A", "--percent", "100.5"},
      {"copy", "--from", "A", "--partition", "1", "2"},
      {"copy", "--from", "A", "--filter"},
      {"copy", "--from", "A", "--to", "B"},
  };
  for (const auto& words : wrong) {
    Arguments arguments;
    EXPECT_EQ(run(arguments, words), kUsage) << (words.empty() ? "" : words.back());
    EXPECT_EQ(arguments.runs, 0);
  }
}

TEST(Verb, HelpAndVersionAreDoneWithoutRunning) {
  for (const char* word : {"--help", "--version"}) {
    Arguments arguments;
    EXPECT_EQ(run(arguments, {word}), kDone);
    EXPECT_EQ(arguments.runs, 0);
  }
}

}  // namespace
}  // namespace pegmove::apps
