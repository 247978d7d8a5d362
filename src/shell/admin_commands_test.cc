// The commands that read /metrics and send remote commands, against a cluster of two nodes that
// says what the test tells it to.
#include <gtest/gtest.h>

#include <functional>
#include <sstream>

#include "async/task_group.h"
#include "meta_types.h"
#include "net/rpc_server.h"
#include "net/tcp.h"
#include "service/dispatcher.h"
#include "shell/session.h"

namespace pegmove::shell {
namespace {

using wire::RpcCode;

constexpr net::Address kLoopback{.ipv4 = 0x7f000001, .port = 0};

// Answers every GET with what `reply` makes of its target.
class FakeHttpNode {
 public:
  using Reply = std::function<std::string(const std::string& target)>;

  FakeHttpNode(asio::io_context& context, Reply reply)
      : reply_(std::move(reply)),
        acceptor_(*net::listen_tcp(context.get_executor(), kLoopback)),
        tasks_(context.get_executor()) {
    tasks_.spawn(accept());
  }
  net::Address address() const { return acceptor_->local(); }
  Routine<> stop() {
    acceptor_->close();
    tasks_.stop();
    co_await tasks_.join();  // no result
  }

 private:
  Routine<> accept() {
    while (auto stream = co_await acceptor_->accept()) tasks_.spawn(serve(std::move(*stream)));
  }
  Routine<> serve(std::unique_ptr<net::Stream> stream) {
    std::string request;
    char block[4096];
    while (!request.contains("\r\n\r\n")) {
      auto size = co_await stream->read_some(block);
      if (!size || *size == 0) co_return;
      request.append(block, *size);
    }
    auto target = request.substr(4, request.find(' ', 4) - 4);
    auto body = reply_(target);
    auto head = body.empty() ? "HTTP/1.1 404 Not Found\r\n" : "HTTP/1.1 200 OK\r\n";
    auto sent = co_await stream->write_all(
        head + ("Content-Length: " + std::to_string(body.size())) + "\r\n\r\n" + body);
    EXPECT_TRUE(sent);
    stream->close();
  }

  Reply reply_;
  std::unique_ptr<net::Acceptor> acceptor_;
  async::TaskGroup tasks_;
};

class OneCluster : public ClusterDirectory {
 public:
  Result<std::vector<net::HostPort>> metas_of(std::string_view name) const override {
    return net::parse_host_port_list(name);
  }
};

// One table "t" (id 3) of two partitions, one on each node.
class AdminCommandsTest : public testing::Test {
 protected:
  AdminCommandsTest() {
    on_message<wire::configuration_list_nodes_request, wire::configuration_list_nodes_response>(
        RpcCode::kListNodes, [this](auto& response) {
          for (const auto* node : {&first_, &second_}) {
            wire::node_info info;
            info.status = wire::NS_ALIVE;
            info.node = raw(node->address());
            response.infos.push_back(info);
          }
        });
    on_message<wire::configuration_list_apps_request, wire::configuration_list_apps_response>(
        RpcCode::kListApps, [](auto& response) {
          wire::app_info app;
          app.app_id = 3;
          app.app_name = "t";
          app.partition_count = 2;
          app.status = wire::AS_AVAILABLE;
          response.infos.push_back(app);
        });
    on_message<wire::query_cfg_request, wire::query_cfg_response>(
        RpcCode::kQueryConfig, [this](auto& response) {
          response.app_id = 3;
          response.partition_count = 2;
          for (int32_t index : {0, 1}) {
            wire::partition_configuration partition;
            partition.ballot = 5;
            partition.max_replica_count = 1;
            partition.primary = raw((index == 0 ? first_ : second_).address());
            response.partitions.push_back(partition);
          }
        });
    on_message<wire::configuration_cluster_info_request, wire::configuration_cluster_info_response>(
        RpcCode::kClusterInfo, [](auto&) {});
    dispatcher_.on(RpcCode::kCliCall, [](net::IncomingCall call) {
      auto command = wire::decode_body<wire::command>(call.body());
      std::string body;
      auto text = command->cmd == "server-info"   ? R"({"version":"2.6"})"
                  : command->cmd.starts_with('[') ? command->cmd
                                                  : "told: " + command->cmd;
      for (const auto& argument : command->arguments) text += " " + argument;
      wire::append_string_body(body, text, 0);
      call.reply(wire::ErrorCode::kOk, body);
    });
    auto acceptor = *net::listen_tcp(context_.get_executor(), kLoopback);
    meta_ = std::make_unique<net::RpcServer>(context_.get_executor(), std::move(acceptor),
                                             dispatcher_, clock_, Logger("test"));
    meta_->start();
    auto connected = session_.connect(meta_->local().to_string());
    EXPECT_TRUE(connected) << connected.error().to_string();
    session_.settings().table = "t";
  }
  ~AdminCommandsTest() override { async::run_to_end(context_, stop()); }

