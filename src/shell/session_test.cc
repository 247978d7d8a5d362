#include "shell/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "shell/command.h"
#include "shell/report.h"
#include "wire/error_code.h"

namespace pegmove::shell {
namespace {

class NoClusters : public ClusterDirectory {
 public:
  Result<std::vector<net::HostPort>> metas_of(std::string_view name) const override {
    return fail(Code::kNotFound, "there is no cluster '" + std::string(name) + "'");
  }
};

// A session without a cluster: what it says before anything goes over the network.
class SessionTest : public testing::Test {
 protected:
  ~SessionTest() override {
    async::run_to_end(context_, [](client::Client& client) -> Routine<bool> {
      co_await client.close();  // no result
      co_return true;
    }(client_));
  }

  bool execute(std::string_view line) {
    out_.str("");
    err_.str("");
    return session_.execute(line);
  }

  asio::io_context context_;
  async::SystemClock clock_;
  client::Client client_{context_.get_executor(), clock_};
  NoClusters clusters_;
  std::ostringstream out_, err_;
  Session session_{context_, client_, clusters_, out_, err_};
};

std::string joined(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '\t' || c == '\n'; });
  return text;
}

TEST(Usage, IsThatOfEveryCommandInLinesThatFit) {
  for (const auto& command : all_commands()) {
    auto text = usage_text(command);
    std::string expected = std::string(command.name) + std::string(command.usage);
    EXPECT_EQ(joined(text), joined(expected));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_EQ(line.front(), '\t');
      EXPECT_LE(line.size(), 1 + 27 + 140u) << line;
    }
  }
}

TEST(Usage, BreaksBehindBrackets) {
  size_t width = 0;  // of the longest name, and two blanks
  for (const auto& command : all_commands()) width = std::max(width, command.name.size() + 2);
  auto column = [&](std::string name) {
    return "\t" + name + std::string(width - name.size(), ' ');
  };
  EXPECT_EQ(usage_text(*find_command("create")),
            column("create") + "<app_name> [-p|--partition_count num] [-r|--replica_count num]\n" +
                column("") + "[-f|--fail_if_exist] [-i|--atomic_idempotent]\n" + column("") +
                "[-e|--envs k1=v1,k2=v2...]\n");
  EXPECT_EQ(usage_text(*find_command("drop")),
            column("drop") + "<app_name> [-r|--reserve_seconds num]\n");
  EXPECT_EQ(usage_text(*find_command("exit")), column("exit") + "\n");
}

TEST(Commands, HaveNamesOfTheirOwn) {
  for (const auto& command : all_commands()) EXPECT_EQ(find_command(command.name), &command);
  EXPECT_EQ(find_command("Get"), nullptr);
}

TEST_F(SessionTest, ListsEveryCommandInHelp) {
  ASSERT_TRUE(execute("help"));
  EXPECT_TRUE(out_.str().starts_with("Usage:\n\thelp "));
  for (const auto& command : all_commands())
    EXPECT_TRUE(out_.str().contains("\n\t" + std::string(command.name) + " ")) << command.name;
  EXPECT_EQ(err_.str(), "");
}

TEST_F(SessionTest, ShowsItsVersion) {
  ASSERT_TRUE(execute("version"));
  EXPECT_TRUE(out_.str().starts_with("Pegasus Shell "));
}

TEST_F(SessionTest, PassesOverEmptyLines) {
  EXPECT_TRUE(execute(""));
  EXPECT_TRUE(execute("  \t "));
  EXPECT_EQ(out_.str() + err_.str(), "");
}

TEST_F(SessionTest, RefusesAnUnknownCommandWithTheWholeHelp) {
  EXPECT_FALSE(execute("Get a b"));
  EXPECT_TRUE(err_.str().starts_with("ERROR: invalid subcommand 'Get'\nUsage:\n"));
  EXPECT_EQ(out_.str(), "");
}

TEST_F(SessionTest, RefusesAnOpenQuote) {
  EXPECT_FALSE(execute("get \"a b"));
  EXPECT_EQ(err_.str(), "Invalid argument(s)\n");
}

TEST_F(SessionTest, NeedsAClusterForMostCommands) {
  for (const auto& command : all_commands()) {
    if (command.needs == Needs::kNothing) continue;
    EXPECT_FALSE(execute(command.name)) << command.name;
    EXPECT_TRUE(err_.str().starts_with("ERROR: not connected to a cluster")) << err_.str();
  }
}

TEST_F(SessionTest, SaysWhyACommandCannotConnect) {
  EXPECT_FALSE(execute("cc nowhere"));
  EXPECT_EQ(err_.str(), "ERROR: there is no cluster 'nowhere'\n");
  EXPECT_FALSE(session_.connect("nowhere"));
  EXPECT_EQ(session_.cluster(), nullptr);
}

TEST_F(SessionTest, ShowsTheUsageAfterWrongArguments) {
  for (const char* line : {"use a b", "cc a b", "timeout 1 2", "escape_all maybe", "hash a"}) {
    EXPECT_FALSE(execute(line)) << line;
    std::string name(line, std::string_view(line).find(' '));
    EXPECT_TRUE(err_.str().ends_with("USAGE: " + usage_text(*find_command(name)))) << err_.str();
  }
}

