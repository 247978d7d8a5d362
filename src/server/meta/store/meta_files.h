// The file system as a MetaStore uses it. Tests replace it by one that loses what was not synced.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::server::meta {

class MetaFiles {
 public:
  // An open file.
  class File {
   public:
    virtual ~File() = default;
    virtual Result<void> append(std::string_view bytes) = 0;  // errors: kIo
    virtual Result<void> sync() = 0;  // waits until all of it is on disk; errors: kIo
  };

  virtual ~MetaFiles() = default;
  // Nothing when there is no such file. Errors: kIo; kCorrupt when it has more than `most_bytes`.
  virtual Result<std::optional<std::string>> read(const std::string& path, size_t most_bytes) = 0;
  // An empty file; an existing one is replaced. Errors: kIo.
  virtual Result<std::unique_ptr<File>> create(const std::string& path) = 0;
  // Renames a file, replacing an existing one; waits until that is on disk. Errors: kIo; the rename
  // may then have happened or not.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
};

// The local file system.
std::unique_ptr<MetaFiles> make_local_files();

}  // namespace pegmove::server::meta
