#include "relay/ownership.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "async/for_each.h"
#include "base/bytes.h"
#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/text.h"
#include "routes/route.h"

namespace pegmove::relay {
namespace {

using async::milliseconds;

constexpr milliseconds kQuestion{5'000};
constexpr size_t kPartitionsAtOnce = 16;

std::string owner_text(const net::HostPort& address) {
  return base::json_text(nlohmann::ordered_json{{"relay", address.to_string()}});
}

}  // namespace

Result<std::string> relay_folder(const std::string& root, std::string_view source,
                                 std::string_view table, std::string_view target) {
  auto path = root;
  for (const auto name : {source, table, target}) path = TRY(routes::node_path(path, name));
  return path;
}

std::string owner_path(const std::string& folder, int32_t partition) {
  return fmt::format("{}/{}", folder, partition);
}

std::string seal_path(const std::string& folder) { return folder + "/sealed"; }

Result<net::HostPort> parse_owner(std::string_view data) {
  const auto json = base::parse_json<nlohmann::json>(data);
  const auto fields = TRY(base::JsonFields::of(json, "the node of a relay"));
  auto address = net::parse_host_port(TRY(fields.text("relay")));
  if (!address) return fail(Code::kCorrupt, "the node of a relay: " + address.error().to_string());
  return *std::move(address);
}

Ownership::Ownership(asio::any_io_executor executor, Clock& clock, routes::SessionNodes& nodes,
                     OwnershipOptions options, Logger log)
    : clock_(clock),
      nodes_(nodes),
      options_(std::move(options)),
      log_(std::move(log)),
      partitions_(size_t(options_.partitions)),
      looked_(fail(
          Code::kUnreachable,
          nodes.description() + " has not answered yet; check the addresses and that it runs")),
      tasks_(std::move(executor)) {}

void Ownership::start() {
  tasks_.spawn(keep_looking());
  tasks_.spawn(tick());
}

void Ownership::stop() {
  tasks_.stop();
  due_.notify_all();
}

Routine<> Ownership::join() {
  co_await tasks_.join();  // no result
}

Deadline Ownership::deadline() const { return Deadline::in(clock_, kQuestion); }

Result<int64_t> Ownership::may_forward(int32_t partition) const {
  const auto& [owner, owned_since, owned_in, is_due] = partitions_[size_t(partition)];
  if (!owner)
    return fail(Code::kRefused, fmt::format("partition {} has no relay that is known", partition));
  if (!owner->is_ours)
    return fail(Code::kRefused, fmt::format("partition {} belongs to the relay at {}", partition,
                                            owner->address.to_string()));
  const auto now = clock_.now();
  if (now < owned_since + kSuccessorsWait)
    return fail(Code::kBusy,
                fmt::format("partition {} was taken over; waiting for what the relay before this "
                            "one may have sent",
                            partition));
  if (seal_read_in_ <= owned_in)
    return fail(Code::kBusy,
                fmt::format("partition {} was taken over; it is not known yet whether the relays "
                            "were sealed before",
                            partition));
  if (now >= nodes_.sure_until())
    return fail(Code::kBusy, nodes_.description() +
                                 " does not answer: another relay may have taken the partitions");
  return owner->epoch;
}

int32_t Ownership::owned() const {
  return int32_t(std::ranges::count_if(
      partitions_, [](const auto& each) { return each.owner && each.owner->is_ours; }));
}

void Ownership::node_changed(const std::string& path) {
  for (int32_t i = 0; i < options_.partitions; ++i)
    if (path == owner_path(options_.folder, i)) partitions_[size_t(i)].is_due = true;
  due_.notify();
}

void Ownership::connection_changed() {
  for (auto& partition : partitions_) partition.is_due = true;
  due_.notify();
}

// What could not be read is tried again, and the seal has no watch while there is none. A look at
// many partitions may last longer than a session is sure for.
Routine<> Ownership::tick() {
  while (!tasks_.stopped()) {
    co_await clock_.sleep_for(options_.confirm_interval);  // no result
    due_.notify();
    if (is_looking_) (void)co_await confirm();  // a look says why not
  }
}

Routine<> Ownership::keep_looking() {
  while (!tasks_.stopped()) {
    is_looking_ = true;
    note(co_await look());
    is_looking_ = false;
    // A wait that begins after the stop would not be ended by it.
    if (!tasks_.stopped()) co_await due_.wait();  // no result
  }
}

// The seal before the partitions: nothing is forwarded before it is known.
Task<> Ownership::look() {
  ++looks_;
  CO_TRY(co_await confirm());
  if (!has_folder_) CO_TRY(co_await make_folder());
  const auto seal = CO_TRY(co_await nodes_.read(seal_path(options_.folder), deadline()));
  seal_read_in_ = looks_;
  if (std::exchange(is_sealed_, seal.has_value()) != seal.has_value())
    log_.info(is_sealed_ ? "sealed: no new requests are taken" : "the seal was removed");
  co_return co_await async::for_each(partitions_.size(), kPartitionsAtOnce,
                                     [this](size_t i) { return look_at_due(int32_t(i)); });
}

Task<> Ownership::look_at_due(int32_t partition) {
  auto& is_due = partitions_[size_t(partition)].is_due;
  if (tasks_.stopped() || !std::exchange(is_due, false)) co_return Result<void>();
  auto looked = co_await look_at(partition);
  if (!looked) is_due = true;
  co_return looked;
}

Task<> Ownership::make_folder() {
  // The folders above it, without a text.
  for (size_t slash = options_.folder.find('/', 1);; slash = options_.folder.find('/', slash + 1)) {
    const bool is_last = slash == std::string::npos;
    const auto path = options_.folder.substr(0, slash);
    auto made = co_await nodes_.create(path, is_last ? options_.duty : "", deadline());
    if (!made && made.error().code() != Code::kAlreadyExists)
      co_return fail(std::move(made).error());
    if (is_last) break;
  }
  const auto found = CO_TRY(co_await nodes_.read(options_.folder, deadline()));
  if (!found || found->data != options_.duty)
    co_return fail(
        Code::kRefused,
        fmt::format("node {} in {} is for other relays: {}; this one: {}. If those are over, "
                    "remove the node with ZooKeeper's own tools",
                    options_.folder, nodes_.description(),
                    base::printable(found ? found->data : "", 256), options_.duty));
  has_folder_ = true;
  co_return Result<void>();
}

Task<> Ownership::look_at(int32_t partition) {
  const auto path = owner_path(options_.folder, partition);
  auto node = CO_TRY(co_await nodes_.read(path, deadline()));
  if (!node) {
    take(partition, node);
    auto made = co_await nodes_.create_ephemeral(path, owner_text(options_.address), deadline());
    if (!made && made.error().code() != Code::kAlreadyExists)
      co_return fail(std::move(made).error());
    node = CO_TRY(co_await nodes_.read(path, deadline()));
    if (!node) partitions_[size_t(partition)].is_due = true;  // it was there for a moment only
  }
  take(partition, node);
  co_return Result<void>();
}

void Ownership::take(int32_t partition, const std::optional<routes::Node>& node) {
  auto& known = partitions_[size_t(partition)];
  if (!node) {
    known.owner = std::nullopt;
    return;
  }
  if (known.owner && known.owner->epoch == node->epoch && known.owner->is_ours == node->is_ours)
    return;
  auto address = parse_owner(node->data);
  if (!address) {
    log_.error(
        fmt::format("{}: {}", owner_path(options_.folder, partition), address.error().to_string()));
    known.owner = std::nullopt;
    return;
  }
  known.owner = Owner{*std::move(address), node->epoch, node->is_ours};
  known.owned_since = clock_.now();
  known.owned_in = looks_;
  log_.info(fmt::format("partition {}: {}, epoch {}", partition,
                        node->is_ours ? "taken" : "owned by " + known.owner->address.to_string(),
                        node->epoch));
}

void Ownership::note(Result<void> looked) {
  const auto before = problem();
  looked_ = std::move(looked);
  if (!looked_ && problem() != before) log_.warning(problem());
}

}  // namespace pegmove::relay
