#include "net/host_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "async/wait_until.h"

namespace pegmove::net {
namespace {

bool has(const std::vector<uint32_t>& addresses, uint32_t ipv4) {
  return std::ranges::find(addresses, ipv4) != addresses.end();
}

// New addresses, then the known ones in their previous order.
std::vector<uint32_t> merge(const std::vector<uint32_t>& known, const std::vector<Address>& found) {
  std::vector<uint32_t> merged;
  for (auto address : found)
    if (!has(merged, address.ipv4) && !has(known, address.ipv4)) merged.push_back(address.ipv4);
  for (auto ipv4 : known)
    if (std::ranges::find(found, ipv4, &Address::ipv4) != found.end()) merged.push_back(ipv4);
  return merged;
}

}  // namespace

struct HostNames::Name {
  std::vector<uint32_t> addresses{};  // in the order in which to try them
  std::optional<Error> error{};       // of the last look-up
  async::Instant answered_at{};       // when that ended
  bool was_answered = false;
  bool has_failed = false;  // since the last look-up that found addresses
  bool being_asked = false;
  async::Event answered{};
  uint64_t last_use = 0;
};

HostNames::HostNames(asio::any_io_executor executor, Clock& clock, LookUp look_up,
                     HostNamesOptions options)
    : clock_(clock), look_up_(std::move(look_up)), options_(options), tasks_(std::move(executor)) {}

HostNames::~HostNames() = default;

Task<std::vector<Address>> HostNames::resolve(HostPort host, Deadline deadline) {
  if (auto ipv4 = parse_ipv4(host.host)) co_return std::vector{Address{*ipv4, host.port}};
  auto name = name_of(host.host);
  if (!name->being_asked && is_due(*name)) {
    name->being_asked = true;
    tasks_.spawn(ask(host.host, name));
  }
  if (name->addresses.empty())
    co_await wait_for_answer(name, deadline);  // no result
  else if (name->has_failed)
    co_await wait_for_answer(  // no result
        name, deadline.earlier(Deadline::in(clock_, options_.longest_wait)));
  if (tasks_.stopped()) co_return fail(Code::kInterrupted, "the client has been closed");
  if (name->addresses.empty() && name->being_asked)
    co_return fail(Code::kTimeout, fmt::format("looking up host '{}' took too long", host.host));
  if (name->addresses.empty()) co_return fail(*name->error);
  std::vector<Address> addresses;
  for (auto ipv4 : name->addresses) addresses.push_back({ipv4, host.port});
  co_return addresses;
}

std::shared_ptr<HostNames::Name> HostNames::name_of(const std::string& host) {
  auto& name = names_[host];
  if (!name) name = std::make_shared<Name>();
  name->last_use = ++uses_;
  auto found = name;
  if (names_.size() > options_.most_names) forget_one();
  return found;
}

// Keeps names that are being looked up, so that they are not looked up a second time.
void HostNames::forget_one() {
  auto oldest = names_.end();
  for (auto next = names_.begin(); next != names_.end(); ++next)
    if (!next->second->being_asked &&
        (oldest == names_.end() || next->second->last_use < oldest->second->last_use))
      oldest = next;
  if (oldest != names_.end()) names_.erase(oldest);
}

bool HostNames::is_due(const Name& name) const {
  if (!name.was_answered) return true;
  const auto age = clock_.now() - name.answered_at;
  return age >= (name.error || name.has_failed ? options_.shortest_age : options_.longest_age);
}

Routine<> HostNames::ask(std::string host, std::shared_ptr<Name> name) {
  auto found = co_await pool_.run([this, host] { return look_up_({host, 0}); });
  name->being_asked = false;
  name->was_answered = true;
  name->answered_at = clock_.now();
  name->error.reset();
  if (found && found->empty())
    found = fail(Code::kUnreachable, fmt::format("host '{}' has no IPv4 address", host));
  if (found) {
    name->addresses = merge(name->addresses, *found);
    name->has_failed = false;
  } else {
    name->error = std::move(found).error();
  }
  name->answered.notify_all();
}

Routine<> HostNames::wait_for_answer(std::shared_ptr<Name> name, Deadline deadline) {
  co_await async::wait_until(name->answered, clock_, deadline, [&] {  // no result
    return !name->being_asked || tasks_.stopped();
  });
}

void HostNames::failed(const HostPort& host, Address address) {
  auto known = names_.find(host.host);
  if (known == names_.end()) return;
  auto& name = *known->second;
  auto place = std::ranges::find(name.addresses, address.ipv4);
  if (place == name.addresses.end()) return;  // there is a newer answer
  std::rotate(place, place + 1, name.addresses.end());
  name.has_failed = true;
}

void HostNames::stop() {
  tasks_.stop();
  for (auto& [host, name] : names_) name->answered.notify_all();
}

Routine<> HostNames::join() {
  co_await tasks_.join();  // no result
}

}  // namespace pegmove::net
