// What the methods need of the process that they run in. apps/ fills it in; tests do it with
// embedded clusters and folders.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "async/stop_signal.h"
#include "blockstore/async_store.h"
#include "client/cluster.h"

namespace pegmove::migration {

class UnitEngine;
struct SplitRequest;

// Outlives every work that is made with it.
struct Ports {
  Clock& clock;
  const async::StopSignal& stop;
  // A cluster by its meta servers, "host:port,...", or by a name of the configuration. Errors:
  // kUnreachable, kTimeout, kInvalidArgument.
  std::function<Task<std::shared_ptr<client::Cluster>>(std::string)> connect;
  // A [block_service.NAME] of pegmove's own configuration, for so many calls at once; nothing when
  // it has none of that name.
  std::function<Result<std::optional<blockstore::AsyncStore>>(const std::string& name, int calls)>
      open_store;
  // Who carries the units of a split out; null: this process.
  std::function<Result<std::unique_ptr<UnitEngine>>(const SplitRequest&)> make_unit_engine{};
  async::milliseconds timeout{30'000};  // of one request, where the run's options have none
  std::string version{};                // of pegmove, for certificates

  Result<std::optional<blockstore::AsyncStore>> find_store(const std::string& name) const {
    return open_store(name, kCalls);
  }
  // Errors: kNotFound when the configuration does not have it, naming what helps.
  Result<blockstore::AsyncStore> get_store(const std::string& name, int calls = kCalls) const;

  static constexpr int kCalls = 4;
};

}  // namespace pegmove::migration
