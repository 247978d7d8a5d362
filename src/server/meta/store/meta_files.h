// What a MetaStore asks of a file system. Tests put one in its place that loses what was not
// synced.
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
    virtual Result<void> sync() = 0;  // waits until all of it is on the disk; errors: kIo
  };

  virtual ~MetaFiles() = default;
  // Nothing when there is no such file. Errors: kIo; kCorrupt when it has more than `most_bytes`.
  virtual Result<std::optional<std::string>> read(const std::string& path, size_t most_bytes) = 0;
  // An empty file, whatever was there. Errors: kIo.
  virtual Result<std::unique_ptr<File>> create(const std::string& path) = 0;
  // Gives a file another name, and takes that from the file that had it; waits until that is on the
  // disk. Errors: kIo; it may have the name then or not.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
};

// Those of this machine.
std::unique_ptr<MetaFiles> make_local_files();

}  // namespace pegmove::server::meta
