// The certificate of a comparison: what was compared, when, how, and with which result, as JSON.
#pragma once

#include <string>

#include "compare/live_verification.h"

namespace pegmove::compare {

// What a certificate contains besides the report.
struct CertificateFacts {
  std::string version{};  // of pegmove
  std::string run_id{};
  std::string from{};  // the clusters, as the user named them
  std::string to{};
  int64_t began_unix_ms = 0;
  int64_t ended_unix_ms = 0;
};

// One table, as its cluster describes it now.
struct TableFacts {
  std::string cluster;  // the cluster's own name
  std::string metas;    // "host:port,..."
  std::string table;
  int32_t app_id = 0;
  int32_t partitions = 0;
  std::map<std::string, std::string> envs;  // those that affect which rows exist
};
Task<TableFacts> describe(client::Table& table, Deadline deadline);

// "equal", "different", "not settled", and for samples "sample equal".
std::string verdict(const CompareReport& report);
// What a sample without a difference proves, as a sentence.
std::string what_a_sample_proves(const CompareReport& report);

// Only verdict and counts, as JSON: what the journal keeps as the result.
std::string summary(const CompareReport& report);

// Indented JSON.
std::string certificate(const CertificateFacts& facts, const TableFacts& source,
                        const TableFacts& target, const CompareReport& report);

// The same of a verification that has repaired. The verdict and the differences are those after the
// repair; "found" is the verdict before it, "repair" what was done.
std::string verdict(const LiveVerification& live);
std::string certificate(const CertificateFacts& facts, const TableFacts& source,
                        const TableFacts& target, const LiveVerification& live);

}  // namespace pegmove::compare
