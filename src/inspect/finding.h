// The findings of an inspection of two clusters, and their form for people and for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace pegmove::inspect {

enum class Severity { kError, kWarning, kNote };
std::string_view to_string(Severity severity);  // "error", ...

struct Finding {
  Severity severity = Severity::kNote;
  std::string kind;            // a stable word for programs: "target-not-empty"
  std::string what;            // one sentence without a full stop
  std::string where{};         // "table 't' on cluster B", "replica server 10.0.0.1:34801"
  std::string next_step{};     // what to do; empty: nothing
  Code code = Code::kRefused;  // of an error, for callers
};

struct Findings {
  std::vector<Finding> all;

  void error(Code code, std::string kind, std::string what, std::string where, std::string next);
  void warning(std::string kind, std::string what, std::string where, std::string next = {});
  void note(std::string kind, std::string what, std::string where, std::string next = {});
  void add(Findings more);

  int count(Severity severity) const;
  bool has_errors() const { return count(Severity::kError) > 0; }
};

// "error: <what> (<where>); <next step>"
std::string to_line(const Finding& finding);
// One line per finding: errors first, then warnings, then notes.
std::vector<std::string> to_lines(const std::vector<Finding>& findings);
// [{"severity", "kind", "what", "where", "next_step"}, ...] in the same order.
nlohmann::ordered_json to_json(const std::vector<Finding>& findings);
// All errors as one Error, with the code of the first: a single one unchanged, several with one
// line each. Precondition: there is at least one.
Error to_error(const std::vector<Finding>& findings);

}  // namespace pegmove::inspect
