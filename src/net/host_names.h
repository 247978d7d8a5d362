// The addresses of host names: what was looked up, for as long as it may be believed.
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
  // As long as the DNS of Kubernetes clusters lets its answers be believed.
  async::milliseconds longest_age{30'000};
  // After a failure: when a node goes, many calls fail at once, and one look-up serves all of them.
  async::milliseconds shortest_age{1'000};
  // With an old answer at hand a new one is waited for so long: a name server may be away.
  async::milliseconds longest_wait{2'000};
  // The name that was used longest ago goes. More than any cluster has nodes.
  size_t most_names = 4096;
};

// All on one executor. A look-up blocks a thread of its own; of one name there is one at a time.
// Order: ...; stop(); co_await join(); destroy.
class HostNames {
 public:
  using LookUp = std::function<Result<std::vector<Address>>(const HostPort&)>;

  HostNames(asio::any_io_executor executor, Clock& clock, LookUp look_up = net::look_up,
            HostNamesOptions options = {});
  ~HostNames();

  // All addresses of the host, at least one, in the order in which to try them: new ones first,
  // those that failed last. An old answer is still given while it is looked up again; after a
  // failure the new one is waited for. When none can be had, an old answer counts. IPv4 addresses
  // are not looked up.
  // Errors: kUnreachable, naming the host; kTimeout; kInterrupted after stop(). May be repeated. A
  // stop of the caller's task group does not end it before the deadline.
  Task<std::vector<Address>> resolve(HostPort host, Deadline deadline);

  // Whoever was sought is not at this address of the host, or does not answer there.
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

  asio::any_io_executor executor_;
  Clock& clock_;
  LookUp look_up_;
  HostNamesOptions options_;
  std::map<std::string, std::shared_ptr<Name>> names_;  // shared with those who wait for an answer
  uint64_t uses_ = 0;
  async::TaskGroup tasks_;
  async::Pool pool_{1};
};

}  // namespace pegmove::net
