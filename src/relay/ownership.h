// Which relay forwards which partition of the source: one at a time, by ephemeral nodes in
// ZooKeeper.
//
//   FOLDER          what the relays below it do; a relay that does something else refuses to begin
//   FOLDER/3        ephemeral: the owner of source partition 3, with its address. Its epoch
//                   (routes::Node) is the ballot that sources are answered
//   FOLDER/sealed   while it exists, no relay takes new requests
//
// The epoch is ZooKeeper's number of the change that made the node (czxid), and no counter of ours:
// it rises with each owner, costs no further node, and cannot be written by mistake. A ZooKeeper
// that is set up from nothing begins at low numbers again. By Pegasus's code sources take those
// when a request has failed meanwhile (partition_resolver_simple::on_access_failure drops what it
// knows); recorded is that only for an equal number.
//
//   another's or nobody's -> ours, waiting (kSuccessorsWait) -> ours, forwarding
//         ^------------------------- the node is gone, or the session ---------'
//
// A relay whose session may have ended (SessionNodes::sure_until()) forwards nothing. A new owner
// waits until the longest forward of the one before it is over, and has read since whether there is
// a seal: the one before it may have been the proof of one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "async/task_group.h"
#include "base/log.h"
#include "net/address.h"
#include "relay/target.h"
#include "routes/nodes.h"

namespace pegmove::relay {

struct OwnershipOptions {
  std::string folder;  // as relay_folder() makes it
  std::string duty;    // the text of FOLDER: which tables, and how many partitions
  int32_t partitions = 0;
  net::HostPort address;  // of this relay, for sources and other relays
  // How often ZooKeeper is asked whether the session exists; less than half a session's timeout.
  async::milliseconds confirm_interval{1'000};
};

struct Owner {
  net::HostPort address;
  int64_t epoch = 0;
  bool is_ours = false;
};

// ROOT/SOURCE/TABLE/TARGET. Errors: kInvalidArgument for a name that no node can have.
Result<std::string> relay_folder(const std::string& root, std::string_view source,
                                 std::string_view table, std::string_view target);
std::string owner_path(const std::string& folder, int32_t partition);
std::string seal_path(const std::string& folder);
// The address in an owner's node. Errors: kCorrupt.
Result<net::HostPort> parse_owner(std::string_view data);

// All on one executor. Order: start(); ...; stop(); co_await join(); destroy. The nodes stay until
// the session of `nodes` ends: close it after join(), so that another relay can take over.
class Ownership : public routes::NodesListener {
 public:
  Ownership(asio::any_io_executor executor, Clock& clock, routes::SessionNodes& nodes,
            OwnershipOptions options, Logger log);

  void start();
  void stop();
  Routine<> join();

  // The epoch under which this relay may forward writes of the partition now. Ask before each
  // request. Errors: kRefused, another relay owns it or none is known to; kBusy, not yet, or not
  // while ZooKeeper does not answer.
  Result<int64_t> may_forward(int32_t partition) const;
  // nullopt: none is known. The last one that was, while ZooKeeper does not answer.
  const std::optional<Owner>& owner(int32_t partition) const {
    return partitions_[size_t(partition)].owner;
  }
  // Asks ZooKeeper whether the session exists, before what may_forward() allows is done after a
  // rest. Errors: it does not answer, or the session has ended.
  Task<> confirm() { return nodes_.confirm_session(deadline()); }
  int32_t owned() const;
  // Looks at ZooKeeper now, and not when the next second is over: for who waits for the seal.
  void look_soon() { due_.notify(); }
  bool is_sealed() const { return is_sealed_; }
  const std::string& folder() const { return options_.folder; }
  // What the last look has ended with. Errors: why not everything is known; kRefused: the folder is
  // for other relays, or ZooKeeper forbids it.
  const Result<void>& looked() const { return looked_; }
  // The same for people; empty: everything is known.
  std::string problem() const { return looked_ ? "" : looked_.error().to_string(); }

  void node_changed(const std::string& path) override;
  void connection_changed() override;

 private:
  struct Partition {
    std::optional<Owner> owner{};
    async::Instant owned_since{};
    int64_t owned_in = 0;  // the look that has found this owner
    bool is_due = true;
  };
  Routine<> keep_looking();
  Routine<> tick();
  Task<> look();
  Task<> look_at_due(int32_t partition);
  Task<> look_at(int32_t partition);
  Task<> make_folder();
  void take(int32_t partition, const std::optional<routes::Node>& node);
  void note(Result<void> looked);
  Deadline deadline() const;

  Clock& clock_;
  routes::SessionNodes& nodes_;
  const OwnershipOptions options_;
  Logger log_;
  std::vector<Partition> partitions_;
  bool has_folder_ = false;
  bool is_looking_ = false;
  int64_t looks_ = 0;
  int64_t seal_read_in_ = 0;  // the look
  bool is_sealed_ = false;
  Result<void> looked_;
  async::Event due_;
  async::TaskGroup tasks_;
};

}  // namespace pegmove::relay
