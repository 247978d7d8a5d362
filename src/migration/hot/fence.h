// Whether a fence acts: app envs act server by server, after up to half a minute, and nothing but
// the servers' own answers shows it.
//
// The proof (a rule of docs/cutover.md): each current member of each partition has served a request
// of the fenced kind before and refuses it now, and the partition's ballot and members are the same
// before the first and after the last of these answers. A refusal alone proves nothing: who is no
// member, or is becoming one, answers the same.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "migration/hot/plan.h"

namespace pegmove::migration::hot {

// What was seen of a fence's members. No I/O.
class FenceProof {
 public:
  explicit FenceProof(FenceKind kind) : kind_(kind) {}

  Probe probe() const { return kind_ == FenceKind::kAll ? Probe::kRead : Probe::kWrite; }
  // The current configuration. What was seen of partitions that have changed is forgotten: a server
  // that has left and come back, or was asked while it was becoming a member, has proven nothing.
  void note_view(const TableView& view);
  // Of a member of the last view.
  void note(int32_t partition, const Member& member, ProbeAnswer answer);

  // Members that are to be asked: those of which nothing is known but that they have served, or
  // with `served` not even that. Primaries alone where the fence leaves reads open.
  struct Asked {
    int32_t partition = 0;
    Member member;
  };
  std::vector<Asked> unserved() const;
  std::vector<Asked> undenied() const;
  // All of them refuse, each after it has served, under the last view.
  bool is_proven() const;
  // A member refuses that has not served under this view: no later answer can prove it, as long as
  // it refuses.
  bool is_doubtful() const;
  const TableView& view() const { return view_; }
  // "partition 3 on 10.0.0.1:34801 and 4 others": the first of the asked. "": none.
  static std::string text_of(const std::vector<Asked>& asked);

 private:
  bool is_asked(const Member& member) const {
    return kind_ == FenceKind::kAll || member.is_primary;
  }
  struct Seen {
    std::set<std::string> served{};  // nodes
    std::set<std::string> denied{};
  };

  FenceKind kind_;
  TableView view_;
  std::vector<Seen> seen_;  // by partition
};

// Before the fence: waits until each member serves. Errors: kBusy: until the deadline one does not,
// or a partition has no primary; those of Side.
Task<> see_members_serve(Side& side, Clock& clock, FenceProof& proof, Deadline deadline);

// Under the fence: waits until it is proven. Errors: kBusy: until the deadline it is not, or a
// partition's members have changed and cannot be proven any more; kInterrupted.
Task<> prove_fence(Side& side, Clock& clock, FenceProof& proof, CutoverHooks hooks,
                   Deadline deadline);

// Right before the switch: whether the members are still those that the proof is about. Errors:
// kBusy, naming the partition; those of Side.
Task<> check_unchanged(Side& side, const FenceProof& proof, Deadline deadline);

// After the fence is lifted: waits until each member of the current configuration serves reads.
// Errors: kBusy: until the deadline one does not; kInterrupted.
Task<> see_all_open(Side& side, Clock& clock, CutoverHooks hooks, Deadline deadline);

}  // namespace pegmove::migration::hot
