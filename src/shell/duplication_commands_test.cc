// The commands about duplications: what they send and print, as recorded from Pegasus's shell, and
// admin-cli's form.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/bytes.h"
#include "meta_types.h"
#include "net/rpc_server.h"
#include "net/tcp.h"
#include "service/dispatcher.h"
#include "shell/session.h"

namespace pegmove::shell {
namespace {

using ::testing::HasSubstr;
using wire::ErrorCode;
using wire::RpcCode;

class AnyCluster : public ClusterDirectory {
 public:
  Result<std::vector<net::HostPort>> metas_of(std::string_view name) const override {
    return net::parse_host_port_list(name);
  }
};

// A meta server of the cluster "onebox", which answers a request with the body that the test gives.
class DuplicationCommandsTest : public testing::Test {
 protected:
  DuplicationCommandsTest() {
    setenv("TZ", "UTC", 1);  // of the recordings
    tzset();
    dispatcher_.on_message<wire::configuration_cluster_info_request,
                           wire::configuration_cluster_info_response>(
        RpcCode::kClusterInfo, [](const auto&, const auto&) {
          wire::configuration_cluster_info_response response;
          response.keys = {"cluster_name"};
          response.values = {"onebox"};
          return response;
        });
    for (auto code : {RpcCode::kAddDuplication, RpcCode::kModifyDuplication,
                      RpcCode::kQueryDuplication, RpcCode::kListDuplication})
      dispatcher_.on(code, [this, code](net::IncomingCall call) {
        asked_ = base::to_hex(call.body());
        EXPECT_EQ(wire::rpc_name(code), code_);
        call.reply(ErrorCode::kOk, answer_);
      });
    auto acceptor = *net::listen_tcp(context_.get_executor(), {.ipv4 = 0x7f000001, .port = 0});
    meta_ = std::make_unique<net::RpcServer>(context_.get_executor(), std::move(acceptor),
                                             dispatcher_, clock_, Logger("test"));
    meta_->start();
    auto connected = session_.connect(meta_->local().to_string());
    EXPECT_TRUE(connected) << connected.error().to_string();
    session_.settings().table = "acli";
  }
  ~DuplicationCommandsTest() override { async::run_to_end(context_, stop()); }

  Routine<bool> stop() {
    co_await client_.close();  // no result
    meta_->stop();
    co_await meta_->join();  // no result
    co_return true;
  }
  // What the command prints, on both streams, when the meta server answers so.
  std::string printed(const std::string& line) {
    out_.str("");
    asked_.clear();
    session_.execute(line);
    return out_.str();
  }
  template <typename Response>
  void answer(RpcCode code, const Response& response) {
    code_ = wire::rpc_name(code);
    answer_ = wire::encode_body(response);
  }
  void answer_modify(ErrorCode error) {
    wire::duplication_modify_response response;
    response.err.code = error;
    answer(RpcCode::kModifyDuplication, response);
  }
  void answer_list(std::vector<wire::duplication_entry> entries) {
    wire::duplication_list_response response;
    auto& table = response.app_states["t"];
    table.appid = 4;
    table.app_name = "t";
    table.partition_count = 2;
    for (auto& entry : entries) table.duplications[entry.dupid] = std::move(entry);
    answer(RpcCode::kListDuplication, response);
  }
  static wire::duplication_entry entry(wire::duplication_status status, int64_t confirmed,
                                       int64_t committed) {
    wire::duplication_entry entry;
    entry.dupid = 1795354863;
    entry.status = status;
    entry.remote = "oneboxB";
    entry.create_ts = 1795354863103;
    entry.__set_fail_mode(wire::FAIL_SLOW);
    entry.__set_remote_app_name("acli");
    entry.__set_remote_replica_count(1);
    entry.__isset.partition_states = true;
    entry.partition_states[0].confirmed_decree = confirmed;
    entry.partition_states[0].last_committed_decree = committed;
    return entry;
  }

