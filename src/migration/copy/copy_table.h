// Method one: a table's rows are read by scans and written to another table.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "migration/copy/copy_request.h"
#include "migration/copy/copy_text.h"
#include "migration/copy/prepare_copy.h"
#include "migration/ports.h"
#include "rows/throttler.h"
#include "runs/engine.h"

namespace pegmove::migration {

class CopyTable;

// The procedure: create the target table, copy the rows, finish the table, and, for a live copy,
// verify and repair what differs.
std::vector<runs::Step> copy_table(CopyTable& copy);

// The tables of a copy, as they were when it began.
struct CopiedTables {
  int32_t source_app_id = 0;
  int32_t source_partitions = 0;
  int32_t target_app_id = 0;
  int32_t target_partitions = 0;
  EnvMap envs_after_copy{};  // set at the end on a target that the run created
};

// Errors of the run: those of look_before_copy(), prepare_copy(), copy_rows() and
// verify_and_repair_live(); kRefused when a table is not the one that the run began with. A cancel
// leaves the copied rows, and the table that was created.
class CopyTable : public runs::Work {
 public:
  // `from` and `to`: the clusters as the user named them; empty: as in the request.
  CopyTable(CopyRequest request, const Ports& ports, std::string from = "", std::string to = "");
  ~CopyTable() override;

  Task<runs::Assessment> open(runs::Purpose purpose) override;
  std::string options() const override;
  std::vector<runs::Step> steps() override { return copy_table(*this); }
  runs::Report report(const journal::Run& run) override;
  void apply(const std::string& key, const std::string& value) override;

  // The steps of copy_table().
  Task<std::string> make_target();
  Result<void> take_target(const journal::StepRecord& record);
  Task<std::string> copy_rows(runs::StepContext context);
  Result<void> take_rows(const journal::StepRecord& record);
  Task<std::string> finish_target();
  Task<std::string> verify_live(runs::StepContext context);
  Task<runs::Undone> leave_target(const journal::StepRecord& record) const;
  Task<runs::Undone> leave_rows(runs::StepContext context) const;

  const CopyRequest& request() const { return request_; }

 private:
  CopyOptions options_now() const;
  Task<> prepare();
  Result<std::vector<int32_t>> partitions() const;

  CopyRequest request_;
  const Ports& ports_;
  std::string from_, to_;
  std::optional<Preflight> preflight_;
  std::optional<PreparedCopy> copy_;
  std::optional<CopiedTables> tables_;  // known when the target exists
  bool may_have_made_target_ = false;
  std::unique_ptr<rows::Throttler> throttler_;  // while rows are copied
  CopyReport report_;
  CopyEnds ends_;
};

// The positions at which the partitions of a source with `partitions` are resumed.
std::vector<rows::LaneState> partitions_to_start(
    const std::vector<journal::UnitPosition>& positions, int32_t partitions);

}  // namespace pegmove::migration
