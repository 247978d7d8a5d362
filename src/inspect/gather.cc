#include "inspect/gather.h"

#include <fmt/format.h>

#include <boost/asio/this_coro.hpp>
#include <functional>
#include <set>

#include "async/for_each.h"
#include "async/task_group.h"
#include "base/percent.h"
#include "client/node.h"
#include "inspect/table_limits.h"

namespace pegmove::inspect {
namespace {

using async::milliseconds;

constexpr milliseconds kQuestion{5000};
constexpr size_t kAtOnce = 16;
constexpr int32_t kSampledRows = 100;  // of a partition; their keys
constexpr const char* kAtomicRequests =
    "incr_requests,check_and_set_requests,check_and_mutate_requests";

Task<std::string> get(client::Client& client, net::HostPort node, std::string target,
                      Deadline deadline) {
  auto reply = CO_TRY(co_await client.http_get(node, target, deadline));
  if (reply.status != 200)
    co_return fail(Code::kRefused, fmt::format("status {} {}", reply.status,
                                               base::printable(reply.body.substr(0, 200), 200)));
  co_return std::move(reply.body);
}

// The versions of the partitions that the server has; none when it answers 404.
Task<std::map<int32_t, int>> data_versions(client::Client& client, net::HostPort node,
                                           int32_t app_id, Deadline deadline) {
  auto reply = CO_TRY(co_await client.http_get(
      std::move(node), "/replica/data_version?app_id=" + std::to_string(app_id), deadline));
  if (reply.status == 404) co_return std::map<int32_t, int>();
  co_return parse_data_versions(reply.body);
}

// Notes why there is no answer. Returns false when the server is down and need not be asked again.
template <typename T>
bool note_silence(const Result<T>& answer, const std::string& question,
                  std::vector<std::string>& silent) {
  if (answer) return true;
  silent.push_back(fmt::format("{}: {}", question, answer.error().to_string()));
  return answer.error().code() != Code::kUnreachable && answer.error().code() != Code::kTimeout;
}

class NodeProbe {
 public:
  NodeProbe(client::Client& client, net::HostPort node, int32_t app_id, milliseconds timeout,
            NodeFacts& facts)
      : client_(client),
        node_(std::move(node)),
        app_id_(app_id),
        timeout_(timeout),
        facts_(facts) {}

  Routine<> run() {
    facts_.node = node_.to_string();
    bool is_up = co_await ask_metrics();
    if (is_up) is_up = co_await ask_version();
    if (is_up && app_id_ > 0) is_up = co_await ask_data_versions();
    if (is_up) co_await ask_config();  // no result
  }

 private:
  Deadline deadline() const { return Deadline::in(client_.clock(), timeout_); }

  // The time in the answer is between those of the request and of the reply.
  Routine<bool> ask_metrics() {
    auto target = fmt::format(
        "/metrics?with_metric_fields=name,value&types=replica&attributes=table_id,{}&metrics={}",
        app_id_, kAtomicRequests);
    auto before = client_.clock().unix_us();
    auto answer = parsed(co_await get(client_, node_, target, deadline()), parse_metrics);
    auto after = client_.clock().unix_us();
    if (answer) {
      facts_.clock = ClockOffset{answer->timestamp_us - after, answer->timestamp_us - before};
      if (app_id_ > 0) facts_.atomic_writes = answer->sum;
    }
    co_return note_silence(answer, "GET /metrics", facts_.silent);
  }

  Routine<bool> ask_version() {
    auto answer = parsed(co_await get(client_, node_, "/version", deadline()), parse_version);
    if (answer) facts_.version = *answer;
    co_return note_silence(answer, "GET /version", facts_.silent);
  }

  Routine<bool> ask_data_versions() {
    auto answer = co_await data_versions(client_, node_, app_id_, deadline());
    if (answer) facts_.data_versions = *answer;
    co_return note_silence(answer, "GET /replica/data_version", facts_.silent);
  }

  Routine<bool> ask_config() {
    auto answer =
        parsed(co_await client::remote_command(client_, node_, "config-dump", {}, deadline()),
               parse_config_dump);
    if (answer) facts_.config = *answer;
    co_return note_silence(answer, "config-dump", facts_.silent);
  }

  template <typename T>
  static Result<T> parsed(const Result<std::string>& body, Result<T> (*parse)(std::string_view)) {
    if (!body) return fail(body.error());
    return parse(*body);
  }

