// What the steps of a run share: the connection, the table, and the form of an answer.
#pragma once

#include <map>
#include <memory>

#include "apps/command.h"
#include "case_text.h"
#include "client/table.h"
#include "record/expiry.h"

namespace pegmove::conformance {

struct Answer {
  std::string status;  // a status number, or the name of an RPC-level error
  Fields fields{};
  // Not empty: something is wrong with the answer whatever was expected.
  std::string contradiction{};
};

struct Session {
  apps::CommandRun& run;
  std::shared_ptr<client::Table> table;

  Deadline deadline() const { return Deadline::in(run.clock(), run.timeout()); }
  uint32_t now() const { return record::pegasus_seconds(run.clock().unix_seconds()); }
  // Runs the coroutine to its end.
  template <typename T>
  Result<T> wait(Task<T> task) const {
    return run.wait_for(std::move(task));
  }
};

// Scan contexts that steps have kept, by the name that `save=` gave.
using Contexts = std::map<std::string, int64_t>;

// The status of an error that the server answered with; other errors are passed on.
inline Result<Answer> answer_of(const Error& error) {
  if (auto status = wire::storage_status_of(error))
    return Answer{.status = std::to_string(int(*status))};
  if (error.code() != Code::kTimeout && error.wire_code() && *error.wire_code() > 0)
    return Answer{.status = std::string(wire::error_name(wire::ErrorCode(*error.wire_code())))};
  return fail(error);
}

}  // namespace pegmove::conformance
