// Whether and when a request to a partition is carried out: app envs that deny and throttle, and
// the partition hash after a split. In Pegasus's order: deny, hash, throttles. Pegasus:
// src/replica/replica_throttle.cpp, replica::on_client_read and on_client_write.
//
// A secondary answers backup requests, which are reads; clients that send it others learn with
// ERR_INVALID_STATE that they have to look for the primary.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "async/clock.h"
#include "base/token_bucket.h"
#include "server/replica/table_envs.h"
#include "service/throttle.h"
#include "wire/frame.h"

namespace pegmove::server::replica {

struct Admission {
  enum class Kind {
    kPass,    // carry it out after the pause
    kRefuse,  // answer with `error` after the pause
    kDrop,    // never answer
  };
  Kind kind = Kind::kPass;
  wire::ErrorCode error = wire::ErrorCode::kOk;
  async::milliseconds pause{0};
};

// What a server is for a partition.
enum class Role { kPrimary, kSecondary };

// The largest write request: `max_request_size`, 0 = no limit. Real sources close a DUPLICATE
// request when its entries' bodies have that many bytes, and the last one and the entries' heads
// come on top: a real target refuses such a request again and again. Here they may be four times as
// large.
size_t most_request_size(std::string_view rpc_name, size_t max_request_size);

// Safe from any thread.
class AdmissionControl {
 public:
  // max_request_size: of writes, 0 = no limit; refused larger ones do not count against throttles.
  AdmissionControl(Gpid gpid, Clock& clock, size_t max_request_size)
      : gpid_(gpid), clock_(clock), max_request_size_(max_request_size) {}

  void configure(const TableEnvs& envs, int32_t partition_count);

  // `role`: of the server that received the request.
  Admission read(const wire::RequestHead& head, Role role = Role::kPrimary);
  Admission write(const wire::RequestHead& head, Role role = Role::kPrimary);
  // Counts a finished read against replica.read_throttling_by_size.
  void count_read(size_t reply_bytes);

 private:
  struct Limits {
    std::optional<base::DenyRule> deny;
    bool validate_partition_hash = false;
    int32_t partition_count = 1;
    service::ThrottleWindow writes, write_bytes, reads, backup_reads;
    // The cost of a read is known, and charged, when it is done: bytes per second, 0 = no limit.
    base::TokenBucket read_bytes{std::chrono::seconds(1)};
  };
  std::optional<Admission> refuse_first(const wire::RequestHead& head, bool is_write) const;

  Gpid gpid_;
  Clock& clock_;
  size_t max_request_size_;
  std::atomic<bool> acts_ = false;  // most tables have none of these envs
  std::mutex mutex_;                // guards limits_
  Limits limits_;
};

}  // namespace pegmove::server::replica
