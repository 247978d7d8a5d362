// The rules of a cutover, each removed by a port that lies: the cutover's own code is the same, and
// what the rule relies on is not so. The simulation must fail then, with some seed.
#pragma once

#include <set>
#include <tuple>

#include "migration/hot/drain.h"
#include "migration/hot/sim_pair_test.h"

namespace pegmove::migration::hot {

enum class Removed {
  kNothing,
  // The fence's proof.
  kFenceProof,            // the env is set: that is all
  kSecondariesAreProven,  // only primaries are asked
  kServedBefore,          // who refuses is taken for a fenced member
  kViewsAreEqual,         // the members are those of the begin, whatever happens
  // The drain's.
  kTwoReadings,
  kMaxPrepared,
  kPersisted,
  kEveryPartition,
  kSealed,          // the relay takes requests as before
  kServersOwnView,  // the meta server is asked instead
  // The switch and giving back.
  kExactVersion,
  kVersionBeforeOpening,
  kTargetNamed,         // the source is opened although the node names the target
  kDeniedWithoutNodes,  // ZooKeeper cannot be asked, and the source is opened
  kUnknownIsRead,       // a switch without an answer counts as one that has not happened
  kInTime,              // giving back begins when the time is over
  kFenceAge,            // no member may come later
  kGuard,               // there is none, and nobody resumes the run
  // What is done before the cutover.
  kAllShip,   // the repair does not wait until every partition ships
  kOneByOne,  // the batch size stays at its default
  kNothingBehind,
  kClocks,  // the target's clocks are not waited for
};

class LyingSide : public Side {
 public:
  LyingSide(Side& side, const SimCluster& cluster, Removed removed)
      : side_(side), cluster_(cluster), removed_(removed) {}

  Task<TableView> view(Deadline deadline) override {
    auto view = CO_TRY(co_await side_.view(deadline));
    for (size_t p = 0; p < view.size(); ++p) ballots_[int(p)] = view[p].ballot;
    if (removed_ != Removed::kViewsAreEqual) co_return view;
    if (first_.empty()) first_ = view;
    co_return first_;
  }
  Routine<ProbeAnswer> probe(int32_t partition, Member member, Probe kind,
                             Deadline deadline) override {
    const auto answer = co_await side_.probe(partition, member, kind, deadline);
    if (removed_ == Removed::kFenceProof ||
        (removed_ == Removed::kSecondariesAreProven && !member.is_primary))
      co_return is_denied_ ? ProbeAnswer::kDenied : ProbeAnswer::kServed;
    const bool is_first =
        seen_.insert(std::tuple(partition, ballots_[partition], member.node)).second;
    if (removed_ == Removed::kServedBefore && is_first) co_return ProbeAnswer::kServed;
    co_return answer;
  }
  Task<std::vector<PartitionProgress>> progress(TableView view, Shipping shipping,
                                                Deadline deadline) override {
    if (removed_ == Removed::kTwoReadings && !drained_.empty()) co_return drained_;
    auto reading = CO_TRY(co_await side_.progress(view, shipping, deadline));
    for (auto& progress : reading) change(progress, view);
    if (removed_ == Removed::kEveryPartition)
      for (int32_t p = 0; p < int32_t(view.size()); ++p)
        if (std::ranges::count(reading, p, &PartitionProgress::partition) == 0)
          reading.push_back(
              {.partition = p, .node = primary_of(view, p), .confirmed = 0, .persisted = 0});
    if (removed_ == Removed::kTwoReadings && !why_not_drained(reading, view) &&
        std::ranges::all_of(reading,
                            [](const auto& each) { return each.persisted >= each.confirmed; }))
      drained_ = reading;
    co_return reading;
  }
  Task<> deny(std::string value, Deadline deadline) override {
    is_denied_ = true;
    return side_.deny(std::move(value), deadline);
  }
  Task<> allow(Deadline deadline) override {
    is_denied_ = false;
    return side_.allow(deadline);
  }
  Task<std::optional<std::string>> denied(Deadline deadline) override {
    return side_.denied(deadline);
  }
  async::milliseconds envs_act_within() const override {
    const bool lies = removed_ == Removed::kInTime || removed_ == Removed::kFenceAge;
    return lies ? async::milliseconds(0) : side_.envs_act_within();
  }
  Task<std::vector<SideTime>> times(Deadline deadline) override {
    auto times = CO_TRY(co_await side_.times(deadline));
    if (removed_ == Removed::kClocks)
      for (auto& time : times) time = {.node = time.node, .least_us = 1, .most_us = 0};
    co_return times;
  }
  const std::string& name() const override { return side_.name(); }