  client::Client& client_;
  net::HostPort node_;
  int32_t app_id_;
  milliseconds timeout_;
  NodeFacts& facts_;
};

struct SideLook {
  SideFacts facts;
  std::shared_ptr<client::Cluster> cluster;
  std::shared_ptr<client::Table> table;
};

// Whether the partition has a row, and whether the first ones belong to it.
Routine<> probe_rows(client::Table& table, int32_t index, milliseconds timeout,
                     PartitionFacts& facts) {
  auto deadline = Deadline::in(table.cluster().client().clock(), timeout);
  auto scanner = table.scan_partition(
      index, {.batch_size = kSampledRows, .no_value = true, .most_foreign_searched = 0});
  while (true) {
    auto batch = co_await scanner->next(deadline);
    if (!batch) {
      facts.rows = Rows::kUnknown;
      facts.error = batch.error();
      co_return;
    }
    if (*batch) {
      facts.sampled = (*batch)->received();
      facts.foreign = int64_t((*batch)->foreign.size());
    }
    facts.rows = facts.sampled > 0 ? Rows::kSome : Rows::kNone;
    if (facts.rows == Rows::kSome || !*batch) co_return;
  }
}

// A probe cannot fail: a missing answer is a fact.
Routine<> each(size_t count, std::function<Routine<>(size_t)> probe) {
  const auto one = [&](size_t i) -> Task<> {  // outlives: this frame
    co_await probe(i);                        // no result
    co_return Result<void>();
  };
  co_await async::for_each(count, kAtOnce, one);  // no result
}

class SideProbe {
 public:
  SideProbe(std::shared_ptr<client::Cluster> cluster, std::string table, milliseconds timeout,
            SideLook& look)
      : cluster_(std::move(cluster)),
        table_(std::move(table)),
        timeout_(timeout),
        facts_(look.facts),
        look_(look) {}

  Routine<> run() {
    if (!co_await ask_table()) co_return;
    co_await ask_nodes();  // no result
    auto level = co_await cluster_->meta_level(meta_deadline());
    if (level) facts_.level = *level;
    (void)note_silence(level, "the function level", facts_.silent);
    if (!facts_.info) co_return;
    co_await ask_duplications();  // no result
    co_await ask_partitions();    // no result
  }

 private:
  client::Client& client() const { return cluster_->client(); }
  milliseconds question() const { return std::min(timeout_, kQuestion); }
  Deadline meta_deadline() const {
    return Deadline::in(client().clock(), std::min(timeout_, 2 * kQuestion));
  }

  Routine<bool> ask_table() {
    auto info = co_await cluster_->table_info(table_, meta_deadline());
    if (info) {
      facts_.info = *info;
    } else if (info.error().code() != Code::kNotFound) {
      facts_.unreachable = info.error();
    }
    co_return !facts_.unreachable;
  }

  Routine<> ask_nodes() {
    auto nodes = co_await cluster_->nodes(meta_deadline());
    if (!note_silence(nodes, "the list of nodes", facts_.silent) || !nodes) co_return;
    std::vector<net::HostPort> alive;
    for (const auto& node : *nodes)
      if (node.is_alive) alive.push_back(node.address);
    facts_.alive_nodes = int(alive.size());
    facts_.nodes.resize(alive.size());
    auto app_id = facts_.info ? facts_.info->app_id : 0;
    co_await each(alive.size(), [&](size_t i) {  // no result
      return probe_node(client(), alive[i], app_id, question(), facts_.nodes[i]);
    });
  }

  // The leading meta server answers; one on which duplication is disabled has none.
  Routine<> ask_duplications() {
    auto answer = co_await duplications();
    if (answer) facts_.duplications = *answer;
    (void)note_silence(answer, "the table's duplications", facts_.silent);
  }

  Task<std::vector<DuplicationInfo>> duplications() {
    std::string leader;
    for (auto& [key, value] : CO_TRY(co_await cluster_->info(meta_deadline())))
      if (key == "primary_meta_server") leader = value;
    auto node = CO_TRY(net::parse_host_port(leader));
    auto target = "/meta/app/duplication?name=" + base::percent_encode(table_);
    auto reply = CO_TRY(
        co_await client().http_get(node, target, Deadline::in(client().clock(), question())));
    if (reply.status == 404 && reply.body.starts_with("duplication is not enabled"))
      co_return std::vector<DuplicationInfo>{};
    if (reply.status != 200)
      co_return fail(Code::kRefused,
                     fmt::format("status {} {}", reply.status, base::printable(reply.body, 200)));
    co_return parse_duplications(reply.body);
  }

  Routine<> ask_partitions() {
    auto config = co_await cluster_->table_config(table_, {}, meta_deadline());
    auto table = co_await client::Table::open(cluster_, table_, meta_deadline());
    if (!config || !table) {
      facts_.unreachable = config ? table.error() : config.error();
      co_return;
    }
    look_.table = *table;
    facts_.partitions.resize(size_t((*table)->partition_count()));
    for (size_t i = 0; i < std::min(facts_.partitions.size(), config->partitions.size()); ++i)
      facts_.partitions[i].has_primary = config->partitions[i].primary.port != 0;
    facts_.is_being_split =
        !(*table)->router().check_not_split((*table)->partition_count()).has_value();
    if (facts_.is_being_split || denied_by(facts_.info->envs, Access::kReads)) co_return;
    std::vector<int32_t> served;
    for (size_t i = 0; i < facts_.partitions.size(); ++i)
      if (facts_.partitions[i].has_primary) served.push_back(int32_t(i));
    co_await each(served.size(), [&](size_t i) {  // no result
      return probe_rows(**table, served[i], question(), facts_.partitions[size_t(served[i])]);
    });
  }

