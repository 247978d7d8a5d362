// A file that appears whole or not at all: whoever opens its path finds the old content or all of
// the new bytes, also after a kill or a power cut.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/local_file.h"

namespace pegmove::base {

struct AtomicFileOptions {
  mode_t mode = 0666;  // of a new file, minus the umask; a replaced file keeps its mode
  // A link at the path stays, and its target is replaced. False: the link is replaced.
  bool follows_links = true;
  // A file that may be written, in a folder that may not, is written in place. False: it is an
  // error, since an end before commit() then leaves a part of the new bytes.
  bool may_be_in_place = false;
};

// The bytes go to a temporary file beside the path ("PATH.tmp-1a2b3c4d") until commit(). Without a
// commit the destructor removes that file; remove_leftovers() removes it after a kill. Devices,
// pipes, and descriptors of this process ("/dev/stdout", whatever its type) cannot be replaced:
// they are written directly, and what was written is not undone; so are files that are written in
// place (AtomicFileOptions::may_be_in_place). Blocks; for one thread at a time.
// Errors of all: kIo, naming the path and the step.
class AtomicFile {
 public:
  // Begins empty. A folder at the path is refused.
  static Result<AtomicFile> create(const std::string& path, AtomicFileOptions options = {});
  static Result<AtomicFile> standard_output();
  // Begins with the bytes of `existing`, a plain file on the same file system, without a copy: by a
  // hard link. Nothing can be appended. An error may only mean that no link can be made there.
  static Result<AtomicFile> link(const std::string& existing, const std::string& path,
                                 AtomicFileOptions options = {});

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  const std::string& path() const { return path_; }
  // Written directly: until the commit has succeeded, the path may have a part of the bytes.
  bool is_direct() const { return is_direct_; }
  // Small pieces are buffered: they reach the system with flush() at the latest.
  Result<void> append(std::string_view bytes);
  Result<void> flush();
  // Starts writing to disk what the system has so far, without waiting.
  void begin_sync();
  Result<void> sync();  // waits until all is on disk, still under the temporary name
  // Bytes that the system has; after flush() all that was appended.
  Result<int64_t> size() const { return file_.size(); }
  // All is on disk under the path when this returns. After an error the path has its old content
  // or, when the last step failed (syncing the folder), perhaps the new bytes. To be called once,
  // at the end.
  Result<void> commit();

 private:
  // `temporary`: "" for what is written directly.
  AtomicFile(std::string path, std::string place, std::string temporary, LocalFile file);
  static Result<AtomicFile> as_it_is(const std::string& path, Result<LocalFile> file);
  static Result<AtomicFile> in_place(const std::string& path, const std::string& place);
  static Result<AtomicFile> begin(const std::string& path, const AtomicFileOptions& options,
                                  const std::string* existing);
  template <typename T>
  Result<T> in(Result<T> result) const;
  Result<void> write(std::string_view bytes);
  Result<void> drop_old_bytes();

  std::string path_;       // as it was given
  std::string place_;      // with the links resolved
  std::string temporary_;  // "": nothing to rename or remove
  bool is_direct_;
  LocalFile file_;
  std::string collected_;
  bool is_in_place_ = false;    // direct, but a regular file
  bool has_old_bytes_ = false;  // it keeps them until there are new ones
  bool is_synced_ = false;
  bool is_committed_ = false;
};

// Removes temporary files that kills left beside the path. Only for a path that nobody is writing.
// Nothing to remove is not an error. Errors: kIo.
Result<void> remove_leftovers(const std::string& path);

}  // namespace pegmove::base
