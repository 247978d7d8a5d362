// What backups, policies, restores and bulk loads of the meta server share.
#pragma once

#include <functional>
#include <string>

#include "async/pool.h"
#include "async/task_group.h"
#include "backup/node_requests.h"
#include "blockstore/async_store.h"
#include "blockstore/store_set.h"
#include "server/meta/backup/backup_records.h"
#include "server/meta/catalog/app_catalog.h"
#include "server/meta/node_port.h"
#include "server/meta/store/meta_store.h"
#include "wire/error_code.h"

namespace pegmove::server::meta {

struct BackupOptions {
  std::string cold_backup_root;          // the cluster's folder in a store; as a rule its name
  blockstore::Providers providers = {};  // none: all requests about backups are refused
  backup::FailpointListener on_failpoint = {};
};

// On the meta server's executor. Values, catalog, nodes and clock outlive it.
class BackupContext {
 public:
  BackupContext(asio::any_io_executor executor, MetaStore& values, AppCatalog& catalog,
                NodePort& nodes, BackupState records, BackupOptions options, Clock& clock,
                Logger log);

  // Ends what is under way, so that a later start goes on with it.
  void stop();
  Routine<> join();
  bool stopped() const { return tasks.stopped(); }

  // With patience for a store that is away; or without, for whoever waits for an answer. Errors:
  // kNotFound, kInvalidArgument: there is no such provider, or it is configured wrongly.
  enum class Patience { kMinutes, kNone };
  Result<blockstore::AsyncStore> store(const std::string& provider,
                                       Patience patience = Patience::kMinutes);
  // Keeps the app envs of a backup's tables beside it, which Pegasus does not.
  Task<> write_envs(blockstore::AsyncStore store, backup::Place place,
                    backup::BackupInfo info) const;
  // Tries again while a store is away, until `is_over`. The last outcome. The log and `tell` hear
  // why it waits; in the end `tell` hears "".
  Task<> patiently(std::string doing, std::function<Task<>()> attempt,
                   std::function<bool()> is_over, std::function<void(const std::string&)> tell);
  // Three ways to bring values to the disk, whose order is that of the calls. False, and a line in
  // the log, when they could not be written (`doing` says what was being done).
  // For what a job cannot go on without: holds up the caller, not the meta server.
  Routine<bool> save(MetaBatch batch, std::string doing);
  // For what somebody has asked for: holds up the meta server, so that nothing comes between.
  bool save_now(MetaBatch batch, std::string_view doing);
  // For what would be found again after a kill: together with the next others, or in a second.
  void save_soon(MetaBatch batch);
  void failpoint(std::string_view name) const {
    if (options.on_failpoint) options.on_failpoint(name);
  }
  int64_t now_ms() const { return clock.unix_us() / 1000; }

  MetaStore& values;
  AppCatalog& catalog;
  NodePort& nodes;
  BackupState records;
  BackupOptions options;
  Clock& clock;
  Logger log;
  blockstore::StoreSet stores;
  async::TaskGroup tasks;

 private:
  bool is_saved(Result<void> outcome, std::string_view doing) const;
  Routine<> flush_soon();
  Routine<> flush_last_soon();

  MetaStore::Ticket last_soon_;  // what save_soon() was given last, if it may not be on the disk
  bool is_flushing_soon_ = false;
  async::Pool saving_{1};  // waits for the disk of the values
  async::Pool pool_{2};    // goes first: its work may use the stores
};

// As a meta server answers it.
wire::ErrorCode wire_code_of(const Error& error);

}  // namespace pegmove::server::meta
