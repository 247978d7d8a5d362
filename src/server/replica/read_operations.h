// Reads of single rows and of one hash key, with the semantics, limits and status numbers of real
// servers (Pegasus: src/server/pegasus_server_impl.cpp): GET, TTL, BATCH_GET, MULTI_GET,
// SORTKEY_COUNT.
#pragma once

#include "server/replica/replica.h"

namespace pegmove::server::replica {

// Limits of real servers' default configuration.
inline constexpr int32_t kMultiGetMostRows = 3000;         // rocksdb_multi_get_max_iteration_count
inline constexpr int64_t kMultiGetMostBytes = 30ll << 20;  // rocksdb_multi_get_max_iteration_size

// The body of the reply. Errors: kProtocol when the request's body does not decode; kCorrupt and
// kIo from the database.
Result<std::string> answer(const ReadContext& context, const Clock& clock, wire::RpcCode code,
                           std::string_view body);

// The time that one iteration may take; the clock is read only now and then.
class IterationTime {
 public:
  IterationTime(const ReadContext& context, const Clock& clock)
      : clock_(clock),
        is_limited_(context.iteration_time.count() > 0),
        deadline_(Deadline::in(clock, context.iteration_time)) {}
  bool is_over(int64_t iterated) const {
    return is_limited_ && iterated % 256 == 255 && deadline_.passed(clock_);
  }

 private:
  const Clock& clock_;
  bool is_limited_;
  Deadline deadline_;
};

// How filters of scans and multi_get match. An empty pattern matches everything.
bool is_filter_type(int type);
bool matches(int filter_type, std::string_view pattern, std::string_view text);

}  // namespace pegmove::server::replica
