// Whether the other side has everything that was written to a fenced one.
//
// The proof (a rule of docs/cutover.md), from the primaries' own answers: in two readings, at least
// `readings_apart` apart, every partition is there, its max_prepared, last_committed, last_applied
// and confirmed decrees are one number, and this number is the same in both. What the meta server
// has persisted is that number, too: after a failover shipping begins behind it, and a write that
// is shipped again would overwrite a newer one. A relay that has nothing under way does instead.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "migration/hot/plan.h"

namespace pegmove::migration::hot {

using Progress = std::vector<PartitionProgress>;

// Why this reading, of the primaries of this view, is not one of a drained table: nullopt if it is.
std::optional<std::string> why_not_drained(const Progress& reading, const TableView& view);
// Whether both are of the same decrees, the persisted ones aside.
bool shows_same_decrees(const Progress& one, const Progress& other);
// Why shipping might repeat something of a drained table: nullopt if it cannot.
std::optional<std::string> why_not_persisted(const Progress& reading);

enum class MustPersist { kYes, kNo };  // no: of a relay

// Waits until it is proven, and returns the last reading. The caller checks that the members are
// still those of `view`. Errors: kBusy: until the deadline it is not, saying why; kInterrupted.
Task<Progress> prove_drained(Side& side, Clock& clock, TableView view, Shipping shipping,
                             MustPersist must_persist, async::milliseconds readings_apart,
                             CutoverHooks hooks, Deadline deadline);

// Seals the relay and waits until it has nothing under way. Errors: as above.
Task<> seal_relay(Relay& relay, Clock& clock, CutoverHooks hooks, Deadline deadline);

}  // namespace pegmove::migration::hot
