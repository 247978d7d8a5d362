// What all runs share that tell a cluster to do something and watch it.
#pragma once

#include <functional>
#include <utility>

#include "async/stop_signal.h"
#include "client/cluster.h"
#include "migration/run_keeper.h"

namespace pegmove::migration {

template <typename Progress>
class Watch {
 protected:
  // All outlive it.
  Watch(RunKeeper& run, client::Cluster& cluster, async::milliseconds timeout,
        const async::StopSignal& stop, const std::function<void(const Progress&)>& on_progress)
      : run_(run),
        cluster_(cluster),
        stop_(stop),
        clock_(cluster.client().clock()),
        timeout_(timeout),
        on_progress_(on_progress),
        began_(clock_.now()) {}

  // Of one request.
  Deadline deadline() const { return Deadline::in(clock_, timeout_); }
  async::milliseconds elapsed() const {
    return std::chrono::duration_cast<async::milliseconds>(clock_.now() - began_);
  }
  // Once a second, and at the end.
  void tell(const Progress& progress, bool is_last) {
    if (!on_progress_ || (!is_last && clock_.now() - told_ < async::milliseconds(1000))) return;
    told_ = clock_.now();
    on_progress_(progress);
  }

  RunKeeper& run_;
  client::Cluster& cluster_;
  const async::StopSignal& stop_;
  Clock& clock_;

 private:
  async::milliseconds timeout_;
  const std::function<void(const Progress&)>& on_progress_;
  async::Instant began_;
  async::Instant told_{};
};

}  // namespace pegmove::migration