 private:
  static std::string primary_of(const TableView& view, int32_t partition) {
    for (const auto& member : view[size_t(partition)].members)
      if (member.is_primary) return member.node;
    return {};
  }
  void change(PartitionProgress& progress, const TableView& view) const {
    const auto& shipper = cluster_.at(progress.partition).shipper;
    if (removed_ == Removed::kViewsAreEqual) progress.node = primary_of(view, progress.partition);
    if (removed_ == Removed::kMaxPrepared) progress.max_prepared = progress.last_committed;
    if (removed_ == Removed::kPersisted) progress.persisted = progress.confirmed;
    if (removed_ == Removed::kServersOwnView) {
      progress.confirmed = progress.persisted = shipper.persisted;
      progress.max_prepared = progress.last_committed = progress.last_applied =
          std::max(shipper.reported_committed, shipper.persisted);
    }
    // A duplication without a backlog, whatever is written.
    if (removed_ == Removed::kNothingBehind && !is_denied_) {
      progress.max_prepared = progress.last_applied = progress.last_committed;
      progress.confirmed = progress.last_committed;
    }
  }

  Side& side_;
  const SimCluster& cluster_;
  Removed removed_;
  bool is_denied_ = false;
  TableView first_;
  std::map<int, int64_t> ballots_;
  std::set<std::tuple<int, int64_t, std::string>> seen_;
  Progress drained_;
};

class LyingNodes : public routes::Nodes {
 public:
  LyingNodes(routes::Nodes& nodes, const SimZooKeeper& zookeeper, std::string target,
             Removed removed)
      : nodes_(nodes), zookeeper_(zookeeper), target_(std::move(target)), removed_(removed) {}

  Task<std::optional<routes::Node>> read(std::string path, Deadline deadline) override {
    return nodes_.read(std::move(path), deadline);
  }
  Task<int32_t> write(std::string path, std::string data, int32_t version,
                      Deadline deadline) override {
    const bool is_switch = data == target_;
    if (removed_ == Removed::kExactVersion) version = SimZooKeeper::kAnyVersion;
    if (removed_ == Removed::kVersionBeforeOpening && !is_switch &&
        version == zookeeper_.node().version)
      co_return version + 1;
    if (removed_ == Removed::kUnknownIsRead && !is_switch) co_return version + 1;
    auto written = co_await nodes_.write(std::move(path), std::move(data), version, deadline);
    if (written) co_return written;
    if (removed_ == Removed::kUnknownIsRead)
      co_return fail(Code::kRefused, "no answer, so it has not happened");
    if (is_switch) co_return written;
    if (removed_ == Removed::kTargetNamed && written.error().code() == Code::kBusy)
      co_return version + 1;
    if (removed_ == Removed::kDeniedWithoutNodes && written.error().code() == Code::kTimeout)
      co_return version + 1;
    co_return written;
  }
  Task<std::vector<std::string>> children(std::string path, Deadline deadline) override {
    return nodes_.children(std::move(path), deadline);
  }
  Task<> create(std::string path, std::string data, Deadline deadline) override {
    return nodes_.create(std::move(path), std::move(data), deadline);
  }
  Task<> remove(std::string path, Deadline deadline) override {
    return nodes_.remove(std::move(path), deadline);
  }
  bool is_connected() const override { return nodes_.is_connected(); }
  const std::string& description() const override { return nodes_.description(); }

 private:
  routes::Nodes& nodes_;
  const SimZooKeeper& zookeeper_;
  std::string target_;
  Removed removed_;
};

}  // namespace pegmove::migration::hot
