// What the methods need from the process that they run in. apps/ fills it in; tests use embedded
// clusters and folders.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "async/stop_signal.h"
#include "blockstore/async_store.h"
#include "client/cluster.h"
#include "routes/nodes.h"

namespace pegmove::migration {

class UnitEngine;
struct SplitRequest;

// Must outlive every work that is created with it.
struct Ports {
  Clock& clock;
  const async::StopSignal& stop;
  // Connects to a cluster by its meta servers, "host:port,...", or by a name in the configuration.
  // Errors: kUnreachable, kTimeout, kInvalidArgument.
  std::function<Task<std::shared_ptr<client::Cluster>>(std::string)> connect;
  // A [block_service.NAME] of pegmove's own configuration, for this number of calls at the same
  // time; nullopt when the configuration does not have it.
  std::function<Result<std::optional<blockstore::AsyncStore>>(const std::string& name, int calls)>
      open_store;
  // Carries out the units of a split; null: this process does.
  std::function<Result<std::unique_ptr<UnitEngine>>(const SplitRequest&)> make_unit_engine{};
  // The nodes of the ZooKeeper "host:port,..."; they exist as long as the ports. Errors:
  // kInvalidArgument.
  std::function<Result<routes::Nodes*>(const std::string& servers)> open_nodes{};
  // Starts the guard of the run's cutover in a process of its own, which outlives this one. Errors:
  // kIo and others: there is none, and the cutover must not begin. Empty: none is wanted.
  std::function<Result<void>(const std::string& run)> start_guard{};
  async::milliseconds timeout{30'000};  // of one request, where the run's options have none
  std::string version{};                // of pegmove, for certificates
  // The folder of those that a run writes by itself; made when it is needed. Empty: none is
  // written.
  std::string certificates{};

  Result<std::optional<blockstore::AsyncStore>> find_store(const std::string& name) const {
    return open_store(name, kCalls);
  }
  // Errors: kNotFound when the configuration does not have it; the message says what to do.
  Result<blockstore::AsyncStore> get_store(const std::string& name, int calls = kCalls) const;

  static constexpr int kCalls = 4;
};

}  // namespace pegmove::migration
