#include "apps/verb.h"

#include <gmock/gmock.h>

#include "apps/command.h"

namespace pegmove::apps {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

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
  auto* verb = program.root().add_verb("copy", "Example: pegmove copy\n\nCopies rows.\nAll.");
  verb->list_under("Moving", "copies the rows");
  verb->was_named("--source", "--from");
  auto* backups = program.root().add_verb("backups", "works on backups");
  backups->list_under("Proving", "shows backups");
  auto* list = backups->add_verb("ls", "lists them");
  list->list_under("Verbs", "lists all of them");
  list->callback([&] { ++arguments.runs; });
  auto* show = backups->add_verb("show", "shows one");
  show->add_option("--backup", arguments.count)->required();
  show->was_named("", "--backup");
  program.root().add_verb("unit", "for other programs only");
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

TEST(Verb, MayMeanSomethingWithoutAFurtherVerb) {
  const auto ran = [](std::vector<const char*> words) {
    std::string ran;
    std::string from;
    Program program("pegmove", "moves tables");
    auto* relay = program.root().add_verb("relay", "forwards writes");
    relay->add_option("--from", from);
    relay->callback([&] { ran += "relay from " + from; });
    relay->add_optional_verb("seal", "seals it")->callback([&] { ran += "seal"; });
    words.insert(words.begin(), "pegmove");
    program.run(int(words.size()), words.data());
    return ran;
  };
  EXPECT_EQ(ran({"relay", "--from", "A"}), "relay from A");
  EXPECT_EQ(ran({"relay", "seal"}), "seal");
  EXPECT_EQ(ran({"relay", "sael"}), "");
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
      {"copy", "--from", "A", "more"},
      {"backups"},
      {"backups", "ls", "more"},
  };
  for (const auto& words : wrong) {
    Arguments arguments;
    EXPECT_EQ(run(arguments, words), kUsage) << (words.empty() ? "" : words.back());
    EXPECT_EQ(arguments.runs, 0);
  }
}

// What a run that must be refused says on stderr.
std::string complaint(std::vector<const char*> words) {
  Arguments arguments;
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run(arguments, std::move(words)), kUsage);
  EXPECT_EQ(arguments.runs, 0);
  return ::testing::internal::GetCapturedStderr();
}

TEST(Verb, AnUnknownWordIsNamedWithWhatIsNear) {
  EXPECT_EQ(complaint({"cpoy", "--from", "A"}),
            "pegmove: unknown verb 'cpoy'; did you mean copy?\n`pegmove --help` lists its verbs\n");
  EXPECT_EQ(complaint({"backups", "x"}),
            "pegmove: unknown verb 'x'\n`pegmove backups --help` lists its verbs\n");
  EXPECT_EQ(complaint({"nonsense"}),
            "pegmove: unknown verb 'nonsense'\n`pegmove --help` lists its verbs\n");
  EXPECT_EQ(complaint({"unot"}), "pegmove: unknown verb 'unot'\n`pegmove --help` lists its verbs\n")
      << "verbs that are not shown are not offered";
  // Rather than that --from is missing.
  EXPECT_EQ(complaint({"copy", "--form", "A"}),
            "pegmove: unknown option --form; did you mean --from?\n`pegmove copy --help` lists its "
            "options\n");
  EXPECT_EQ(complaint({"copy", "--form=A"}), complaint({"copy", "--form", "A"}));
  EXPECT_EQ(complaint({"--from", "A", "copy"}),
            "pegmove: unknown option --from; options follow the verb\n`pegmove copy --help` lists "
            "its options\n");
  EXPECT_EQ(complaint({"copy", "--from", "A", "one", "two"}),
            "pegmove: unexpected argument 'one'\n`pegmove copy --help` lists its options\n");
}

TEST(Verb, WhatIsMissingIsNamed) {
  EXPECT_EQ(complaint({}), "pegmove: no verb was given\n`pegmove --help` lists its verbs\n");
  EXPECT_EQ(complaint({"backups"}),
            "pegmove: no verb was given\n`pegmove backups --help` lists its verbs\n");
  EXPECT_EQ(complaint({"copy"}),
            "pegmove: --from is required\n`pegmove copy --help` lists its options\n");
}

TEST(Verb, AnEarlierNameIsAnsweredWithThePresentOne) {
  EXPECT_THAT(complaint({"copy", "--source", "A"}), HasSubstr("--source is named --from now\n"));
  EXPECT_THAT(complaint({"copy", "--source=A"}), HasSubstr("--source is named --from now\n"));
  EXPECT_THAT(complaint({"backups", "show", "7"}),
              HasSubstr("unexpected argument '7'; write --backup 7\n"));
}

std::string help(std::vector<const char*> words) {
  Arguments arguments;
  words.push_back("--help");
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(run(arguments, std::move(words)), kDone);
  return ::testing::internal::GetCapturedStdout();
}

TEST(Verb, HelpShowsOneLineOfEachVerbBelowItsHeading) {
  const auto shown = help({});
  EXPECT_THAT(shown, StartsWith("moves tables\nUsage: pegmove [OPTIONS] VERB\n"));
  EXPECT_THAT(shown, HasSubstr("\nMoving:\n  copy       copies the rows\n"));
  EXPECT_THAT(shown, HasSubstr("\nProving:\n  backups    shows backups\n"));
  EXPECT_THAT(shown, EndsWith("\n\n`pegmove VERB --help` begins with an example and shows all "
                              "options.\n"));
  for (const char* absent : {"Example", "All.", "unit", "lists all of them"})
    EXPECT_THAT(shown, Not(HasSubstr(absent)));
  EXPECT_THAT(help({"backups"}), HasSubstr("\nVerbs:\n  ls         lists all of them\n"));
  EXPECT_THAT(help({"copy"}), StartsWith("Example: pegmove copy\n\nCopies rows.\nAll.\n"));
  EXPECT_THAT(help({"copy"}), Not(HasSubstr("copies the rows")));
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
