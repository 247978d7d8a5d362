// The duplications of a hot migration: from the source to the target, with the rows that there are,
// and back, for a rollback. They are added, watched and removed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/duplications.h"
#include "journal/run.h"
#include "migration/hot/cluster_side.h"
#include "runs/step.h"

namespace pegmove::migration::hot {

// Which duplication: of the side's table to `remote`.
struct DuplicationEnds {
  std::string remote{};  // as the side's [pegasus.clusters] has it
  std::string remote_table{};
  bool with_checkpoint = false;      // the target table is made, with the rows that there are
  int32_t remote_replica_count = 0;  // of that table; 0: as many as here
};

// One of them, over the life of a run.
class TableDuplication {
 public:
  TableDuplication() = default;  // before bind()
  explicit TableDuplication(DuplicationEnds ends) { bind(std::move(ends)); }
  // Once the names are known.
  void bind(DuplicationEnds ends) {
    ends_ = std::move(ends);
    if (shipping_) shipping_->remote = ends_.remote;
  }

  // Before it is added: there must be none to this cluster, so that one that is found later is the
  // run's own. Errors: kRefused, naming the one that there is.
  Task<std::string> find_none(ClusterSide& side, Deadline deadline) const;
  // Adds it. Returns the product. May be repeated after a kill: then an existing one is the run's.
  // Errors: kRefused: somebody else has added one meanwhile; those of client::add_duplication().
  Task<std::string> add(ClusterSide& side, Deadline deadline);
  // The product of an add() that a killed process has carried out.
  Task<std::optional<std::string>> find(ClusterSide& side, Deadline deadline) const;
  // Reads the product. Errors: kCorrupt.
  Result<void> take(const journal::StepRecord& record);
  // Removes it, if the run has added it; the target table stays. May be repeated.
  Task<runs::Undone> remove(ClusterSide& side, Deadline deadline) const;

  const DuplicationEnds& ends() const { return ends_; }
  // Known when it was added.
  const std::optional<Shipping>& shipping() const { return shipping_; }

 private:
  Task<std::optional<client::Duplication>> find_to_remote(ClusterSide& side,
                                                          Deadline deadline) const;

  DuplicationEnds ends_;
  std::optional<Shipping> shipping_;
  bool may_exist_ = false;  // the step was begun
};

enum class ShippingState {
  kPreparing,  // checkpoints are made or fetched
  kShips,
  kPaused,  // by somebody else
};
struct ShippingLook {
  ShippingState state = ShippingState::kPreparing;
  std::string says{};  // why nothing arrives; may be empty
  Lag lag{};           // when it ships; of the replica servers
};

// Whether a later question may not have this error.
bool is_passing(const Error& error);

// What the meta server says of the run's duplication. Errors: kRefused: it was removed, or has
// ended by itself; the message says what to do.
Result<ShippingLook> judge_duplication(const client::TableDuplications& known, Shipping shipping);
// The same with the lag, read from the replica servers. Errors: also those of the questions.
Task<ShippingLook> look_at_shipping(ClusterSide& side, Shipping shipping, Deadline deadline);
Lag lag_of(int32_t partitions, const std::vector<PartitionProgress>& progress);

// From where on a duplication without checkpoints ships everything.
struct ShippedFrom {
  // By partition: the confirmed decrees that the meta server has stored. What is later is shipped,
  // whatever fails; what is not is in a copy of the table that has these decrees. Empty: not yet.
  std::vector<int64_t> decrees{};
  std::string says{};  // how far it is
};
// Errors: as of look_at_shipping().
Task<ShippedFrom> look_at_shipped_from(ClusterSide& side, Shipping shipping, Deadline deadline);
// "[12,7]". Errors: kCorrupt.
std::string decrees_to_json(const std::vector<int64_t>& decrees);
Result<std::vector<int64_t>> decrees_from_json(std::string_view text);

// Gives every partition that has had no write its first one, a remove of a key that nobody has: a
// duplication without checkpoints never ships the first mutation of a partition of a real server.
// Returns how many were touched. May be repeated. Errors: kUnreachable: a partition's server does
// not say what its last decree is.
Task<int> touch_partitions(ClusterSide& side, Deadline deadline);

}  // namespace pegmove::migration::hot
