// A meta server with fake nodes and a fake other cluster, and requests about duplications to it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "client/duplications.h"
#include "server/meta/fake_nodes_test.h"

namespace pegmove::wire {

// For GoogleTest: the generated operators << have no definition.
inline void PrintTo(duplication_status status, std::ostream* out) {
  *out << server::meta::status_name(status) << " (" << int(status) << ")";
}
inline void PrintTo(duplication_fail_mode mode, std::ostream* out) {
  *out << server::meta::fail_mode_name(mode) << " (" << int(mode) << ")";
}

}  // namespace pegmove::wire

namespace pegmove::server::meta {

// The other cluster, as follower.h has it: notes what it was asked, and may refuse. Safe from any
// thread.
class FakeRemote {
 public:
  FollowerPort port() {
    return {.own_metas = [] { return std::string("127.0.0.1:34601"); },
            .check_absent = [this](const FollowerRequest&, Deadline) { return look(); },
            .create = [this](const FollowerRequest& request, std::string status,
                             Deadline) { return ask(request, std::move(status)); },
            .check = [this](const FollowerRequest& request,
                            Deadline) { return ask(request, "check"); }};
  }
  // Those that were not refused, in their order.
  std::vector<std::string> calls() const {
    std::lock_guard lock(mutex_);
    return calls_;
  }
  FollowerRequest last_request() const {
    std::lock_guard lock(mutex_);
    return last_request_;
  }
  // How often it was asked whether the table is there.
  int looks() const {
    std::lock_guard lock(mutex_);
    return looks_;
  }
  // Of these questions, the first one that finds the table there; 0: none does.
  void has_table_from_look(int number) {
    std::lock_guard lock(mutex_);
    has_table_from_ = number;
  }
  // Calls of this kind fail; empty: none.
  void refuse(std::string kind) {
    std::lock_guard lock(mutex_);
    refused_ = std::move(kind);
  }

 private:
  Task<> look() {
    std::lock_guard lock(mutex_);
    ++looks_;
    if (has_table_from_ != 0 && looks_ >= has_table_from_)
      co_return fail(Code::kAlreadyExists, "B has the table already");
    co_return Result<void>();
  }
  Task<> ask(const FollowerRequest& request, std::string kind) {
    std::lock_guard lock(mutex_);
    if (kind == refused_) co_return fail(Code::kAlreadyExists, "B has another table: " + kind);
    last_request_ = request;
    calls_.push_back(std::move(kind));
    co_return Result<void>();
  }

  mutable std::mutex mutex_;
  std::vector<std::string> calls_;
  FollowerRequest last_request_;
  std::string refused_;
  int looks_ = 0, has_table_from_ = 0;
};

class DuplicationTest : public ::testing::Test {
 protected:
  static constexpr int32_t kPartitions = 4;

  DuplicationTest() {
    server_.follower = remote_.port();
    server_.start();
  }

  int32_t make_table(const std::string& name, int partitions = kPartitions) {
    server_.must(
        server_.cluster().create_table(name, {.partition_count = partitions}, server_.deadline()));
    return server_.must(server_.cluster().table_info(name, server_.deadline())).app_id;
  }
  template <typename Response, typename Request>
  Response ask(wire::RpcCode code, const Request& request) {
    return server_.must(
        server_.cluster().metas().call<Response>(code, request, server_.deadline()));
  }
  static wire::duplication_add_request adding(const std::string& table, const std::string& remote,
                                              bool with_checkpoint = false) {
    wire::duplication_add_request request;
    request.app_name = table;
    request.remote_cluster_name = remote;
    request.__set_is_duplicating_checkpoint(with_checkpoint);
    return request;
  }
  wire::duplication_add_response add(const wire::duplication_add_request& request) {
    return ask<wire::duplication_add_response>(wire::RpcCode::kAddDuplication, request);
  }
  // The id of a new duplication to B.
  int32_t add_one(const std::string& table, bool with_checkpoint = false) {
    const auto response = add(adding(table, "B", with_checkpoint));
    EXPECT_EQ(response.err.code, wire::ErrorCode::kOk) << response.hint;
    return response.dupid;
  }
  wire::ErrorCode modify(const std::string& table, int32_t id, wire::duplication_status status) {
    wire::duplication_modify_request request;
    request.app_name = table;
    request.dupid = id;
    request.__set_status(status);
    return ask<wire::duplication_modify_response>(wire::RpcCode::kModifyDuplication, request)
        .err.code;
  }
  wire::duplication_query_response query(const std::string& table) {
    wire::duplication_query_request request;
    request.app_name = table;
    return ask<wire::duplication_query_response>(wire::RpcCode::kQueryDuplication, request);
  }
  // Of the only duplication.
  wire::duplication_entry entry(const std::string& table) {
    const auto response = query(table);
    EXPECT_EQ(response.entry_list.size(), 1);
    return response.entry_list.empty() ? wire::duplication_entry() : response.entry_list[0];
  }
  bool is_duplicating(const std::string& table) {
    wire::configuration_list_apps_request request;
    for (const auto& info :
         ask<wire::configuration_list_apps_response>(wire::RpcCode::kListApps, request).infos)
      if (info.app_name == table) return info.duplicating;
    return false;
  }

  // Runs it on the server's thread, to which the nodes belong.
  template <typename Do>
  auto on_server(Do act) {
    return server_.thread.wait_for(run(std::move(act)));
  }
  FakeNodes::Duplicated partition(int32_t app_id, int32_t index) {
    return on_server([&] { return server_.nodes.duplicated[{app_id, index}]; });
  }
  void set_decrees(int32_t app_id, int64_t last) {
    on_server([&] {
      for (int32_t i = 0; i < kPartitions; ++i)
        server_.nodes.duplicated[{app_id, i}].last_decree = last + i;
      return true;
    });
  }
  void ship(int32_t app_id, int32_t id, int32_t index, int64_t decree) {
    on_server([&] {
      auto& partition = server_.nodes.duplicated[{app_id, index}];
      partition.last_decree = std::max(partition.last_decree, decree);
      partition.shipped[id] = decree;
      return true;
    });
  }
  // The log of each partition: where it begins.
  std::vector<std::optional<int64_t>> logs(int32_t app_id) {
    std::vector<std::optional<int64_t>> logs;
    for (int32_t i = 0; i < kPartitions; ++i) logs.push_back(partition(app_id, i).log);
    return logs;
  }
  void expect_no_logs(int32_t app_id) { EXPECT_THAT(logs(app_id), ::testing::Each(std::nullopt)); }
  // Until the server has looked at the progress once more, and noted it.
  void pass_a_second() { server_.time.advance(async::milliseconds(1'000)); }
  void wait_for_status(const std::string& table, wire::duplication_status status) {
    server_.wait_until([&] {
      pass_a_second();
      return entry(table).status == status;
    });
  }

  void restart() {
    server_.stop();
    server_.start();
  }
  std::string store_path() const { return server_.folder.path() + "/meta_store"; }
  // Starts again from an earlier state of the disk, as after a kill at that moment.
  void restart_from(const std::string& bytes) {
    server_.stop();
    server_.disk = std::make_unique<SimDisk>(store_path(), bytes);
    server_.start();
  }

  FakeRemote remote_;
  MetaServer server_;

 private:
  template <typename Do>
  static Routine<std::invoke_result_t<Do>> run(Do act) {
    co_return act();
  }
};

}  // namespace pegmove::server::meta
