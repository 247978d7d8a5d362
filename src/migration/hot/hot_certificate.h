// The certificate of a hot migration's last verification: a file beside the journal. It is part of
// "ready": a run whose certificate is missing, or not good, verifies again.
#pragma once

#include <optional>
#include <string>

#include "client/table.h"
#include "compare/certificate.h"

namespace pegmove::migration::hot {

struct HotVerification;

// Writes it to FOLDER/ID.json, over the run's earlier one, and returns the file's path. Errors:
// kIo, and those of both clusters.
Task<std::string> write_certificate(std::string folder, compare::CertificateFacts facts,
                                    std::shared_ptr<client::Table> from,
                                    std::shared_ptr<client::Table> to,
                                    compare::LiveVerification live, Deadline deadline);

// Why the verification's file does not certify the run; nullopt: it does. Blocks for a moment.
std::optional<std::string> why_not_certified(const HotVerification& verification,
                                             const std::string& run);

}  // namespace pegmove::migration::hot
