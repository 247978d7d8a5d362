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

// How long to wait before an unreachable store is asked again.
inline constexpr async::milliseconds kWaitForStore{5'000};

struct BackupOptions {
  std::string cold_backup_root;          // the cluster's folder in a store; normally its name
  blockstore::Providers providers = {};  // none: all requests about backups are refused
  backup::FailpointListener on_failpoint = {};
  // For tests: one-time backups as in a real meta server that has lost the answer of a partition
  // (backup/finish.h). app_metadata is written first and backup_info never, no other backup of the
  // table can start, and the server forgets the backup when it stops.
  bool never_ends = false;
};

// On the meta server's executor. Values, catalog, nodes and clock outlive it.
class BackupContext {
 public:
  BackupContext(asio::any_io_executor executor, MetaStore& values, AppCatalog& catalog,
                NodePort& nodes, BackupState records, BackupOptions options, Clock& clock,
                Logger log);

  // Stops running work, so that a later start resumes it.
  void stop();
  Routine<> join();
  bool stopped() const { return tasks.stopped(); }

  // kMinutes: waits for an unreachable store; kNone: does not, for callers that wait for an answer.
  // Errors: kNotFound, kInvalidArgument: there is no such provider, or it is configured wrongly.
  enum class Patience { kMinutes, kNone };
  Result<blockstore::AsyncStore> store(const std::string& provider,
                                       Patience patience = Patience::kMinutes);
  // Stores the app envs of a backup's tables beside it, which Pegasus does not.
  Task<> write_envs(blockstore::AsyncStore store, backup::Place place,
                    backup::BackupInfo info) const;
  // Retries while a store is unreachable, until `is_over`. Returns the last outcome. Logs why it
  // waits and passes that to `report`; at the end it calls `report` with "".
  Task<> patiently(std::string doing, std::function<Task<>()> attempt,
                   std::function<bool()> is_over, std::function<void(const std::string&)> report);
  // Three ways to write values to disk, in the order of the calls. False, and a line in the log,
  // when they could not be written (`doing` says what was being done). For values that a job
  // depends on: blocks the caller, not the meta server.
  Routine<bool> save(MetaBatch batch, std::string doing);
  // For requests: blocks the meta server, so that nothing comes between.
  bool save_now(MetaBatch batch, std::string_view doing);
  // For values that can be reconstructed after a kill: written with the next batch, or within a
  // second.
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

  MetaStore::Ticket last_soon_;  // the last batch of save_soon(), if it may not be on disk
  bool is_flushing_soon_ = false;
  async::Pool saving_{1};  // waits for the disk of the values
  async::Pool pool_{2};    // destroyed first: its work may use the stores
};

// The code that a meta server answers for it.
wire::ErrorCode wire_code_of(const Error& error);

}  // namespace pegmove::server::meta
