// The scans that clients have open on a partition: each keeps a snapshot until it is read to its
// end, cleared, or idle for too long.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>

#include "async/clock.h"
#include "data_types.h"
#include "store/partition_db.h"
#include "wire/thrift_codec.h"

namespace pegmove::server::replica {

struct Scan {
  wire::get_scanner_request request;  // with its range narrowed
  bool confined = false;              // to the hash key of the start key
  std::string confined_to;            // raw key prefix of that hash key
  std::unique_ptr<store::Cursor> cursor;
  size_t last_reply_bytes = 0;
};

// Ids are used once: each reply has a new one. They are positive and begin at a random number, so
// that an id of an earlier process, or of another server, is not mistaken for one of this server.
// Thread-safe.
class ScanContexts {
 public:
  explicit ScanContexts(Clock& clock);

  int64_t put(std::unique_ptr<Scan> scan);
  // nullptr: unknown, used before, or expired.
  std::unique_ptr<Scan> take(int64_t id);
  // Drops contexts that have been idle for five minutes.
  void drop_idle();
  void clear();
  size_t size();

 private:
  struct Held {
    std::unique_ptr<Scan> scan;
    async::Instant last_used;
  };

  Clock& clock_;
  std::mutex mutex_;
  int64_t next_id_;
  std::unordered_map<int64_t, Held> held_;
};

}  // namespace pegmove::server::replica
