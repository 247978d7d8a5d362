#include "server/replica/duplication/checkpoint_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/bytes.h"

namespace pegmove::server::replica {
namespace {

constexpr size_t kLongestFileName = 255;

bool is_file_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestFileName && name != "." && name != ".." &&
         std::ranges::none_of(name, [](char c) { return c == '/' || c == '\0'; });
}

std::unexpected<Error> wrong(std::string what) {
  return fail(Code::kProtocol, "the answer of the master: " + std::move(what));
}

}  // namespace

Result<CheckpointFiles> files_of(const wire::learn_response& response) {
  const auto& state = response.state;
  if (state.files.size() > kMostCheckpointFiles)
    return wrong(fmt::format("{} files, more than {}", state.files.size(), kMostCheckpointFiles));
  std::set<std::string_view> seen;
  for (const auto& name : state.files) {
    if (!is_file_name(name))
      return wrong(fmt::format("\"{}\" is no name of a file", base::printable(name)));
    if (!seen.insert(name).second)
      return wrong(fmt::format("the file {} comes twice", base::printable(name)));
  }
  if (!seen.contains("CURRENT")) return wrong("there is no file CURRENT");
  if (!state.file_checksums.empty() && state.file_checksums.size() != state.files.size())
    return wrong("not as many checksums as files");
  if (!state.file_sizes.empty() && state.file_sizes.size() != state.files.size())
    return wrong("not as many sizes as files");
  return CheckpointFiles{.folder = response.base_local_dir,
                         .decree = state.to_decree_included,
                         .names = state.files,
                         .md5 = state.file_checksums,
                         .sizes = state.file_sizes};
}

Result<void> add_sizes(CheckpointFiles& files, const wire::get_file_size_response& response) {
  if (response.file_list != files.names || response.size_list.size() != files.names.size())
    return wrong("sizes of other files than those asked for");
  if (!files.sizes.empty() && files.sizes != response.size_list)
    return wrong("sizes that differ from those before");
  files.all_bytes = 0;
  for (const auto size : response.size_list)
    if (size < 0 || __builtin_add_overflow(files.all_bytes, size, &files.all_bytes))
      return wrong(fmt::format("a file of {} bytes", size));
  files.sizes = response.size_list;
  return {};
}

FileBlocks::FileBlocks(std::vector<int64_t> sizes, int64_t block_bytes)
    : sizes_(std::move(sizes)), block_bytes_(block_bytes) {
  size_t end = 0;
  for (const auto size : sizes_) {
    end += size == 0 ? 1 : size_t((size - 1) / block_bytes_ + 1);
    ends_.push_back(end);
  }
}

FileBlock FileBlocks::at(size_t index) const {
  const auto file = size_t(std::ranges::upper_bound(ends_, index) - ends_.begin());
  const auto first = file == 0 ? 0 : ends_[file - 1];
  const auto offset = int64_t(index - first) * block_bytes_;
  const auto size = std::min(block_bytes_, sizes_[file] - offset);
  return {.file = file,
          .offset = offset,
          .size = int32_t(size),
          .is_last = offset + size == sizes_[file]};
}

}  // namespace pegmove::server::replica
