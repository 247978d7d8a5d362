#include "splitter/unit_output.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "async/for_each.h"
#include "base/local_file.h"

namespace pegmove::splitter {

namespace fs = std::filesystem;

constexpr size_t kFilesAtOnce = 4;

UnitOutput::UnitOutput(const SplitTarget& target, const SplitLimits& limits,
                       const UnitEvents& events, size_t unit)
    : target_(target), events_(events), folder_(limits.work_folder + "/u" + std::to_string(unit)) {}

UnitOutput::~UnitOutput() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

Task<> UnitOutput::begin() {
  co_return co_await target_.store.run([&]() -> Result<void> {
    TRY(base::remove_tree(folder_));
    return base::make_folders(folder_);
  });
}

Task<> UnitOutput::send(const std::vector<FinishedFile>& files) {
  co_return co_await async::for_each(files.size(), kFilesAtOnce,
                                     [&](size_t i) { return send_one(files[i]); });
}

Task<> UnitOutput::send_one(const FinishedFile& file) {
  const auto path = target_.place.file(file.partition, file.name);
  auto sent = CO_TRY(co_await target_.store.upload(
      file.path, path, {.should_stop = events_.should_stop, .may_take = true}));
  result_.files.push_back({.partition = file.partition,
                           .file = {.name = file.name, .size = sent.sum.size, .md5 = sent.sum.md5},
                           .rows = file.rows,
                           .digest = file.digest});
  std::error_code ignored;
  fs::remove(file.path, ignored);
  if (events_.on_failpoint) events_.on_failpoint("split.file_sent");
  co_return Result<void>();
}

UnitResult UnitOutput::finish(const RowCounts& counts) {
  result_.counts = counts;
  // They were sent in parallel; sorted by name they are in the order of their keys.
  std::ranges::sort(result_.files, {}, [](const UnitFile& each) {
    return std::pair(each.partition, std::string_view(each.file.name));
  });
  if (events_.on_failpoint) events_.on_failpoint("split.unit_done");
  return std::move(result_);
}

}  // namespace pegmove::splitter