  Routine<bool> stop() {
    co_await client_.close();  // no result
    co_await first_.stop();    // no result
    co_await second_.stop();   // no result
    meta_->stop();
    co_await meta_->join();  // no result
    co_return true;
  }
  template <typename Request, typename Response>
  void on_message(RpcCode code, std::function<void(Response&)> fill) {
    dispatcher_.on_message<Request, Response>(code, [fill](const auto&, const auto&) {
      Response response;
      fill(response);
      return response;
    });
  }
  static wire::rpc_address raw(net::Address address) {
    return wire::rpc_address::of(address.ipv4, address.port);
  }

  bool execute(std::string_view line) {
    out_.str("");
    err_.str("");
    return session_.execute(line);
  }
  // What was printed, with the nodes' addresses as A and B and no blanks at the ends of lines.
  std::string printed() {
    std::string text;
    std::istringstream lines(out_.str());
    for (std::string line; std::getline(lines, line);) {
      for (auto [address, name] : {std::pair(first_.address(), 'A'), {second_.address(), 'B'}})
        if (auto at = line.find(address.to_string()); at != line.npos)
          line.replace(at, address.to_string().size(), 1, name);
      line.erase(line.find_last_not_of(' ') + 1);
      text += line + "\n";
    }
    return text;
  }

  // A replica entity of partition 3.`index`.
  static std::string replica(int index, const std::string& metrics) {
    return R"({"type":"replica","id":"replica@3.)" + std::to_string(index) +
           R"(","attributes":{"table_id":"3","partition_id":")" + std::to_string(index) +
           R"("},"metrics":[)" + metrics + "]}";
  }
  // Every sample is two seconds later.
  std::string sample(const std::string& entities) {
    seconds_ += 2;
    return R"({"role":"replica","timestamp_ns":)" + std::to_string(seconds_ * 1'000'000'000) +
           R"(,"entities":[)" + entities + "]}";
  }

  asio::io_context context_;
  async::SystemClock clock_;
  int64_t seconds_ = 0;
  FakeHttpNode::Reply first_reply_, second_reply_;
  FakeHttpNode first_{context_, [this](const auto& target) { return first_reply_(target); }};
  FakeHttpNode second_{context_, [this](const auto& target) { return second_reply_(target); }};
  service::Dispatcher dispatcher_;
  std::unique_ptr<net::RpcServer> meta_;
  client::Client client_{context_.get_executor(), clock_};
  OneCluster clusters_;
  std::ostringstream out_, err_;
  Session session_{context_, client_, clusters_, out_, err_};
};

TEST_F(AdminCommandsTest, EstimatesRowsFromThePrimaries) {
  first_reply_ = [&](const std::string& target) {
    EXPECT_EQ(target,
              "/metrics?with_metric_fields=name,value&types=replica&attributes=table_id,3&"
              "metrics=rdb_estimated_keys");
    // The other partition is not served here any more.
    return sample(replica(0, R"({"name":"rdb_estimated_keys","value":16})") + "," +
                  replica(1, R"({"name":"rdb_estimated_keys","value":99})"));
  };
  second_reply_ = [&](const auto&) {
    return sample(replica(1, R"({"name":"rdb_estimated_keys","value":4})"));
  };
  ASSERT_TRUE(execute("count_data")) << err_.str();
  EXPECT_EQ(printed(),
            "[count_data]\n"
            "pidx       estimate_count\n"
            "0          16.00\n"
            "1          4.00\n"
            "(total:1)  20.00\n");
}

