// What another server says about a checkpoint, checked; and the blocks in which its files are
// fetched.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "learn_types.h"

namespace pegmove::server::replica {

// A checkpoint of 1 TB in table files of 64 MiB has some 16,000.
inline constexpr size_t kMostCheckpointFiles = 200'000;

struct CheckpointFiles {
  std::string folder;  // on the server that has it
  int64_t decree = 0;
  std::vector<std::string> names;
  std::vector<std::string> md5;  // in the order of the names; empty: not given
  std::vector<int64_t> sizes;    // as soon as they are known
  int64_t all_bytes = 0;         // of them together
};

// Errors: kProtocol: a name that is no name of a file in a folder, a name that comes twice, no
// CURRENT, more than kMostCheckpointFiles, or lists that contradict each other.
Result<CheckpointFiles> files_of(const wire::learn_response& response);
// Adds the sizes. Errors: kProtocol: of other files, below 0, or other than those before.
Result<void> add_sizes(CheckpointFiles& files, const wire::get_file_size_response& response);

struct FileBlock {
  size_t file = 0;  // index of its name
  int64_t offset = 0;
  int32_t size = 0;
  bool is_last = false;  // of its file
};

// The blocks of files of these sizes, in the order in which real servers ask for them; an empty
// file is one empty block. They are computed, not stored: sizes come from outside.
class FileBlocks {
 public:
  FileBlocks(std::vector<int64_t> sizes, int64_t block_bytes);
  size_t count() const { return ends_.empty() ? 0 : ends_.back(); }
  // Precondition: index < count().
  FileBlock at(size_t index) const;

 private:
  std::vector<int64_t> sizes_;
  int64_t block_bytes_;
  std::vector<size_t> ends_;  // of each file: the number of blocks up to its end
};

}  // namespace pegmove::server::replica
