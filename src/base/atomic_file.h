// A file that appears whole or not at all: whoever opens its path finds what was there before or
// all of the new bytes, also after a kill or a power cut.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/local_file.h"

namespace pegmove::base {

struct AtomicFileOptions {
  mode_t mode = 0666;  // of a new file, less the umask; one that is replaced keeps its own
  // A link at the path stays, and what it points to is replaced. False: the link is replaced.
  bool follows_links = true;
};

// The bytes go to a file with a name of its own beside the path ("PATH.tmp-1a2b3c4d") until
// commit(). Without a commit that file goes with the object; remove_leftovers() removes it after a
// kill. Devices, pipes, and descriptors of this process ("/dev/stdout", whatever that is) cannot be
// replaced: they are written as they are, and what was written is not taken back. Blocks; for one
// thread at a time. Errors of all: kIo, naming the path and the step.
class AtomicFile {
 public:
  // Begins with nothing. A folder at the path is refused.
  static Result<AtomicFile> create(const std::string& path, AtomicFileOptions options = {});
  static Result<AtomicFile> standard_output();
  // Begins with the bytes of `existing`, a plain file on the same file system, without a copy: by a
  // hard link. Nothing can be appended. An error may mean just that: no link can be made there.
  static Result<AtomicFile> link(const std::string& existing, const std::string& path,
                                 AtomicFileOptions options = {});

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  const std::string& path() const { return path_; }
  // Small pieces are collected: they reach the system with flush() at the latest.
  Result<void> append(std::string_view bytes);
  Result<void> flush();
  // The disk may begin with what the system has so far; nothing waits.
  void begin_sync();
  Result<void> sync();  // waits until all is on the disk, still under the other name
  // What the system has; after flush() all that was appended.
  Result<int64_t> size() const { return file_.size(); }
  // All is on the disk under the path when this returns. After an error the path has what was there
  // before or, when the last step failed (syncing the folder), perhaps the new bytes.
  // To be called once, at the end.
  Result<void> commit();

 private:
  // `temporary`: "" for what is written as it is.
  AtomicFile(std::string path, std::string place, std::string temporary, LocalFile file);
  static Result<AtomicFile> as_it_is(const std::string& path, Result<LocalFile> file);
  static Result<AtomicFile> begin(const std::string& path, const AtomicFileOptions& options,
                                  const std::string* existing);
  template <typename T>
  Result<T> in(Result<T> result) const;

  std::string path_;       // as it was given
  std::string place_;      // behind the links
  std::string temporary_;  // "": there is nothing to rename or to remove
  LocalFile file_;
  std::string collected_;
  bool is_synced_ = false;
  bool is_committed_ = false;
};

// Removes what was left beside the path by kills. Only for a path that nobody writes now.
// Nothing to remove is no error. Errors: kIo.
Result<void> remove_leftovers(const std::string& path);

}  // namespace pegmove::base