TEST_F(SessionTest, RemembersTheTable) {
  EXPECT_FALSE(execute("use"));
  EXPECT_TRUE(err_.str().starts_with("Current app not specified.\nUSAGE: \tuse "));
  EXPECT_TRUE(execute("use t"));
  EXPECT_EQ(err_.str(), "OK\n");
  EXPECT_TRUE(execute("use"));
  EXPECT_EQ(out_.str(), "Current app: t\n");
}

TEST_F(SessionTest, RemembersTheTimeout) {
  EXPECT_TRUE(execute("timeout"));
  EXPECT_EQ(out_.str(), "Current timeout: 5000 ms.\n");
  EXPECT_TRUE(execute("timeout 700"));
  EXPECT_EQ(err_.str(), "OK\n");
  EXPECT_FALSE(execute("timeout x"));
  EXPECT_EQ(err_.str(), "ERROR: parse x as timeout failed\n");
  EXPECT_FALSE(execute("timeout 0"));
  EXPECT_EQ(err_.str(), "ERROR: invalid timeout 0\n");
  EXPECT_TRUE(execute("timeout"));
  EXPECT_EQ(out_.str(), "Current timeout: 700 ms.\n");
}

TEST_F(SessionTest, RemembersHowToEscape) {
  EXPECT_TRUE(execute("escape_all"));
  EXPECT_EQ(out_.str(), "Current escape_all: false.\n");
  EXPECT_EQ(quoted(session_, "a\n"), "\"a\\n\"");
  EXPECT_TRUE(execute("escape_all true"));
  EXPECT_EQ(err_.str(), "OK\n");
  EXPECT_EQ(quoted(session_, "a\n"), "\"\\x61\\x0A\"");
}

TEST_F(SessionTest, HashesWithoutATable) {
  EXPECT_TRUE(execute("hash \"\" \"\""));
  EXPECT_EQ(out_.str(), "key_hash  : 0\n");
}

TEST_F(SessionTest, EndsAScriptAtTheFirstFailure) {
  EXPECT_FALSE(run_script(session_, "timeout 1; timeout x\n timeout 2"));
  execute("timeout");
  EXPECT_EQ(out_.str(), "Current timeout: 1 ms.\n");
}

TEST_F(SessionTest, RunsNothingOfAScriptWithAnOpenQuote) {
  EXPECT_FALSE(run_script(session_, "timeout 1\nset k s dogs'\nset k2 s2 cats'"));
  EXPECT_TRUE(err_.str().starts_with("ERROR: line 2: Invalid argument(s): a quote is not closed"))
      << err_.str();
  EXPECT_FALSE(run_script(session_, "timeout 1\n\ntimeout 2; timeout \"3"));
  EXPECT_TRUE(err_.str().contains("ERROR: line 3: ")) << err_.str();
  execute("timeout");
  EXPECT_EQ(out_.str(), "Current timeout: 5000 ms.\n");
}

TEST_F(SessionTest, EndsAScriptAtExit) {
  EXPECT_TRUE(run_script(session_, "# nothing\ntimeout 1; exit; timeout x"));
  EXPECT_TRUE(session_.wants_exit());
}

TEST_F(SessionTest, HasNoLinesOfItsOwn) {
  EXPECT_EQ(session_.read_line(), std::nullopt);
  EXPECT_FALSE(session_.is_attended());
}

TEST_F(SessionTest, EndsAScriptOnRequest) {
  session_.stop_signal().request();
  EXPECT_FALSE(run_script(session_, "timeout 1"));
}

TEST(DataErrorText, BeginsWithTheWordsOfPegasus) {
  EXPECT_EQ(data_error_text(wire::to_error(wire::ErrorCode::kSplitting, "set")),
            "app splitting (set: ERR_SPLITTING)");
  EXPECT_EQ(data_error_text(Error(Code::kTimeout, "no answer")), "timeout (no answer)");
  EXPECT_EQ(data_error_text(Error(Code::kCorrupt, "bad bytes")), "bad bytes");
  EXPECT_EQ(data_error_text(Error(Code::kInvalidArgument, "hash key can't be empty")),
            "hash key can't be empty");
}

TEST_F(SessionTest, AByteOrderMarkIsNoPartOfACommand) {
  EXPECT_TRUE(execute("\xef\xbb\xbftimeout 6000"));
  EXPECT_EQ(err_.str(), "OK\n");
}

TEST_F(SessionTest, EndsWhenItsOutputTakesNothingMore) {
  EXPECT_TRUE(execute("version"));
  EXPECT_FALSE(session_.wants_exit());
  out_.setstate(std::ios::badbit);
  EXPECT_FALSE(execute("version"));
  EXPECT_TRUE(session_.wants_exit());
  err_.str("");
  EXPECT_FALSE(run_script(session_, "timeout 6000"));
  EXPECT_EQ(err_.str(), "") << "no command runs after that";
}

TEST(MetaErrorText, ShowsTheHintOfTheServer) {
  auto error = Error(Code::kNotFound, "envs of t: ERR_APP_NOT_EXIST [hint:\"no app\"]")
                   .with_wire_code(int(wire::ErrorCode::kAppNotExist));
  EXPECT_EQ(meta_error_text(error), "ERR_APP_NOT_EXIST [hint:\"no app\"]");
  EXPECT_EQ(meta_error_text(Error(Code::kUnreachable, "no meta server of 10.0.0.1:1 answers")),
            "ERR_NETWORK_FAILURE (no meta server of 10.0.0.1:1 answers)");
}

}  // namespace
}  // namespace pegmove::shell