  std::shared_ptr<client::Cluster> cluster_;
  std::string table_;
  milliseconds timeout_;
  SideFacts& facts_;
  SideLook& look_;
};

Routine<> look_at(Side side, std::string table, milliseconds timeout, SideLook& look) {
  look.facts.table = table;
  look.facts.cluster = side.word;
  if (!side.cluster) {
    look.facts.unreachable = side.cluster.error();
    co_return;
  }
  look.cluster = *side.cluster;
  if (!look.cluster->name().empty()) look.facts.cluster = look.cluster->name();
  SideProbe probe(look.cluster, std::move(table), timeout, look);
  co_await probe.run();  // no result
}

}  // namespace

Routine<> probe_node(client::Client& client, net::HostPort node, int32_t app_id,
                     milliseconds timeout, NodeFacts& facts) {
  NodeProbe probe(client, std::move(node), app_id, timeout, facts);
  co_await probe.run();  // no result
}

Task<> check_duplication_group(client::Client& client, net::HostPort server, ClusterId source,
                               milliseconds timeout) {
  const auto deadline = Deadline::in(client.clock(), std::min(timeout, kQuestion));
  const auto dump =
      CO_TRY(co_await client::remote_command(client, server, "config-dump", {}, deadline));
  NodeFacts facts{.node = server.to_string()};
  // Without an answer that can be read nothing is known: that is refused.
  if (auto config = parse_config_dump(dump)) facts.config = *std::move(config);
  if (auto why = why_not_duplicate(source, facts)) co_return fail(Code::kRefused, *std::move(why));
  co_return Result<void>();
}

Task<std::optional<std::string>> find_older_server(client::Cluster& cluster, int major, int minor,
                                                   milliseconds timeout) {
  auto& client = cluster.client();
  const auto nodes = CO_TRY(co_await cluster.nodes(Deadline::in(client.clock(), timeout)));
  for (const auto& node : nodes) {
    const auto who = "replica server " + node.address.to_string();
    if (!node.is_alive) co_return who + " is down";
    const auto body =
        co_await get(client, node.address, "/version", Deadline::in(client.clock(), timeout));
    const auto version = body ? parse_version(*body) : Result<ServerVersion>(fail(body.error()));
    if (!version)
      co_return fmt::format("{} does not report its version: {}", who, version.error().to_string());
    if (!version->is_at_least(major, minor))
      co_return fmt::format("{} runs {}", who, version->text);
  }
  co_return std::nullopt;
}

Task<int> data_version_of(client::Cluster& cluster, int32_t app_id, Deadline deadline) {
  std::set<int> versions;
  for (const auto& node : CO_TRY(co_await cluster.nodes(deadline))) {
    if (!node.is_alive) continue;
    const auto found =
        CO_TRY(in_context(co_await data_versions(cluster.client(), node.address, app_id, deadline),
                          "GET /replica/data_version of " + node.address.to_string()));
    for (const auto& [partition, version] : found) versions.insert(version);
  }
  if (versions.size() == 1) co_return *versions.begin();
  if (versions.empty())
    co_return fail(
        Code::kNotFound,
        fmt::format("no replica server of cluster '{}' has a partition of the table with id {}",
                    cluster.name(), app_id));
  co_return fail(
      Code::kUnsupported,
      fmt::format("the partitions of the table with id {} have values of different versions",
                  app_id));
}

bool is_same_table(client::Table& a, client::Table& b) {
  if (a.app_id() != b.app_id() || a.partition_count() != b.partition_count()) return false;
  // A node serves partitions of one cluster only.
  for (int index = 0; index < a.partition_count(); ++index) {
    auto *of_a = a.router().primary_channel(index), *of_b = b.router().primary_channel(index);
    if (of_a && of_b) return of_a->address() == of_b->address();
  }
  return a.cluster().meta_list() == b.cluster().meta_list();
}

Routine<Gathered> gather(Side source, Side target, GatherOptions options) {
  SideLook from, to;
  {
    async::TaskGroup both(co_await asio::this_coro::executor);
    both.spawn(look_at(std::move(source), std::move(options.table), options.timeout, from));
    both.spawn(look_at(std::move(target), std::move(options.to_table), options.timeout, to));
    co_await both.join();  // no result
  }
  Gathered gathered{.inspection = {.source = std::move(from.facts), .target = std::move(to.facts)},
                    .source_cluster = std::move(from.cluster),
                    .target_cluster = std::move(to.cluster),
                    .source = std::move(from.table),
                    .target = std::move(to.table)};
  auto& inspection = gathered.inspection;
  if (gathered.source && gathered.target)
    inspection.is_same_table = is_same_table(*gathered.source, *gathered.target);
  const auto& known = gathered.target_cluster ? gathered.target_cluster : gathered.source_cluster;
  if (known) inspection.now_us = known->client().clock().unix_us();
  co_return gathered;
}

}  // namespace pegmove::inspect
