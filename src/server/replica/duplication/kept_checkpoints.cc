#include "server/replica/duplication/kept_checkpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/local_file.h"
#include "base/units.h"

namespace pegmove::server::replica {
namespace {

constexpr std::string_view kPrefix = "checkpoint.";  // then the decree
constexpr std::string_view kUnnamed = "checkpoint_tmp";

std::optional<int64_t> decree_of_name(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const auto decree = base::parse_integer(name.substr(kPrefix.size()), 0, INT64_MAX);
  return decree ? std::optional(*decree) : std::nullopt;
}

// The order in which real servers list and fetch them.
int rank_of(std::string_view name) {
  if (name.starts_with("MANIFEST-")) return 0;
  if (name.starts_with("OPTIONS-")) return 1;
  return name == "CURRENT" ? 2 : 3;
}

Result<KeptCheckpointPtr> look_at(const std::string& folder, int64_t decree) {
  auto checkpoint = std::make_shared<KeptCheckpoint>();
  checkpoint->folder = TRY(base::absolute_path(folder));
  checkpoint->decree = decree;
  for (auto& name : TRY(base::names_in(folder))) {
    const auto size = TRY(TRY(base::LocalFile::open(folder + "/" + name)).size());
    checkpoint->files.push_back({.name = std::move(name), .size = size});
  }
  std::ranges::sort(checkpoint->files, {},
                    [](const auto& file) { return std::pair(rank_of(file.name), file.name); });
  return checkpoint;
}

}  // namespace

const KeptCheckpoint::File* KeptCheckpoint::find(std::string_view name) const {
  const auto found = std::ranges::find(files, name, &File::name);
  return found == files.end() ? nullptr : &*found;
}

Task<int64_t> KeptCheckpoints::make(Gpid gpid, std::string data_dir, Take take) {
  ++making_;
  auto made = co_await pool_.run(
      [this, gpid, &data_dir, &take] { return make_now(gpid, data_dir, std::move(take)); });
  --making_;
  co_return made;
}

Result<int64_t> KeptCheckpoints::make_now(Gpid gpid, const std::string& data_dir, Take take) {
  const auto unnamed = fmt::format("{}/{}", data_dir, kUnnamed);
  TRY(base::remove_tree(unnamed));
  const auto decree = TRY(take(unnamed));
  take = {};  // what it holds is released before anything else is done
  failpoint("dup.checkpoint_made");
  const auto folder = fmt::format("{}/{}{}", data_dir, kPrefix, decree);
  const auto old = replace(gpid, nullptr);
  TRY(base::remove_tree(folder));  // of the same decree: rows may have been loaded since
  TRY(base::rename_file(unnamed, folder));
  failpoint("dup.checkpoint_named");
  replace(gpid, TRY(look_at(folder, decree)));
  if (old && old->decree != decree) delete_files(*old);
  return decree;
}

Result<void> KeptCheckpoints::find_left(Gpid gpid, const std::string& data_dir) {
  std::vector<int64_t> decrees;
  for (const auto& name : TRY(base::names_in(data_dir))) {
    if (name == kUnnamed) TRY(base::remove_tree(data_dir + "/" + name));
    if (const auto decree = decree_of_name(name)) decrees.push_back(*decree);
  }
  std::ranges::sort(decrees, std::greater());
  for (const auto decree : decrees) {
    const auto folder = fmt::format("{}/{}{}", data_dir, kPrefix, decree);
    if (decree != decrees.front()) {
      TRY(base::remove_tree(folder));
    } else if (auto kept = TRY(look_at(folder, decree)); kept->find("CURRENT")) {
      replace(gpid, std::move(kept));
    } else {  // a kill has ended its removal
      TRY(base::remove_tree(folder));
    }
  }
  return {};
}

void KeptCheckpoints::remove(Gpid gpid) {
  if (making_ == 0 && !of(gpid)) return;
  // On the pool: behind a make() that is under way.
  pool_.post([this, gpid] {
    if (const auto old = replace(gpid, nullptr)) delete_files(*old);
  });
}

void KeptCheckpoints::forget(Gpid gpid) { replace(gpid, nullptr); }

// CURRENT goes first: without it a folder is not taken for a checkpoint.
void KeptCheckpoints::delete_files(const KeptCheckpoint& checkpoint) const {
  std::error_code ignored;
  std::filesystem::remove(checkpoint.folder + "/CURRENT", ignored);
  if (auto removed = base::remove_tree(checkpoint.folder); !removed)
    log_.error(fmt::format("{}; it takes space until the partition is opened again",
                           removed.error().to_string()));
  failpoint("dup.checkpoint_removed");
}

KeptCheckpointPtr KeptCheckpoints::replace(Gpid gpid, KeptCheckpointPtr checkpoint) {
  std::lock_guard lock(mutex_);
  auto& place = kept_[gpid];
  auto old = std::exchange(place, std::move(checkpoint));
  if (!place) kept_.erase(gpid);
  return old;
}

KeptCheckpointPtr KeptCheckpoints::of(Gpid gpid) const {
  std::lock_guard lock(mutex_);
  const auto found = kept_.find(gpid);
  return found == kept_.end() ? nullptr : found->second;
}

KeptCheckpointPtr KeptCheckpoints::at(std::string_view folder) const {
  std::lock_guard lock(mutex_);
  for (const auto& [gpid, checkpoint] : kept_)
    if (checkpoint->folder == folder) return checkpoint;
  return nullptr;
}

}  // namespace pegmove::server::replica
