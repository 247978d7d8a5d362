// What a cutover sees of one cluster's table, and of a relay on the way to the other one. Behind
// it: hot/cluster_side.h, and for the simulation hot/sim_pair_test.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "async/clock.h"
#include "async/task.h"

namespace pegmove::migration::hot {

// A server that has a replica of a partition and answers requests for it.
struct Member {
  std::string node{};  // "10.0.0.1:34801"
  bool is_primary = false;
  bool operator==(const Member&) const = default;
};

// A partition as the meta server's configuration has it. The meta server decides who is a member
// and raises the ballot with each change, before the change acts: equal views before and after
// something mean that nobody has become or ceased to be a member in between.
struct PartitionView {
  int64_t ballot = 0;
  std::vector<Member> members{};  // the primary first; no primary in it: nobody serves it now
  bool operator==(const PartitionView&) const = default;
};
using TableView = std::vector<PartitionView>;  // by partition

enum class Probe {
  // A read of a key that does not exist, of primaries and, as a backup request, of secondaries.
  kRead,
  // A remove of a key that does not exist and belongs to the partition: primaries only. It takes a
  // decree and is shipped. For fences that leave reads open.
  kWrite,
};
enum class ProbeAnswer {
  kServed,  // "no such key" among them
  kDenied,  // ERR_INVALID_STATE: what `reconfig*` answers, but also who is no member (any more)
  kElse,    // no answer in time, another error: nothing is known
};

// The duplication that carries the side's writes to the other one.
struct Shipping {
  int32_t dup_id = 0;    // Unix seconds of its creation: unique only within a table
  std::string remote{};  // the cluster's name, or the relay's, as the side's servers know it
  bool operator==(const Shipping&) const = default;
};

// A partition's decrees as its primary knows them: remote command `replica.query-progress`.
// The meta server's view of them hides a backlog (docs/duplication.md).
struct PartitionProgress {
  int32_t partition = 0;
  std::string node{};          // who answered, as primary
  int64_t max_prepared = 0;    // of all writes that a server has accepted
  int64_t last_committed = 0;  // of those that are acknowledged, or will be
  int64_t last_applied = 0;
  int64_t confirmed = -1;  // replica_confirmed_decree of the duplication: the target has it
  // What the meta server has on its disk of `confirmed`: after a failover shipping begins behind
  // it. The smaller one of meta_persisted_decree and of what the meta server answers.
  int64_t persisted = -1;
  bool operator==(const PartitionProgress&) const = default;
};

// What a server's clock showed when it answered: Unix time, at least and at most.
struct SideTime {
  std::string node{};
  int64_t least_us = 0;
  int64_t most_us = 0;
};

// All on one executor. Calls do not retry by themselves beyond what their transport does, and may
// be repeated. A call whose answer was lost may still be carried out later. Errors of all:
// kUnreachable, kTimeout, naming the server; kNotFound: no such table.
class Side {
 public:
  virtual ~Side() = default;

  // The current configuration of all partitions, from the primary meta server.
  virtual Task<TableView> view(Deadline deadline) = 0;
  // One request to this server, without retries and without asking where the partition is.
  virtual Routine<ProbeAnswer> probe(int32_t partition, Member member, Probe probe,
                                     Deadline deadline) = 0;
  // Of the primaries of this view. A partition that is missing, whose server does not answer, or
  // does not know the duplication (real servers for 11 s after a start), is missing in the answer:
  // that is no error, and no proof of anything.
  virtual Task<std::vector<PartitionProgress>> progress(TableView view, Shipping shipping,
                                                        Deadline deadline) = 0;

  // Sets the env replica.deny_client_request ("reconfig*all"). Servers act on it one by one, within
  // envs_act_within() unless they miss a round.
  virtual Task<> deny(std::string value, Deadline deadline) = 0;
  // Deletes the env. Servers act on that as above.
  virtual Task<> allow(Deadline deadline) = 0;
  // The env's value at the meta server; nullopt: there is none.
  virtual Task<std::optional<std::string>> denied(Deadline deadline) = 0;
  // 30 s on real servers, 0 on embedded ones.
  virtual async::milliseconds envs_act_within() const = 0;

  // The clocks of all servers that run, whether they have replicas of the table or not. Errors: one
  // does not answer, or does not say its time (kProtocol).
  virtual Task<std::vector<SideTime>> times(Deadline deadline) = 0;

  // "onebox (table t)": for texts.
  virtual const std::string& name() const = 0;
};

// A relay between a side and the other one: it may have requests under way that the side's servers
// take for lost, and forward them late. All calls may be repeated; errors as above.
class Relay {
 public:
  virtual ~Relay() = default;
  // Refuses all requests from now on, retryably, and answers how many are still under way (of all
  // its processes). Sealed relays stay sealed through restarts.
  virtual Task<int64_t> seal(Deadline deadline) = 0;
  virtual Task<> unseal(Deadline deadline) = 0;
};

}  // namespace pegmove::migration::hot