TEST_F(AdminCommandsTest, ShowsTheDiskOfATable) {
  first_reply_ = [&](const auto&) {
    return sample(replica(0, R"({"name":"rdb_total_sst_files","value":3},
                                {"name":"rdb_total_sst_size_mb","value":1.5})"));
  };
  second_reply_ = [&](const auto&) { return sample(""); };
  ASSERT_TRUE(execute("app_disk t -d")) << err_.str();
  auto text = printed();
  EXPECT_TRUE(text.contains("disk_used_for_primary_replicas(MB)  : 1.50\n")) << text;
  EXPECT_TRUE(text.contains("partitions not counted              : 1/2\n")) << text;
  EXPECT_TRUE(text.contains("replicas not counted                : 1/2\n")) << text;
  EXPECT_TRUE(text.contains("A(1.5,#3)")) << text;
  EXPECT_TRUE(text.contains("B(-,-)")) << text;
}

TEST_F(AdminCommandsTest, ShowsRatesAndSizesOfTables) {
  first_reply_ = [&](const auto&) {
    auto gets = seconds_ * 5;
    return sample(replica(0, R"({"name":"get_requests","value":)" + std::to_string(gets) +
                                 R"(},{"name":"rdb_total_sst_files","value":2},
                                    {"name":"rdb_block_cache_hit_count","value":1},
                                    {"name":"rdb_block_cache_total_count","value":4})"));
  };
  second_reply_ = [&](const auto&) { return sample(""); };
  ASSERT_TRUE(execute("app_stat -i 1")) << err_.str();
  auto text = printed();
  EXPECT_TRUE(text.contains("\nt                 3       2  5.000  0.00")) << text;
  EXPECT_TRUE(text.contains("\n(total:0)    ")) << text;
  EXPECT_TRUE(text.contains("0.250")) << text;
  ASSERT_TRUE(execute("app_stat -i 1 -a t -u")) << err_.str();
  text = printed();
  EXPECT_TRUE(text.starts_with("[app_stat]\npidx         file_mb  file_num  mem_tbl_mb")) << text;
  EXPECT_FALSE(text.contains("GET")) << text;
}

TEST_F(AdminCommandsTest, ShowsHowBusyNodesAre) {
  first_reply_ = [&](const std::string& target) {
    if (target.contains("profiler"))
      return sample(R"({"type":"profiler","id":"x","attributes":{"task_name":"RPC_RRDB_RRDB_GET"},
                        "metrics":[{"name":"profiler_server_rpc_latency_ns","p99":2500000}]})");
    if (target.contains("disk"))
      return sample(R"({"type":"server","id":"x","attributes":{},"metrics":[
                        {"name":"resident_mem_usage_mb","value":77},
                        {"name":"rdb_block_cache_mem_usage_bytes","value":3145728}]},
                       {"type":"disk","id":"d","attributes":{},"metrics":[
                        {"name":"disk_capacity_total_mb","value":200},
                        {"name":"disk_capacity_avail_mb","value":50}]})");
    return sample(
        replica(0, R"({"name":"put_requests","value":)" + std::to_string(seconds_) + "}"));
  };
  second_reply_ = first_reply_;
  ASSERT_TRUE(execute("nodes -u -q -i 1")) << err_.str();
  auto text = printed();
  EXPECT_TRUE(text.contains("disk_avl_min_ratio  get_qps")) << text;
  EXPECT_TRUE(text.contains("77               3")) << text;
  EXPECT_TRUE(text.contains("25                  25")) << text;
  EXPECT_TRUE(text.contains("1.00")) << text;
  EXPECT_TRUE(text.contains("2.50")) << text;
}

