// Commands from a pipe, against an embedded cluster.
#include "shell/frame.h"

#include <gmock/gmock.h>

#include <sstream>

#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::shell {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class OneCluster : public ClusterDirectory {
 public:
  explicit OneCluster(net::Address meta) : meta_(meta) {}
  Result<std::vector<net::HostPort>> metas_of(std::string_view) const override {
    return std::vector{*net::parse_host_port(meta_.to_string())};
  }

 private:
  net::Address meta_;
};

class FrameTest : public ::testing::Test {
 protected:
  FrameTest() {
    testing::TestClient owner(cluster_.meta_address());
    auto table = owner.create_table("t", 2);
    owner.must(table->set("h", "s", "v", 0, owner.deadline()));
    owner.create_table("copy", 2);
    if (auto connected = session_.connect("any name"); !connected)
      throw std::runtime_error(connected.error().to_string());
  }
  ~FrameTest() override {
    session_.forget_table();
    async::run_to_end(context_, [](client::Client& client) -> Routine<bool> {
      co_await client.close();  // no result
      co_return true;
    }(client_));
  }

  void run(const std::string& commands, const std::string& config_file = "shell.ini") {
    std::istringstream in(commands);
    run_piped(session_, in, config_file);
  }

  testing::SimClock server_clock_;
  testing::TestCluster cluster_{server_clock_, {.name = "oneboxA"}};
  asio::io_context context_;
  testing::SimClock clock_;
  client::Client client_{context_.get_executor(), clock_};
  OneCluster clusters_{cluster_.meta_address()};
  std::ostringstream out_, err_;
  Session session_{context_, client_, clusters_, out_, err_};
};

TEST_F(FrameTest, IsThatOfPegasussShell) {
  run("");
  auto lines = out_.str();
  const auto first = lines.substr(0, lines.find('\n'));
  EXPECT_THAT(first, StartsWith("Pegasus Shell "));
  EXPECT_EQ(lines.substr(first.size()),
            "\nType \"help\" for more information.\n"
            "Type \"Ctrl-D\" or \"Ctrl-C\" to exit the shell.\n"
            "\n"
            "The config file is: shell.ini\n"
            "The cluster name is: oneboxA\n"
            "The cluster meta list is: " +
                cluster_.meta_address().to_string() +
                "\n"
                "dsn exit with code 0\n");
  EXPECT_EQ(err_.str(), "");
}

TEST_F(FrameTest, SaysThatThereIsNoConfigFile) {
  run("", "");
  EXPECT_THAT(out_.str(), HasSubstr("\nThe config file is: none\n"));
}

TEST_F(FrameTest, IsClosedAfterExitAndAfterFailures) {
  run("nonsense\nuse t\nset k s dogs'\nset k2 s2 cats'\nget h s\nexit\nget h s\n");
  EXPECT_THAT(out_.str(), EndsWith("\n\"v\"\ndsn exit with code 0\n"));
  EXPECT_THAT(err_.str(), HasSubstr("OK\nInvalid argument(s)\nInvalid argument(s)\n"));
}

TEST_F(FrameTest, TotalsGoWherePegasussShellPrintsThem) {
  run("use t\ncopy_data -c other -a copy\ncount_data -c -a -n 1\nclear_data -f\n");
  for (const char* total : {"\nCopy done, total 1 rows.\n", "Count done, total 1 rows.\n",
                            "[top][1].hash_key = \"h\"\n", "\nClear done, total 1 rows.\n"}) {
    EXPECT_THAT(err_.str(), HasSubstr(total));
    EXPECT_THAT(out_.str(), Not(HasSubstr(total)));
  }
  EXPECT_THAT(out_.str(), EndsWith("\ndsn exit with code 0\n"));
}

TEST_F(FrameTest, IsNotThereAroundAScript) {
  EXPECT_TRUE(run_script(session_, "use t; count_data -c"));
  EXPECT_EQ(out_.str(), "Count done, total 1 rows.\n");
}

TEST_F(FrameTest, MutationsAreReadFromThePipe) {
  run("use t\ncheck_and_mutate h -c s -t exist\nset p w\nok\nget h p\n");
  EXPECT_THAT(out_.str(), EndsWith("\nMutate succeed.\n\"w\"\ndsn exit with code 0\n"));
}

}  // namespace
}  // namespace pegmove::shell
