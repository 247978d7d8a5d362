#include "migration/assess_findings.h"

namespace pegmove::migration {

runs::Assessment assess(const inspect::Findings& findings) {
  runs::Assessment assessment;
  std::string errors;
  for (const auto& finding : findings.all) {
    const auto line = inspect::to_line(finding);
    if (finding.severity == inspect::Severity::kError)
      errors += (errors.empty() ? "" : "\n") + line;
    else
      (finding.severity == inspect::Severity::kNote ? assessment.notes : assessment.warnings)
          .push_back(line);
  }
  if (!errors.empty()) assessment.refusal = Error(Code::kRefused, errors);
  return assessment;
}

}  // namespace pegmove::migration
