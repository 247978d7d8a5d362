// Runs cases and compares what comes back with what they expect.
#pragma once

#include "names.h"
#include "session.h"

namespace pegmove::conformance {

struct CaseResult {
  std::string name;
  std::vector<std::string> failures{};  // "file:line: what was asked; expected, actual"

  bool holds() const { return failures.empty(); }
};

class Runner {
 public:
  // `run` tells runs on one table apart.
  Runner(Session session, std::string run) : session_(std::move(session)), run_(std::move(run)) {}

  // Runs the case on rows of its own and removes them. Reads are asked for twice: through the
  // client library, if it can say them, and as raw requests. A case ends with its first failure.
  // Errors: a step that makes no sense, a server that does not answer.
  Result<CaseResult> run(const Case& one);

 private:
  Result<void> run_step(const Step& step, const Names& names, Contexts& contexts,
                        CaseResult& result);
  Result<void> clean_up(const Case& one, const Names& names);
  Result<void> remove_hash_key(const std::string& hash_key);

  Session session_;
  std::string run_;
  size_t cases_run_ = 0;
};

// Nothing when the answer is as expected; else what is not.
std::string difference(const Step& step, const Answer& answer);

}  // namespace pegmove::conformance
