// Ships the log of one partition to one other cluster: a duplication of a partition.
//
//   read a piece of the log -> wait for the target's clocks -> DUPLICATE requests -> the next piece
//
// Each target partition has at most one request under way, and entries go in the order of their
// decrees: so the order of the writes of each key is kept. With equal partition counts all entries
// of a piece belong to one target partition; with other counts they are grouped by their keys. A
// request that fails is repeated, with the same entries, until it is carried out: at once when its
// connection was closed, else after 10 ms to 1 s. What the target refuses as too large is cut
// smaller. After a restart shipping begins behind the decree that the meta server has noted, so
// entries may arrive twice, in the same order. Each names its position in the log, by which an
// embedded target skips what it has; a real one carries it out again.
#pragma once

#include <functional>
#include <mutex>
#include <span>

#include "duplication/node_requests.h"
#include "server/replica/duplication/shipped_log.h"
#include "shipping/entries.h"
#include "shipping/server_clocks.h"
#include "shipping/target_table.h"

namespace pegmove::server::replica {

// What all shippers of a node share. The parts must outlive the shippers.
struct Shipping {
  asio::any_io_executor executor;
  client::Client& client;
  shipping::ServerClocks& clocks;
  std::function<void(std::string_view point)> on_failpoint = {};  // shipping_failpoints.h
  uint8_t cluster_id = 0;  // of this cluster in its [duplication-group]; 0: nothing can be shipped
  size_t most_piece_bytes = 512 << 10;    // of requests' bodies that are read at once
  size_t most_request_bytes = 768 << 10;  // below max_allowed_write_size, by default 1 MiB
};

// All on the executor, except progress() and assignment(). Order: start(); ...; stop(); co_await
// join(); destroy. Shared with what calls it from other threads.
class Shipper : public std::enable_shared_from_this<Shipper> {
 public:
  Shipper(const Shipping& shipping, std::unique_ptr<ShippedLog> log, Gpid gpid,
          duplication::Assignment assignment, std::shared_ptr<shipping::TargetTable> table,
          Logger log_lines);

  void start() { tasks_.spawn(run()); }
  // The same duplication, perhaps in another state. Precondition: the same target.
  void assign(duplication::Assignment assignment);
  // There may be something to ship.
  void wake() { changed_.notify(); }
  // Requests under way are not waited for.
  void stop() { tasks_.stop(); }
  Routine<> join() { co_await tasks_.join(); }  // no result

  // From any thread.
  duplication::Assignment assignment() const;
  duplication::Progress progress() const;

 private:
  Routine<> run();
  Routine<bool> ship(const store::LogPiece& piece);
  Task<> ship_all(std::span<const shipping::ShippedEntry> entries, wire::DuplicateSource source);
  // Entries of one partition of the target, which has `partition_count` of them.
  struct Group {
    int32_t index;
    int32_t partition_count;
    std::span<const shipping::ShippedEntry> entries;
    wire::DuplicateSource source;
  };
  Task<> ship_group(Group group);
  Task<size_t> ship_some(Group group);
  Task<> attempt(Group batch, async::milliseconds most_wait);
  Task<> wait_for_clocks(const shipping::TargetPartition& target, int64_t timestamp_us);
  Task<> send(const shipping::TargetPartition& target, Group batch, async::milliseconds most_wait);
  Result<void> check(const shipping::TargetPartition& target, const net::IncomingReply& reply);
  bool shrink_requests(std::span<const shipping::ShippedEntry> batch);
  void failpoint(std::string_view point) const {
    if (shipping_.on_failpoint) shipping_.on_failpoint(point);
  }
  bool may_ship() const;
  bool continues() const { return !tasks_.stopped() && may_ship(); }
  int64_t position() const;
  void advance(int64_t decree);
  void note(std::string waits_for);
  void end_with(const Error& error);
  Routine<> pause(int failures);

  const Shipping shipping_;
  const std::unique_ptr<ShippedLog> log_;
  const Gpid gpid_;
  const std::shared_ptr<shipping::TargetTable> table_;  // shared with the table's other partitions
  Logger log_lines_;
  size_t most_request_bytes_;
  async::Event changed_;
  async::TaskGroup tasks_;

  mutable std::mutex mutex_;  // guards what follows
  duplication::Assignment assignment_;
  int64_t shipped_decree_ = 0;
  std::string waits_for_;
  std::string error_;
};

}  // namespace pegmove::server::replica
