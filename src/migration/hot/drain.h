// Whether the other side has everything that was written to a fenced one.
//
// The proof (a rule of docs/cutover.md), from the primaries' own answers: in two readings, at least
// `readings_apart` apart, the partition is there, its max_prepared, last_committed, last_applied
// and confirmed decrees are one number, and this number is the same in both. What the meta server
// has persisted is that number, too: after a failover shipping begins behind it, and a write that
// is shipped again would overwrite a newer one. A relay that has nothing under way does instead.
//
// Each partition for itself: idle real servers write an empty mutation each 100 s, so that of many
// partitions some always have one that is not persisted yet.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "migration/hot/plan.h"

namespace pegmove::migration::hot {

using Progress = std::vector<PartitionProgress>;

// Why this reading, of the primaries of this view, is not one of a drained table: nullopt if it is.
std::optional<std::string> why_not_drained(const Progress& reading, const TableView& view);
// Whether a partition has fewer decrees in the later reading.
bool shows_lost_decrees(const Progress& before, const Progress& after);

struct DrainRule {
  MustPersist must_persist = MustPersist::kYes;
  async::milliseconds readings_apart{1'000};
};

// What the readings so far have proven, of a fenced side whose members do not change.
class DrainProof {
 public:
  DrainProof(TableView view, DrainRule rule)
      : view_(std::move(view)), rule_(rule), parts_(view_.size()) {}
  const TableView& view() const { return view_; }
  void note(const Progress& reading, async::Instant asked_at, async::Instant answered_at);
  // nullopt: it is proven of every partition.
  std::optional<std::string> why_not() const;

 private:
  struct First {  // of an unchanged time
    int64_t decree = 0;
    async::Instant answered_at{};
  };
  struct Part {
    bool is_proven = false;
    std::optional<First> first{};
    std::optional<std::string> why{};
  };
  TableView view_;
  DrainRule rule_;
  std::vector<Part> parts_;
};

// Waits until it is proven, and returns the last reading. The caller checks that the members are
// still those of `view`. Errors: kBusy: until the deadline it is not, saying why; kInterrupted.
Task<Progress> prove_drained(Side& side, Clock& clock, TableView view, Shipping shipping,
                             DrainRule rule, CutoverHooks hooks, Deadline deadline);

// Why a failover of the side could make it ship again what was shipped: nullopt if it cannot.
std::optional<std::string> why_not_stored(const Progress& reading, const TableView& view);
// Takes the seal of a switch off the relay to the side that serves now, if nothing could be shipped
// again: what a client that comes back to the side that was left is acknowledged there arrives
// then. Errors: kBusy: why not yet; those of the relay and the side.
Task<> unseal_when_stored(Side& left, Relay& relay, Shipping shipping, Deadline deadline);

// Seals the relay and waits until it has nothing under way. Errors: as above.
Task<> seal_relay(Relay& relay, Clock& clock, CutoverHooks hooks, Deadline deadline);

}  // namespace pegmove::migration::hot
