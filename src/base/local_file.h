// Local files and folders: complete errors, no partial reads, no exceptions. A file that is written
// for others to read is an AtomicFile (base/atomic_file.h).
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"

namespace pegmove::base {

// An open file; closed by the destructor. Errors: kNotFound and kIo, naming the path and the
// system's reason.
class LocalFile {
 public:
  static Result<LocalFile> open(const std::string& path);  // to read; refuses links and folders
  // To read a file of a path that a person gave: links are followed.
  static Result<LocalFile> open_given(const std::string& path);
  // To write a new file; `mode` minus the umask. Errors: also kAlreadyExists.
  static Result<LocalFile> create(const std::string& path, mode_t mode);
  // To write to a device, a pipe, or a file that has this path already.
  static Result<LocalFile> open_to_write(const std::string& path);
  // The file that a descriptor of this process is open for, from its current offset. `name` is for
  // errors.
  static Result<LocalFile> of_descriptor(int descriptor, const std::string& name);

  const std::string& path() const { return path_; }
  Result<int64_t> size() const;
  Result<mode_t> mode() const;  // the permissions, 0777 at most
  Result<void> set_mode(mode_t mode);
  // Up to `size` bytes from `offset`; fewer only at the end of the file.
  Result<std::string> read(int64_t offset, size_t size) const;
  // Starts reading these bytes ahead, without waiting.
  void will_read(int64_t offset, size_t size) const;
  Result<size_t> read_into(int64_t offset, char* to, size_t size) const;
  Result<void> make_empty();
  Result<void> append(std::string_view bytes);
  // Starts writing to disk what has been written so far, without waiting.
  void begin_sync();
  Result<void> sync();  // waits until all is on disk

 private:
  LocalFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  static Result<LocalFile> open_with(const std::string& path, int flags, mode_t mode,
                                     const char* doing);
  static Result<LocalFile> open_regular(const std::string& path, int flags);
  Result<struct stat> look() const;

  std::string path_;
  Descriptor fd_;
  int64_t appended_ = 0;
  int64_t begun_ = 0;
};

Error system_error(const std::string& doing, const std::string& path, int number);

// Each step is on disk when these return. Errors: kIo; the last two also kNotFound. make_folders():
// also creates missing parents, all with `mode` minus the umask.
Result<void> make_folders(const std::string& path, mode_t mode = 0777);
Result<void> rename_file(const std::string& from, const std::string& to);
// Syncs the directory entries of a folder. Does nothing on a file system that cannot sync folders:
// their entries are then as durable as it makes them by itself.
Result<void> sync_folder(const std::string& path);
// Whether this error number of fsync() for a folder only means that (fsync(2): EINVAL).
bool cannot_sync_folders(int number);

// With all that is in it. What is not there is no error. A power cut may bring it back. Errors:
// kIo.
Result<void> remove_tree(const std::string& path);

// The names in a folder, in their order. Errors: kNotFound, kIo, naming the folder.
Result<std::vector<std::string>> names_in(const std::string& folder);
// From the root, without touching the disk; "" stays "". Errors: kIo, kNotFound, for a relative
// path when the working directory cannot be determined.
Result<std::string> absolute_path(const std::string& path);

}  // namespace pegmove::base
