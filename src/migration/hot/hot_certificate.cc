#include "migration/hot/hot_certificate.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/small_file.h"
#include "journal/location.h"
#include "migration/hot/hot_report.h"

namespace pegmove::migration::hot {
namespace {

constexpr size_t kMostCertificateBytes = 64 << 20;

}  // namespace

Task<std::string> write_certificate(std::string folder, compare::CertificateFacts facts,
                                    std::shared_ptr<client::Table> from,
                                    std::shared_ptr<client::Table> to,
                                    compare::LiveVerification live, Deadline deadline) {
  const auto source = CO_TRY(co_await compare::describe(*from, deadline));
  const auto target = CO_TRY(co_await compare::describe(*to, deadline));
  const auto path = CO_TRY(journal::prepare_place(fmt::format("{}/{}.json", folder, facts.run_id)));
  CO_TRY(base::replace_file(path, compare::certificate(facts, source, target, live) + "\n"));
  co_return path;
}

std::optional<std::string> why_not_certified(const HotVerification& verification,
                                             const std::string& run) {
  const auto& path = verification.certificate;
  if (path.empty()) return "the last verification has no certificate";
  const auto text = base::read_file(path, kMostCertificateBytes);
  if (!text) return text.error().to_string();
  if (!*text) return fmt::format("the certificate {} is missing", path);
  const auto json = base::parse_json<nlohmann::json>(**text);
  if (!json.is_object() || base::text_in(json, "id") != run)
    return fmt::format("{} is not the certificate of run {}", path, run);
  // Rows that clients change all the time are not counted as different.
  const auto verdict = base::text_in(json, "verdict");
  if (verdict == "equal" || verdict == "not settled") return std::nullopt;
  return fmt::format("the certificate {} says: {}", path, verdict);
}

}  // namespace pegmove::migration::hot
