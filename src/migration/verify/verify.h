// Verification as a run: two tables compared row by row, with a certificate.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compare/compare.h"
#include "migration/ports.h"
#include "runs/engine.h"

namespace pegmove::migration {

inline constexpr std::string_view kVerifyMethod = "verify";

// Everything that a later process needs to resume it.
struct VerifyRequest {
  std::string from_metas{};  // "host:port,...": a name may mean another cluster elsewhere
  std::string to_metas{};
  compare::CompareOptions options{};  // with the names of the tables
  std::string certificate{};          // the file, absolute; empty: none
  size_t show = 20;                   // differences printed; more are kept
};
std::string to_json(const VerifyRequest& request);
// Errors: kCorrupt, saying what is wrong.
Result<VerifyRequest> verify_request_from_json(const journal::Run& run);

// Connects and opens the tables of a comparison. `writes`: the target will be written to. Errors:
// also kInvalidArgument: both are the same table; kRefused: their app envs deny the requests.
Task<compare::TablePair> open_pair(const Ports& ports, std::string from, std::string to,
                                   std::string table, std::string to_table, bool writes = false);

// The run also succeeds when the tables differ: its report says so.
class Verify : public runs::Work {
 public:
  // `pair`: already open; otherwise open() opens it.
  Verify(VerifyRequest request, const Ports& ports);

  Task<runs::Assessment> open(runs::Purpose purpose) override;
  std::string options() const override;
  std::vector<runs::Step> steps() override;
  runs::Report report(const journal::Run& run) override;

  // Sets what was not known when the run began. Before the first step acts.
  void bind(VerifyRequest request) { request_ = std::move(request); }
  const VerifyRequest& request() const { return request_; }

 private:
  Task<std::string> compare(runs::StepContext context);
  Task<std::string> certify(const journal::Run& run);

  VerifyRequest request_;
  const Ports& ports_;
  std::optional<compare::TablePair> tables_;
  compare::CompareReport compared_;
  std::string certificate_;
};

}  // namespace pegmove::migration
