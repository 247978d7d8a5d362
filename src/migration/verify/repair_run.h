// Repair as a run: the differing rows of the target are made equal to those of the source.
#pragma once

#include "compare/repair.h"
#include "migration/verify/verify.h"

namespace pegmove::migration {

inline constexpr std::string_view kRepairMethod = "repair";

struct RepairRequest {
  std::string from_metas{};
  std::string to_metas{};
  compare::CompareOptions options{};  // with the names of the tables
  std::string differences{};          // a list, absolute path; empty: found by a comparison
  bool delete_extra = false;
  bool dry_run = false;  // never in the journal
};
std::string to_json(const RepairRequest& request);
// Errors: kCorrupt, saying what is wrong.
Result<RepairRequest> repair_request_from_json(const journal::Run& run);

// Reads a whole list before anything is changed. Returns the number of its rows. Errors:
// kInvalidArgument: malformed lines; the message shows the first ones.
Result<int64_t> check_differences(const std::string& path);

class RepairRun : public runs::Work {
 public:
  RepairRun(RepairRequest request, const Ports& ports);

  Task<runs::Assessment> open(runs::Purpose purpose) override;
  std::string options() const override;
  std::vector<runs::Step> steps() override;
  runs::Report report(const journal::Run& run) override;

  // Reports what would be done, without a run. After open().
  Task<runs::Report> dry_run(const runs::Events& events, const journal::NewRun& names);

 private:
  Task<std::string> repair(runs::StepContext context);
  compare::RepairOptions repair_options() const;
  Task<> repair_list(compare::Repair& repair);
  std::string text() const;
  std::string json(const journal::Run& run, bool with_rows) const;
  client::ForeignRows foreign_rows() const;
  bool all_agree() const;

  RepairRequest request_;
  const Ports& ports_;
  std::optional<compare::TablePair> tables_;
  compare::RepairReport repaired_;
  std::optional<compare::CompareReport> compared_;
};

}  // namespace pegmove::migration
