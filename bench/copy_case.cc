#include "copy_case.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "async/run.h"

namespace pegmove::bench {
namespace {

Result<std::string> write_group(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  auto path = folder + "/group.ini";
  std::ofstream file(path);
  file << "[duplication-group]\nA = 1\nB = 2\n";
  file.close();
  if (!file) return fail(Code::kIo, "writing " + path);
  return path;
}

std::vector<std::string> copy_words(const BenchOptions& options, const CopyCase& what,
                                    const std::string& from, const std::string& to) {
  std::vector<std::string> words{options.pegmove,
                                 "copy",
                                 "--from",
                                 from,
                                 "--to",
                                 to,
                                 "--table",
                                 kBenchTable,
                                 "--json",
                                 "--quiet",
                                 "--full-speed",
                                 "--through",
                                 what.through,
                                 "--state",
                                 options.folder + "/journal.db"};
  return words;
}

}  // namespace

CopySource::CopySource(const BenchOptions& options)
    : options_(options), client_(context_.get_executor(), clock_) {}

CopySource::~CopySource() { async::run_to_end(context_, client_.close()); }

Result<std::unique_ptr<CopySource>> CopySource::start(const BenchOptions& options,
                                                      const RowShape& shape, int partitions) {
  std::unique_ptr<CopySource> source(new CopySource(options));
  source->config_ = TRY(write_group(options.folder));
  source->rows_ = make_rows(shape);
  std::filesystem::remove_all(options.folder + "/A");
  source->cluster_ =
      TRY(BenchCluster::start(options.pegmove, options.folder, "A", source->config_));
  const auto& meta = source->cluster_->meta();
  TRY(async::run_to_end(source->context_, create_table(source->client_, meta, partitions)));
  TRY(async::run_to_end(source->context_, load_table(source->client_, meta, source->rows_)));
  return source;
}

Result<CopyNumbers> CopySource::measure(const CopyCase& what) {
  CopyNumbers best;
  best.bytes = bytes_of(rows_);
  for (int i = 0; i < options_.repeats; ++i) {
    TRY(copy_once(what, best));
    sync();
    auto bare = TRY(write_bare(rows_, {.folder = options_.folder + "/bare",
                                       .partitions = what.target_partitions,
                                       .rows_a_batch = best.rows_a_batch}));
    if (i == 0 || bare.seconds < best.bare.seconds) best.bare = bare;
  }
  return best;
}

// Into a new cluster. Unwritten data of earlier runs would slow it down.
Result<void> CopySource::copy_once(const CopyCase& what, CopyNumbers& best) {
  auto folder = options_.folder + "/B";
  std::filesystem::remove_all(folder);
  auto target = TRY(BenchCluster::start(options_.pegmove, options_.folder, "B", config_));
  TRY(async::run_to_end(context_, create_table(client_, target->meta(), what.target_partitions)));
  sync();
  auto a_before = TRY(usage_of(cluster_->pid())), b_before = TRY(usage_of(target->pid()));
  auto copy = TRY(run_process(copy_words(options_, what, cluster_->meta(), target->meta())));
  auto a_after = TRY(usage_of(cluster_->pid())), b_after = TRY(usage_of(target->pid()));
  auto seconds = nlohmann::json::parse(copy.output)["elapsed_ms"].get<double>() / 1000;
  auto copier_peak = std::max(best.copier.peak_bytes, copy.usage.peak_bytes);
  if (best.seconds == 0 || seconds < best.seconds) {
    best.seconds = seconds;
    best.copier = copy.usage;
    best.source_cpu = a_after.cpu_seconds - a_before.cpu_seconds;
    best.target_cpu = b_after.cpu_seconds - b_before.cpu_seconds;
    best.source_peak_bytes = a_after.peak_bytes;
    best.target_peak_bytes = b_after.peak_bytes;
  }
  best.copier.peak_bytes = copier_peak;
  if (best.verified.empty()) {
    best.verified = TRY(run_process({options_.pegmove, "verify", "--from", cluster_->meta(), "--to",
                                     target->meta(), "--state", options_.folder + "/journal.db",
                                     "--table", kBenchTable, "--quiet"}))
                        .output;
    auto mutations = TRY(async::run_to_end(context_, count_mutations(client_, target->meta())));
    auto rows = int64_t(rows_.size());
    best.rows_a_batch =
        std::max<int64_t>(1, (rows + mutations / 2) / std::max<int64_t>(1, mutations));
  }
  return {};
}

}  // namespace pegmove::bench
