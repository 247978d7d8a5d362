// The work of duplications: tells the nodes of each partition what to ship, notes what the targets
// have confirmed, and makes the target tables of full duplications.
//
//   DS_PREPARE --> DS_APP --> DS_LOG <--> DS_PAUSE
//
// In DS_PREPARE the nodes make checkpoints and the target table is created; in DS_APP its
// partitions fetch the checkpoints; in DS_LOG the nodes ship. Each step is repeatable, and is
// repeated until it succeeds or the duplication is removed. Pegasus:
// src/meta/duplication/meta_duplication_service.cpp (do_create_follower_app_for_duplication,
// do_check_follower_app_if_create_completed).
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "duplication/node_requests.h"
#include "net/address.h"
#include "server/meta/backup/backup_context.h"
#include "server/meta/duplication/duplication_records.h"
#include "server/meta/duplication/follower.h"

namespace pegmove::server::meta {

struct DuplicationOptions {
  std::string cluster_name;                                         // our own
  std::map<std::string, uint8_t> group = {};                        // [duplication-group]
  std::map<std::string, std::vector<net::HostPort>> clusters = {};  // [pegasus.clusters]
};

// How target tables are made on other clusters: the functions of follower.h with a client; tests
// have others.
struct FollowerPort {
  std::function<std::string()> own_metas;  // our meta server as "host:port"
  // The request outlives the tasks.
  std::function<Task<>(const FollowerRequest& request, Deadline deadline)> check_absent;
  std::function<Task<>(const FollowerRequest& request, std::string status, Deadline deadline)>
      create;
  std::function<Task<>(const FollowerRequest& request, Deadline deadline)> check;
};

// On the context's executor. The context, the records (which it updates) and the options outlive
// it.
class DuplicationWork {
 public:
  DuplicationWork(BackupContext& context, DuplicationState& records,
                  const DuplicationOptions& options, FollowerPort follower)
      : context_(context), records_(records), options_(options), follower_(std::move(follower)) {}

  // Looks at the progress each second, until the context is stopped.
  void watch();
  // Makes the target table, if the duplication is in DS_PREPARE or DS_APP and nobody does so
  // already.
  void follow(int32_t app_id, int32_t id);
  // All partitions of the table, or one, get their present assignments.
  void send(int32_t app_id);
  void send(Gpid gpid);
  // Until release() the nodes of the table get nothing, so that no log that a new duplication needs
  // is dropped. Not nested.
  void hold(int32_t app_id) { held_.insert(app_id); }
  void release(int32_t app_id);
  bool is_held(int32_t app_id) const { return held_.contains(app_id); }
  // Whether it is worked on: its record must stay.
  bool is_busy(int32_t app_id) const;

  // The decree up to which the target has everything, and what hinders it, as the node knows it
  // now.
  duplication::Progress progress(const DuplicationRecord& record, size_t partition) const;
  // Why a target table is not complete, or another table hinders it; empty: nothing hinders it.
  std::string waits_for(const DuplicationRecord& record) const;
  // A record of another table that names the same target table: two tables must not ship to one.
  // Dropped tables may be recalled. Null when there is none.
  enum class Others { kAvailable, kDroppedToo };
  const DuplicationRecord* rival(const DuplicationRecord& record, Others others) const;
  // For people. `rival` is the other record.
  std::string rival_text(const DuplicationRecord& rival) const;

 private:
  using Key = std::pair<int32_t, int32_t>;  // app id, id
  struct Following {
    bool has_checkpoints = false;  // made in this process
    std::string waits_for;
  };
  Routine<> watch_loop();
  Routine<> look();
  Routine<> follow_loop(Key key);
  // The next step of a duplication that is_followed().
  Task<> step(Key key);
  Task<> prepare(Key key);
  Task<> complete(Key key);
  Task<> make_checkpoints(Key key);
  Task<> check_absent(Key key);
  Task<std::vector<int64_t>> checkpoint_partitions(Key key);
  bool is_followed(Key key) const;
  // kInterrupted when it is not followed any more.
  Result<void> still(Key key) const;
  Result<void> change_status(Key key, wire::duplication_status status);
  // Of another cluster; none when the configuration does not have it.
  std::vector<net::HostPort> metas_of(const std::string& cluster) const;
  FollowerRequest request(const DuplicationRecord& record) const;
  std::vector<duplication::Assignment> assignments(Gpid gpid) const;

  BackupContext& context_;
  DuplicationState& records_;
  const DuplicationOptions& options_;
  FollowerPort follower_;
  std::set<int32_t> held_;
  std::map<Key, Following> following_;
};

}  // namespace pegmove::server::meta
