// The addresses of host names: a cache of look-ups with a maximum age.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "async/clock.h"
#include "async/pool.h"
#include "async/task_group.h"
#include "net/address.h"

namespace pegmove::net {

struct HostNamesOptions {
  // The usual TTL of DNS answers in Kubernetes clusters.
  async::milliseconds longest_age{30'000};
  // After a failure: when a node disappears, many calls fail at once, and one look-up serves all of
  // them.
  async::milliseconds shortest_age{1'000};
  // How long to wait for a new answer when there is an old one: a name server may be unreachable.
  async::milliseconds longest_wait{2'000};
  // Beyond it the least recently used name is removed. More than any cluster has nodes.
  size_t most_names = 4096;
};

// All on one executor. A look-up blocks its own thread; each name has at most one at a time. Order:
// ...; stop(); co_await join(); destroy.
class HostNames {
 public:
  using LookUp = std::function<Result<std::vector<Address>>(const HostPort&)>;

  HostNames(asio::any_io_executor executor, Clock& clock, LookUp look_up = net::look_up,
            HostNamesOptions options = {});
  ~HostNames();

  // All addresses of the host, at least one, in the order in which to try them: new ones first,
  // those that failed last. An old answer is still returned while the name is looked up again;
  // after a failure the call waits for the new one. When that fails, the old answer is used. IPv4
  // addresses are not looked up. Errors: kUnreachable, naming the host; kTimeout; kInterrupted
  // after stop(). Repeatable. A stop of the caller's task group does not end it before the
  // deadline.
  Task<std::vector<Address>> resolve(HostPort host, Deadline deadline);

  // Reports that the server is not at this address of the host, or does not answer there.
  void failed(const HostPort& host, Address address);

  void stop();
  Routine<> join();

  size_t known() const { return names_.size(); }

 private:
  struct Name;
  std::shared_ptr<Name> name_of(const std::string& host);
  void forget_one();
  bool is_due(const Name& name) const;
  Routine<> ask(std::string host, std::shared_ptr<Name> name);
  Routine<> wait_for_answer(std::shared_ptr<Name> name, Deadline deadline);

  Clock& clock_;
  LookUp look_up_;
  HostNamesOptions options_;
  std::map<std::string, std::shared_ptr<Name>> names_;  // shared with waiters for an answer
  uint64_t uses_ = 0;
  async::TaskGroup tasks_;
  async::Pool pool_{1};
};

}  // namespace pegmove::net
