// What a shipper reads: the log of one partition. The partition's replica is behind it
// (duplication_runner.cc); tests have logs of their own.
#pragma once

#include <memory>

#include "async/task.h"
#include "server/replica/duplication/duplication_metrics.h"
#include "store/duplication_log.h"

namespace pegmove::server::replica {

class ShippedLog {
 public:
  virtual ~ShippedLog() = default;

  // On the shipper's executor: the writes after the decree `after`, as many as have `most_bytes`
  // of bodies, and at least one if there is one. They are durable: no power cut takes back what was
  // read. Errors: kCorrupt, naming the decrees, for a hole or damage, or when the log begins later
  // than `after`: asking again does not help. Others may pass: kNotFound when the partition is not
  // open, kIo.
  virtual Task<store::LogPiece> read(int64_t after, size_t most_bytes) = 0;
  // From any thread, cheap. What waits after the decree; nothing when the partition is not open.
  virtual store::LogBacklog backlog(int64_t after) const = 0;
  // From any thread. Of the partition's last successful write; 0 when the partition is not open.
  virtual int64_t last_decree() const = 0;
  // From any thread. Null when the partition is not open.
  virtual std::shared_ptr<DuplicationMetrics> metrics() const = 0;
};

}  // namespace pegmove::server::replica
