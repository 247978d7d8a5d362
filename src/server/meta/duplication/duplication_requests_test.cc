// What requests about duplications do and answer.
#include <fmt/format.h>

#include <future>

#include "meta_types.h"
#include "server/meta/duplication/duplication_fixture_test.h"

namespace pegmove::server::meta {
namespace {

using ::testing::HasSubstr;
using wire::ErrorCode;
using wire::RpcCode;

class DuplicationRequestsTest : public DuplicationTest {
 protected:
  void expect_refused(const wire::duplication_add_request& request, ErrorCode code,
                      const std::string& hint) {
    const auto response = add(request);
    EXPECT_EQ(response.err.code, code) << wire::error_name(response.err.code);
    EXPECT_EQ(response.hint, hint);
    EXPECT_EQ(response.dupid, 0);
    EXPECT_FALSE(response.__isset.remote_app_name);
  }
  // Adds from another client, while the test goes on.
  std::future<ErrorCode> start_adding(const std::string& table, const std::string& remote) {
    return std::async(std::launch::async, [address = server_.address(), table, remote] {
      testing::TestClient client(address);
      const auto added = client.run(client::add_duplication(
          client.cluster(), {.table = table, .remote = remote}, client.deadline()));
      if (!added) return ErrorCode(added.error().wire_code().value_or(-1));
      return added->has_existed ? ErrorCode::kDupExist : ErrorCode::kOk;
    });
  }
};

TEST_F(DuplicationRequestsTest, AddIsAnsweredWhenEveryPartitionKeepsItsLog) {
  const auto app_id = make_table("t");
  set_decrees(app_id, 7);
  TestGate gate(server_.thread.executor(), 2);
  server_.nodes.on_keep_log = gate.gate();
  auto answer = start_adding("t", "B");
  gate.wait_until_reached();
  EXPECT_TRUE(query("t").entry_list.empty());
  EXPECT_FALSE(is_duplicating("t"));
  EXPECT_EQ(partition(app_id, 2).log, std::nullopt);
  gate.open();
  EXPECT_EQ(answer.get(), ErrorCode::kOk);
  for (int32_t i = 0; i < kPartitions; ++i) {
    const auto now = partition(app_id, i);
    EXPECT_EQ(now.log, 7 + i);
    ASSERT_EQ(now.assignments.size(), 1);
    EXPECT_EQ(now.assignments[0].remote, "B");
    EXPECT_EQ(now.assignments[0].metas, (std::vector<net::HostPort>{{"b.example", 34601}}));
    EXPECT_EQ(now.assignments[0].remote_table, "t");
    EXPECT_TRUE(now.assignments[0].ships);
    EXPECT_EQ(now.assignments[0].confirmed_decree, 7 + i);
    EXPECT_EQ(now.error, "");
  }
  EXPECT_TRUE(is_duplicating("t"));
}

TEST_F(DuplicationRequestsTest, AddAnswersAsRealServersDo) {
  const auto app_id = make_table("t");
  auto request = adding("t", "B");
  request.__set_remote_app_name("other");
  const auto response = add(request);
  EXPECT_EQ(response.err.code, ErrorCode::kOk);
  EXPECT_EQ(response.appid, app_id);
  EXPECT_EQ(response.dupid, server_.time.unix_seconds());
  EXPECT_FALSE(response.__isset.hint);
  EXPECT_EQ(response.remote_app_name, "other");
  EXPECT_EQ(response.remote_replica_count, 2) << "as many as the table has";

  const auto entry = this->entry("t");
  EXPECT_EQ(entry.dupid, response.dupid);
  EXPECT_EQ(entry.status, wire::DS_LOG);
  EXPECT_EQ(entry.fail_mode, wire::FAIL_SLOW);
  EXPECT_EQ(entry.remote, "B");
  EXPECT_EQ(entry.create_ts, server_.time.unix_us() / 1000);
  EXPECT_FALSE(entry.__isset.progress);
  EXPECT_FALSE(entry.__isset.waits_for);
  ASSERT_EQ(entry.partition_states.size(), kPartitions);
  EXPECT_EQ(entry.partition_states.at(0).confirmed_decree, 0);
  EXPECT_FALSE(entry.partition_states.at(0).__isset.error);
}

TEST_F(DuplicationRequestsTest, AddIsRefusedInTheWordsOfRealServers) {
  make_table("t");
  expect_refused(adding("t", "test"), ErrorCode::kInvalidParameters,
                 "illegal operation: adding duplication to itself");
  expect_refused(adding("t", "nosuch"), ErrorCode::kInvalidParameters,
                 "get_duplication_cluster_id(nosuch) failed, error: ERR_OBJECT_NOT_FOUND: failed "
                 "to get cluster id for  << nosuch");
  expect_refused(adding("t", ""), ErrorCode::kInvalidParameters,
                 "get_duplication_cluster_id() failed, error: ERR_INVALID_PARAMETERS: cluster_name "
                 "is empty");
  expect_refused(adding("t", "nowhere"), ErrorCode::kInvalidParameters,
                 "failed to find cluster[nowhere] address in config [pegasus.clusters]");
  auto negative = adding("t", "B");
  negative.__set_remote_replica_count(-3);
  expect_refused(negative, ErrorCode::kInvalidParameters,
                 "invalid remote_replica_count(-3) which should never be negative");
  expect_refused(adding("nosuch", "B"), ErrorCode::kAppNotExist, "app nosuch was not found");
  auto bad_name = adding("t", "B");
  bad_name.__set_remote_app_name("a/b");
  EXPECT_EQ(add(bad_name).err.code, ErrorCode::kInvalidParameters);
  EXPECT_TRUE(query("t").entry_list.empty());
  expect_no_logs(1);
}

TEST_F(DuplicationRequestsTest, TwoTablesAreNotDuplicatedToTheSameOne) {
  make_table("t");
  make_table("u");
  add_one("t");
  auto same = adding("u", "B");
  same.__set_remote_app_name("t");
  expect_refused(same, ErrorCode::kInvalidParameters,
                 "illegal operation: another app(t) is also duplicated to the same remote "
                 "app(cluster=B, app=t)");
  EXPECT_EQ(add(adding("u", "B")).err.code, ErrorCode::kOk);
}

TEST_F(DuplicationRequestsTest, TwoTablesAddedAtTheSameTimeDoNotShareATarget) {
  make_table("t");
  const auto second = make_table("u");
  auto request = adding("t", "B");
  request.__set_remote_app_name("u");
  TestGate gate(server_.thread.executor(), 2);
  server_.nodes.on_keep_log = gate.gate();
  auto later = start_adding("u", "B");
  gate.wait_until_reached();
  server_.nodes.on_keep_log = [](int32_t) -> Task<> { co_return Result<void>(); };
  EXPECT_EQ(add(request).err.code, ErrorCode::kOk);
  gate.open();
  EXPECT_EQ(later.get(), ErrorCode::kInvalidParameters);
  EXPECT_TRUE(query("u").entry_list.empty());
  expect_no_logs(second);
}

TEST_F(DuplicationRequestsTest, ADroppedTableKeepsItsTarget) {
  const auto app_id = make_table("t");
  const auto id = add_one("t");
  server_.must(server_.cluster().drop_table("t", 1'000'000, server_.deadline()));
  make_table("t");
  const auto response = add(adding("t", "B"));
  EXPECT_EQ(response.err.code, ErrorCode::kInvalidParameters);
  EXPECT_THAT(response.hint,
              HasSubstr(fmt::format("it is dropped: recall it (recall {} NAME) and remove its "
                                    "duplication {}",
                                    app_id, id)));
  server_.must(server_.cluster().recall_table(app_id, "old", server_.deadline()));
  EXPECT_EQ(entry("old").status, wire::DS_LOG);
  ASSERT_EQ(modify("old", id, wire::DS_REMOVED), ErrorCode::kOk);
  add_one("t");
}

TEST_F(DuplicationRequestsTest, ASecondOneToTheSameClusterIsTheFirst) {
  make_table("t");
  const auto id = add_one("t");
  auto again = adding("t", "B");
  again.__set_remote_app_name("other");
  const auto response = add(again);
  EXPECT_EQ(response.err.code, ErrorCode::kDupExist);
  EXPECT_EQ(response.dupid, id);
  EXPECT_EQ(response.remote_app_name, "t");
  EXPECT_EQ(response.remote_replica_count, 2);
  EXPECT_EQ(query("t").entry_list.size(), 1);

  expect_refused(adding("t", "B", true), ErrorCode::kInvalidParameters,
                 fmt::format("start dup[t({})] failed: err = ERR_INVALID_PARAMETERS", id));
  ASSERT_EQ(modify("t", id, wire::DS_PAUSE), ErrorCode::kOk);
  EXPECT_EQ(add(adding("t", "B")).err.code, ErrorCode::kDupExist);
  EXPECT_EQ(entry("t").status, wire::DS_LOG) << "as in Pegasus, it is started";
}

TEST_F(DuplicationRequestsTest, ATableIsDuplicatedToSeveralClusters) {
  const auto app_id = make_table("t");
  const auto first = add_one("t");
  const auto second = add(adding("t", "C")).dupid;
  EXPECT_NE(first, second) << "in the same second";
  EXPECT_EQ(partition(app_id, 0).assignments.size(), 2);
  ASSERT_EQ(modify("t", first, wire::DS_REMOVED), ErrorCode::kOk);
  EXPECT_TRUE(is_duplicating("t"));
  ASSERT_EQ(partition(app_id, 3).assignments.size(), 1);
  EXPECT_EQ(partition(app_id, 3).assignments[0].id, second);
  ASSERT_EQ(modify("t", second, wire::DS_REMOVED), ErrorCode::kOk);
  EXPECT_FALSE(is_duplicating("t"));
  expect_no_logs(app_id);
}

TEST_F(DuplicationRequestsTest, AnAddThatFailsLeavesNothing) {
  const auto app_id = make_table("t");
  server_.nodes.on_keep_log = [](int32_t partition) -> Task<> {
    if (partition == 3) co_return fail(Code::kIo, "the disk is full");
    co_return Result<void>();
  };
  const auto response = add(adding("t", "B"));
  EXPECT_EQ(response.err.code, ErrorCode::kBusy);
  EXPECT_THAT(response.hint, HasSubstr("partition 3: the disk is full"));
  EXPECT_TRUE(query("t").entry_list.empty());
  EXPECT_FALSE(is_duplicating("t"));
  expect_no_logs(app_id);
}

TEST_F(DuplicationRequestsTest, AnAddThatCannotBeNotedLeavesNothing) {
  const auto app_id = make_table("t");
  server_.disk->fails = true;
  EXPECT_EQ(add(adding("t", "B")).err.code, ErrorCode::kFileOperationFailed);
  server_.disk->fails = false;
  EXPECT_TRUE(query("t").entry_list.empty());
  EXPECT_FALSE(is_duplicating("t"));
  expect_no_logs(app_id);
}

TEST_F(DuplicationRequestsTest, ATableThatIsDroppedMeanwhileIsNotDuplicated) {
  const auto app_id = make_table("t");
  TestGate gate(server_.thread.executor(), 2);
  server_.nodes.on_keep_log = gate.gate();
  auto answer = start_adding("t", "B");
  gate.wait_until_reached();
  server_.must(server_.cluster().drop_table("t", 100, server_.deadline()));
  gate.open();
  EXPECT_EQ(answer.get(), ErrorCode::kAppNotExist);
  server_.must(server_.cluster().recall_table(app_id, "", server_.deadline()));
  server_.wait_until([&] { return !partition(app_id, 0).log && !partition(app_id, 1).log; });
  EXPECT_TRUE(query("t").entry_list.empty());
}

TEST_F(DuplicationRequestsTest, WhileOneIsAddedAnotherWaitsAndChangesAreRefused) {
  const auto app_id = make_table("t");
  const auto id = add(adding("t", "C")).dupid;
  TestGate gate(server_.thread.executor(), 1);
  server_.nodes.on_keep_log = gate.gate();
  auto first = start_adding("t", "B");
  gate.wait_until_reached();
  auto second = start_adding("t", "B");
  EXPECT_EQ(modify("t", id, wire::DS_REMOVED), ErrorCode::kBusy);
  // The log that the new one needs is not cut by the progress of the other one.
  ship(app_id, id, 0, 50);
  const int before = server_.disk->syncs;
  server_.wait_until([&] {
    pass_a_second();
    return server_.disk->syncs > before;
  });
  EXPECT_EQ(entry("t").partition_states.at(0).confirmed_decree, 50);
  EXPECT_EQ(partition(app_id, 0).log, 0);
  gate.open();
  const auto answers = std::pair(first.get(), second.get());
  EXPECT_EQ(answers.first, ErrorCode::kOk);
  EXPECT_EQ(answers.second, ErrorCode::kDupExist);
  for (int32_t i = 0; i < kPartitions; ++i) EXPECT_EQ(partition(app_id, i).error, "") << i;
}

TEST_F(DuplicationRequestsTest, RequestsPauseStartAndRemove) {
  const auto app_id = make_table("t");
  const auto id = add_one("t");
  using enum wire::duplication_status;
  // From the state in which the line before has left it.
  const std::vector<std::pair<wire::duplication_status, ErrorCode>> requests{
      {DS_LOG, ErrorCode::kOk},
      {DS_INIT, ErrorCode::kInvalidParameters},
      {DS_PREPARE, ErrorCode::kInvalidParameters},
      {DS_APP, ErrorCode::kInvalidParameters},
      {wire::duplication_status(17), ErrorCode::kInvalidParameters},
      {wire::duplication_status(-1), ErrorCode::kInvalidParameters},
      {DS_PAUSE, ErrorCode::kOk},
      {DS_PAUSE, ErrorCode::kOk},
      {DS_PREPARE, ErrorCode::kInvalidParameters},
      {DS_APP, ErrorCode::kInvalidParameters},
      {DS_LOG, ErrorCode::kOk},
      {DS_PAUSE, ErrorCode::kOk},
      {DS_REMOVED, ErrorCode::kOk},
      {DS_LOG, ErrorCode::kObjectNotFound},
      {DS_REMOVED, ErrorCode::kObjectNotFound}};
  auto status = DS_LOG;
  for (const auto& [wanted, expected] : requests) {
    EXPECT_EQ(modify("t", id, wanted), expected) << int(wanted);
    if (expected == ErrorCode::kOk) status = wanted;
    if (status == DS_REMOVED) continue;
    EXPECT_EQ(entry("t").status, status) << int(wanted);
    EXPECT_EQ(partition(app_id, 1).assignments.at(0).ships, status == DS_LOG) << int(wanted);
  }
  expect_no_logs(app_id);
  EXPECT_EQ(modify("nosuch", id, DS_LOG), ErrorCode::kAppNotExist);
  EXPECT_EQ(modify("t", 12345, DS_PAUSE), ErrorCode::kObjectNotFound);
}

TEST_F(DuplicationRequestsTest, TheFailModeIsKeptAndReachesTheNodes) {
  const auto app_id = make_table("t");
  wire::duplication_modify_request request;
  request.app_name = "t";
  request.dupid = add_one("t");
  request.__set_fail_mode(wire::FAIL_SKIP);
  const auto change = [&] {
    return ask<wire::duplication_modify_response>(RpcCode::kModifyDuplication, request);
  };
  EXPECT_EQ(change().appid, app_id);
  EXPECT_EQ(change().err.code, ErrorCode::kOk);
  EXPECT_EQ(change().appid, 0) << "as in Pegasus, when nothing changes";
  EXPECT_EQ(partition(app_id, 0).assignments.at(0).fail_mode, duplication::FailMode::kSkip);
  request.fail_mode = wire::duplication_fail_mode(3);
  EXPECT_EQ(change().err.code, ErrorCode::kInvalidParameters);
  restart();
  EXPECT_EQ(entry("t").fail_mode, wire::FAIL_SKIP);
  EXPECT_EQ(modify("t", request.dupid, wire::DS_PAUSE), ErrorCode::kOk);
  EXPECT_EQ(entry("t").fail_mode, wire::FAIL_SKIP);
}

TEST_F(DuplicationRequestsTest, AChangeThatCannotBeNotedIsNotMade) {
  const auto app_id = make_table("t");
  const auto id = add_one("t");
  server_.disk->fails = true;
  for (auto status : {wire::DS_PAUSE, wire::DS_REMOVED})
    EXPECT_EQ(modify("t", id, status), ErrorCode::kFileOperationFailed);
  server_.disk->fails = false;
  EXPECT_EQ(entry("t").status, wire::DS_LOG);
  EXPECT_TRUE(partition(app_id, 0).assignments.at(0).ships);
}

TEST_F(DuplicationRequestsTest, ListHasAllTablesThatThePatternSelects) {
  make_table("users");
  make_table("user_names", 1);
  make_table("gone");
  server_.must(server_.cluster().drop_table("gone", 100, server_.deadline()));
  const auto id = add_one("users");
  wire::duplication_list_request request;
  request.match_type = wire::PMT_MATCH_ALL;
  const auto list = [&] {
    return ask<wire::duplication_list_response>(RpcCode::kListDuplication, request);
  };
  auto all = list();
  EXPECT_EQ(all.err.code, ErrorCode::kOk);
  ASSERT_EQ(all.app_states.size(), 2);
  EXPECT_EQ(all.app_states.at("users").duplications.at(id).remote, "B");
  EXPECT_EQ(all.app_states.at("users").partition_count, kPartitions);
  EXPECT_TRUE(all.app_states.at("user_names").duplications.empty());
  EXPECT_EQ(all.app_states.at("user_names").partition_count, 1);
  request.app_name_pattern = "users";
  request.match_type = wire::PMT_MATCH_PREFIX;
  EXPECT_EQ(list().app_states.size(), 1);
  request.match_type = wire::PMT_MATCH_REGEX;
  EXPECT_EQ(list().err.code, ErrorCode::kNotImplemented);
  EXPECT_THAT(list().hint_message, HasSubstr("not supported"));
}

TEST_F(DuplicationRequestsTest, QueryAndHttpSayWhatTheNodesKnowNow) {
  const auto app_id = make_table("t");
  const auto get = [&](const std::string& arguments) {
    return server_.must(
        server_.client->client().http_get(*net::parse_host_port(server_.address().to_string()),
                                          "/meta/app/duplication" + arguments, server_.deadline()));
  };
  EXPECT_EQ(get("?name=t").body, "null") << "as in Pegasus";
  const auto id = add_one("t");
  ship(app_id, id, 0, 41);
  on_server([&] {
    auto& first = server_.nodes.duplicated[{app_id, 0}];
    first.last_decree = 50;
    first.waits_for = "the target does not answer";
    server_.nodes.duplicated[{app_id, 1}].error = "a hole behind decree 7";
    return true;
  });
  const auto states = entry("t").partition_states;
  EXPECT_EQ(states.at(0).confirmed_decree, 41);
  EXPECT_EQ(states.at(0).last_committed_decree, 50);
  EXPECT_EQ(states.at(0).waits_for, "the target does not answer");
  EXPECT_EQ(states.at(1).error, "a hole behind decree 7");
  const auto body = get("?name=t").body;
  EXPECT_THAT(body, HasSubstr(fmt::format(R"("dupid":{},"fail_mode":"FAIL_SLOW")", id)));
  EXPECT_THAT(body, HasSubstr(R"("0":{"confirmed_decree":41,"last_committed_decree":50,)"));
  EXPECT_THAT(body, HasSubstr(R"("error":"a hole behind decree 7")"));
  EXPECT_THAT(body,
              ::testing::EndsWith(fmt::format(R"("status":"DS_LOG"}},"appid":{}}})", app_id)));
  EXPECT_EQ(get("").status, 400);
  EXPECT_EQ(get("").body, "name should not be empty");
  EXPECT_EQ(get("?name=nosuch").status, 404);
  EXPECT_EQ(get("?name=nosuch").body, "ERR_APP_NOT_EXIST");
}

}  // namespace
}  // namespace pegmove::server::meta
