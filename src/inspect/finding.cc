#include "inspect/finding.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace pegmove::inspect {
namespace {

std::vector<Finding> in_order(const std::vector<Finding>& findings) {
  std::vector<Finding> ordered;
  for (auto severity : {Severity::kError, Severity::kWarning, Severity::kNote})
    std::ranges::copy_if(findings, std::back_inserter(ordered),
                         [=](const auto& finding) { return finding.severity == severity; });
  return ordered;
}

std::string text_of(const Finding& finding) {
  auto text = finding.what;
  if (!finding.where.empty()) text += fmt::format(" ({})", finding.where);
  if (!finding.next_step.empty()) text += "; " + finding.next_step;
  return text;
}

}  // namespace

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::kError: return "error";
    case Severity::kWarning: return "warning";
    case Severity::kNote: return "note";
  }
  std::unreachable();
}

void Findings::error(Code code, std::string kind, std::string what, std::string where,
                     std::string next) {
  all.push_back({Severity::kError, std::move(kind), std::move(what), std::move(where),
                 std::move(next), code});
}

void Findings::warning(std::string kind, std::string what, std::string where, std::string next) {
  all.push_back(
      {Severity::kWarning, std::move(kind), std::move(what), std::move(where), std::move(next)});
}

void Findings::note(std::string kind, std::string what, std::string where, std::string next) {
  all.push_back(
      {Severity::kNote, std::move(kind), std::move(what), std::move(where), std::move(next)});
}

void Findings::add(Findings more) { std::ranges::move(more.all, std::back_inserter(all)); }

int Findings::count(Severity severity) const {
  return int(std::ranges::count(all, severity, &Finding::severity));
}

std::string to_line(const Finding& finding) {
  return fmt::format("{}: {}", to_string(finding.severity), text_of(finding));
}

std::vector<std::string> to_lines(const std::vector<Finding>& findings) {
  std::vector<std::string> lines;
  for (const auto& finding : in_order(findings)) lines.push_back(to_line(finding));
  return lines;
}

nlohmann::ordered_json to_json(const std::vector<Finding>& findings) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& finding : in_order(findings))
    list.push_back({{"severity", to_string(finding.severity)},
                    {"kind", finding.kind},
                    {"what", finding.what},
                    {"where", finding.where},
                    {"next_step", finding.next_step}});
  return list;
}

Error to_error(const std::vector<Finding>& findings) {
  std::vector<Finding> errors;
  for (const auto& finding : findings)
    if (finding.severity == Severity::kError) errors.push_back(finding);
  if (errors.size() == 1) return {errors[0].code, text_of(errors[0])};
  auto text = std::to_string(errors.size()) + " problems were found:";
  for (const auto& finding : errors) text += "\n  " + text_of(finding);
  return {errors.empty() ? Code::kInternal : errors[0].code, text};
}

}  // namespace pegmove::inspect
