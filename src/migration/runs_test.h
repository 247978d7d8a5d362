// For the tests of this folder: runs in a journal of their own, between two embedded clusters.
#pragma once

#include <map>
#include <stdexcept>
#include <string>

#include "blockstore/store_set.h"
#include "journal/journals_test.h"
#include "migration/methods.h"
#include "runs/steering.h"
#include "testing/fake_nodes.h"
#include "testing/quick_clock.h"
#include "testing/two_clusters.h"

namespace pegmove::migration {

// The clusters are "a" and "b", or their meta servers; the stores are those of a.
class TestRuns {
 public:
  explicit TestRuns(testing::TwoClusters& clusters)
      : clusters_(clusters), stores_(clusters.source_servers.providers(), clock_) {
    for (const auto& [name, cluster] : {std::pair("a", clusters.source), {"b", clusters.target}}) {
      by_word[name] = cluster;
      by_word[cluster->meta_list()] = cluster;
    }
  }

  journal::Journal open_journal() { return journal::good(journal::Journal::open(path(), clock_)); }
  std::string path() { return folder_ / "journal.db"; }
  Clock& clock() { return clock_; }
  blockstore::AsyncStore store() { return {journal::good(stores_.get("disk")), pool_, clock_}; }

  // A new run; its id.
  std::string begin(const char* method, std::string options, const char* table = "t") {
    return journal::good(open_journal().begin({.method = method,
                                               .from = "a",
                                               .to = "b",
                                               .table = table,
                                               .to_table = table,
                                               .options = std::move(options)}))
        .id;
  }
  journal::Run seen(const std::string& id) { return journal::good(open_journal().get(id)); }

  // Resumes the run to its end, as a process of the program does.
  Result<runs::Ending> resume(const std::string& id) {
    return hold<runs::Ending>(id, [this](runs::RunSession& session) { return work(session); });
  }
  Result<journal::Run> cancel(const std::string& id) {
    stop.withdraw();
    return clusters_.run(runs::cancel(place(id, clusters_.context().get_executor()), registry_,
                                      events, Deadline::in(clock_, async::milliseconds(60'000))));
  }
  template <typename T>
  Result<T> hold(const std::string& id, std::function<Task<T>(runs::RunSession&)> work) {
    stop.withdraw();
    return clusters_.run(
        runs::RunSession::hold<T>(place(id, clusters_.context().get_executor()), std::move(work)));
  }

  // The run goes on with a request that one of its steps answers.
  Result<runs::Ending> ask(const std::string& id, journal::Request request) {
    journal::good(open_journal().request(id, request));
    return hold<runs::Ending>(id, [this, request](runs::RunSession& session) {
      journal::good(session.adopt(request) ? Result<void>() : fail(Code::kInternal, "not found"));
      return work(session);
    });
  }

  std::map<std::string, std::shared_ptr<client::Cluster>> by_word;
  pegmove::testing::FakeNodes nodes;  // of ZooKeeper
  bool has_store = true;
  async::StopSignal stop;
  runs::Events events{};

 private:
  runs::SessionPlace place(const std::string& id, asio::any_io_executor executor) {
    return {.executor = std::move(executor),
            .clock = clock_,
            .stop = stop,
            .journal_path = path(),
            .run = id};
  }
  Task<runs::Ending> work(runs::RunSession& session) {
    auto work = CO_TRY((*CO_TRY(registry_.find(session.run()))).make(session.run()));
    co_return co_await runs::carry_out(session, *work, events, false);
  }
  Task<std::shared_ptr<client::Cluster>> connect(std::string word) {
    const auto found = by_word.find(word);
    if (found == by_word.end() || !found->second)
      co_return fail(Code::kUnreachable, "cluster " + word + " is away");
    co_return found->second;
  }

  testing::TwoClusters& clusters_;
  testing::QuickClock clock_{clusters_.source_time};
  journal::TestFolder folder_;
  blockstore::StoreSet stores_;
  async::Pool pool_{1};

 public:
  const Ports ports{
      .clock = clock_,
      .stop = stop,
      .connect = [this](std::string word) { return connect(std::move(word)); },
      .open_store = [this](const std::string& name,
                           int) -> Result<std::optional<blockstore::AsyncStore>> {
        if (!has_store || name != "disk") return std::nullopt;
        return store();
      },
      .open_nodes = [this](const std::string&) -> Result<routes::Nodes*> { return &nodes; },
      .certificates = folder_ / "certificates"};

 private:
  runs::Registry registry_ = methods(ports);
};

}  // namespace pegmove::migration