  asio::io_context context_;
  async::SystemClock clock_;
  service::Dispatcher dispatcher_;
  std::string code_, answer_, asked_;
  std::unique_ptr<net::RpcServer> meta_;
  client::Client client_{context_.get_executor(), clock_};
  AnyCluster clusters_;
  std::ostringstream out_;
  Session session_{context_, client_, clusters_, out_, out_};
};

TEST_F(DuplicationCommandsTest, SendAndPrintWhatPegasusDoes) {
  std::ifstream file("tests/golden/duplication/shell.jsonl");
  ASSERT_TRUE(file);
  int commands = 0;
  for (std::string line; std::getline(file, line); ++commands) {
    const auto recorded = nlohmann::json::parse(line);
    const auto command = recorded["command"].get<std::string>();
    SCOPED_TRACE(command);
    code_ = recorded["code"].get<std::string>();
    answer_ = *base::from_hex(recorded["answer"].get<std::string>());
    EXPECT_EQ(printed(command), recorded["printed"].get<std::string>());
    EXPECT_EQ(asked_, recorded["asked"].get<std::string>());
  }
  EXPECT_EQ(commands, 38);
}

TEST_F(DuplicationCommandsTest, SayWhatIsMissing) {
  EXPECT_THAT(printed("add_dup"), HasSubstr("ERROR: missing param <app_name>\nUSAGE: \tadd_dup"));
  EXPECT_THAT(printed("add_dup t"), HasSubstr("ERROR: missing param <remote_cluster_name>\n"));
  EXPECT_THAT(printed("add_dup t onebox2 -r x"), HasSubstr("remote_replica_count"));
  EXPECT_THAT(printed("query_dup"), HasSubstr("ERROR: missing param <app_name>\n"));
  EXPECT_THAT(printed("query_dup t u"), HasSubstr("ERROR: too many params\n"));
  EXPECT_THAT(printed("query_dup t -x"), HasSubstr("ERROR: unknown flag x\n"));
  EXPECT_THAT(printed("pause_dup t"), HasSubstr("USAGE: \tpause_dup"));
  EXPECT_THAT(printed("remove_dup t x"), HasSubstr("ERROR: parsing x as positive int failed\n"));
  EXPECT_THAT(printed("set_dup_fail_mode t x slow"), HasSubstr("ERROR: invalid dup_id x\n"));
  EXPECT_THAT(printed("dups -m regex"), HasSubstr("ERROR: ERR_INVALID_PARAMETERS: "));
  EXPECT_EQ(asked_, "");
}

TEST_F(DuplicationCommandsTest, ShowWhyAnEmbeddedClusterWaits) {
  wire::duplication_query_response response;
  response.appid = 4;
  auto waiting = entry(wire::DS_LOG, 7, 9);
  waiting.__set_waits_for("the table exists there");
  waiting.partition_states[0].__set_error("a hole behind decree 7");
  waiting.partition_states[0].__set_waits_for("the target does not answer");
  response.entry_list.push_back(waiting);
  answer(RpcCode::kQueryDuplication, response);
  const auto text = printed("query_dup t -d");
  for (const auto* part :
       {R"("error":"a hole behind decree 7")", R"("waits_for":"the target does not answer")",
        R"("waits_for":"the table exists there")"})
    EXPECT_THAT(text, HasSubstr(part));
}

TEST_F(DuplicationCommandsTest, DupsCountsWhatIsUnfinished) {
  const auto unfinished = [&](const wire::duplication_entry& entry, const std::string& options) {
    answer_list({entry});
    const auto text = printed("dups " + options);
    const std::string name = "unfinished_partition_count";
    const auto at = text.find(": ", text.find(name));
    return text.substr(at + 2, 1);
  };
  EXPECT_EQ(unfinished(entry(wire::DS_LOG, 7, 7), ""), "0");
  EXPECT_EQ(unfinished(entry(wire::DS_LOG, 7, 9), ""), "1");
  EXPECT_EQ(unfinished(entry(wire::DS_LOG, 7, 9), "-g 2"), "0");
  EXPECT_EQ(unfinished(entry(wire::DS_LOG, 9, 7), ""), "0");
  EXPECT_EQ(unfinished(entry(wire::DS_PAUSE, 7, 7), ""), "1");
  EXPECT_EQ(unfinished(entry(wire::DS_LOG, 7, -1), ""), "1") << "a partition that is not served";
  auto broken = entry(wire::DS_LOG, 7, 7);
  broken.partition_states[0].__set_error("a hole");
  EXPECT_EQ(unfinished(broken, ""), "1");
  answer_list({entry(wire::DS_LOG, 7, 9)});
  EXPECT_THAT(printed("dups -u"), HasSubstr("[unfinished]\napp_id"));
  EXPECT_THAT(printed("dups -j"), HasSubstr("\"total_partition_count\": \"2\""));
}

TEST_F(DuplicationCommandsTest, AnOldMetaServerThatIgnoresTheOptionsIsNamed) {
  wire::duplication_add_response response;
  response.appid = 1;
  response.dupid = 5;
  answer(RpcCode::kAddDuplication, response);
  EXPECT_THAT(printed("add_dup t onebox2"),
              ::testing::EndsWith(
                  "WARNING: meta server does NOT support specifying remote_app_name, "
                  "remote_app_name might has been specified with 't'\n"
                  "WARNING: meta server does NOT support specifying remote_replica_count, "
                  "remote_replica_count might has been specified with the replica count of 't'\n"));
}

// As recorded in tests/golden/transcripts/admin-cli.expect.jsonl.
TEST_F(DuplicationCommandsTest, HaveTheFormOfAdminCli) {
  wire::duplication_query_response found;
  answer(RpcCode::kQueryDuplication, found);
  EXPECT_EQ(printed("duplication list"), "[]\n");
  found.entry_list.push_back(entry(wire::DS_LOG, -1, -1));
  answer(RpcCode::kQueryDuplication, found);
  EXPECT_EQ(printed("duplication ls"), R"([
  {
    "dupid": 1795354863,
    "status": "DS_LOG",
    "remote": "oneboxB",
    "create_ts": 1795354863103,
    "fail_mode": "FAIL_SLOW",
    "remote_app_name": "acli",
    "remote_replica_count": 1,
    "partition_states": {
      "0": {
        "confirmed_decree": -1,
        "last_committed_decree": -1
      }
    }
  }
]
)");
  wire::duplication_add_response added;
  added.dupid = 1795354863;
  answer(RpcCode::kAddDuplication, added);
  EXPECT_EQ(printed("duplication add -c oneboxB"),
            "successfully add duplication [dupid: 1795354863]\n");
  added.err.code = ErrorCode::kDupExist;
  answer(RpcCode::kAddDuplication, added);
  EXPECT_EQ(printed("duplication add -c oneboxB"),
            "error: AddDuplication failed: ErrorCode({Errno:ERR_DUP_EXIST})\n");
  added.err.code = ErrorCode::kInvalidParameters;
  added.__set_hint("illegal operation: adding duplication to itself");
  answer(RpcCode::kAddDuplication, added);
  EXPECT_EQ(printed("duplication add -c oneboxC"),
            "error: AddDuplication failed: ErrorCode({Errno:ERR_INVALID_PARAMETERS}) [hint: "
            "illegal operation: adding duplication to itself]\n");
  answer_modify(ErrorCode::kObjectNotFound);
  EXPECT_EQ(printed("duplication pause -d 1"),
            "error: ModifyDuplication failed: ErrorCode({Errno:ERR_OBJECT_NOT_FOUND})\n");
  answer_modify(ErrorCode::kOk);
  EXPECT_EQ(printed("duplication remove -d 1795354863"),
            "DS_REMOVED table \"acli\" done [dupid: 1795354863]\n");
  EXPECT_EQ(printed("duplication start -d 1795354863"),
            "DS_LOG table \"acli\" done [dupid: 1795354863]\n");
  EXPECT_THAT(printed("duplication add"), HasSubstr("cluster cannot be empty"));
  EXPECT_THAT(printed("duplication rm"), HasSubstr("dupid cannot be empty"));
  EXPECT_THAT(printed("duplication nonsense"), HasSubstr("USAGE: \tduplication"));
}

}  // namespace
}  // namespace pegmove::shell