TEST_F(AdminCommandsTest, SaysWhichNodeDidNotAnswer) {
  first_reply_ = [&](const auto&) { return sample(""); };
  second_reply_ = [](const auto&) { return std::string(); };
  EXPECT_FALSE(execute("app_disk t"));
  EXPECT_TRUE(err_.str().starts_with("ERROR: query sst metrics from node " +
                                     second_.address().to_string() +
                                     " failed, http_status=404 Not Found"))
      << err_.str();
  second_reply_ = [](const auto&) { return std::string("{}"); };
  EXPECT_FALSE(execute("app_disk t"));
  EXPECT_TRUE(err_.str().contains("metrics response from node")) << err_.str();
}

TEST_F(AdminCommandsTest, SendsRemoteCommandsAndShowsTheAnswers) {
  auto meta = meta_->local().to_string();
  ASSERT_TRUE(execute("remote_command -t meta-server help me")) << err_.str();
  EXPECT_EQ(out_.str(), "{\n  \"command\": \"help me\",\n  \"details\": {\n    \"" + meta +
                            "\": {\n      \"acked\": true,\n      \"message\": \"told: help me\",\n"
                            "      \"role\": \"meta-server\"\n    }\n  },\n"
                            "  \"failed_count\": 0,\n  \"succeed_count\": 1\n}\n");
  ASSERT_TRUE(execute("server_info -l " + meta)) << err_.str();
  EXPECT_TRUE(out_.str().contains("\"version\": \"2.6\"")) << out_.str();
  EXPECT_TRUE(out_.str().contains("\"command\": \"server-info \"")) << out_.str();
  EXPECT_TRUE(out_.str().contains("\"role\": \"user-specified\"")) << out_.str();
  ASSERT_TRUE(execute("flush_log -t meta-server"));
  EXPECT_TRUE(out_.str().contains("told: flush-log")) << out_.str();
}

TEST_F(AdminCommandsTest, ShowsAnAnswerThatIsTooDeepAsText) {
  auto deep = std::string(500'000, '[') + std::string(500'000, ']');
  ASSERT_TRUE(execute("remote_command -t meta-server " + deep));
  EXPECT_TRUE(out_.str().contains("\"message\": \"[[["));
  ASSERT_TRUE(execute("remote_command -t meta-server [[7]]"));
  EXPECT_TRUE(out_.str().contains("\"message\": [\n"));
}

TEST_F(AdminCommandsTest, ShowsTheReplicasOfServers) {
  first_reply_ = [&](const auto&) {
    return sample(R"({"type":"server","id":"x","attributes":{},"metrics":[
                      {"name":"total_replicas","value":4},
                      {"name":"resident_mem_usage_mb","value":77}]})");
  };
  second_reply_ = [](const auto&) { return std::string(); };
  EXPECT_FALSE(execute("server_stat -t replica-server")) << "a node did not answer";
  EXPECT_TRUE(out_.str().contains("\"total_replicas\": 4.0")) << out_.str();
  EXPECT_TRUE(out_.str().contains("\"failed_count\": 1")) << out_.str();
}

class Answers : public LineSource {
 public:
  explicit Answers(std::vector<std::string> lines) : lines_(std::move(lines)) {}
  std::optional<std::string> next_line() override {
    if (next_ == lines_.size()) return std::nullopt;
    return lines_[next_++];
  }

 private:
  std::vector<std::string> lines_;
  size_t next_ = 0;
};

TEST_F(AdminCommandsTest, AsksBeforeItSetsTheReplicaCount) {
  Answers no({"what", "n"}), nothing({});
  session_.set_lines(&no);
  EXPECT_FALSE(execute("set_replica_count t 2"));
  EXPECT_TRUE(out_.str().ends_with("you've chosen NO, we will stop !\n")) << out_.str();
  session_.set_lines(&nothing);
  EXPECT_FALSE(execute("set_replica_count t 2"));
  EXPECT_TRUE(out_.str().ends_with("too many failed attempts, we will stop !\n")) << out_.str();
}

}  // namespace
}  // namespace pegmove::shell
