#include "base/local_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

namespace pegmove::base {

Error system_error(const std::string& doing, const std::string& path, int number) {
  const bool is_missing = number == ENOENT || number == ENOTDIR;
  return {is_missing ? Code::kNotFound : Code::kIo,
          doing + " " + path + ": " + std::strerror(number)};
}

Result<LocalFile> LocalFile::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return fail(system_error("opening", path, errno));
  LocalFile file(path, fd);
  struct stat found{};
  if (fstat(fd, &found) != 0) return fail(system_error("looking at", path, errno));
  if (!S_ISREG(found.st_mode)) return fail(Code::kIo, "opening " + path + ": it is no plain file");
  return file;
}

Result<LocalFile> LocalFile::create(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return fail(system_error("creating", path, errno));
  return LocalFile(path, fd);
}

LocalFile::LocalFile(LocalFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      appended_(other.appended_),
      begun_(other.begun_) {}

LocalFile& LocalFile::operator=(LocalFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(appended_, other.appended_);
  std::swap(begun_, other.begun_);
  return *this;
}

LocalFile::~LocalFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<int64_t> LocalFile::size() const {
  struct stat found{};
  if (fstat(fd_, &found) != 0) return fail(system_error("looking at", path_, errno));
  return int64_t(found.st_size);
}

Result<std::string> LocalFile::read(int64_t offset, size_t size) const {
  std::string bytes;
  std::optional<Error> failed;
  bytes.resize_and_overwrite(size, [&](char* to, size_t most) {
    auto done = read_into(offset, to, most);
    if (done) return *done;
    failed = std::move(done.error());
    return size_t{0};
  });
  if (failed) return fail(*std::move(failed));
  return bytes;
}

void LocalFile::will_read(int64_t offset, size_t size) const {
  ::posix_fadvise(fd_, off_t(offset), off_t(size), POSIX_FADV_WILLNEED);
}

Result<size_t> LocalFile::read_into(int64_t offset, char* to, size_t size) const {
  size_t done = 0;
  while (done < size) {
    const ssize_t got = ::pread(fd_, to + done, size - done, off_t(offset) + off_t(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error("reading", path_, errno));
    if (got == 0) break;
    done += size_t(got);
  }
  return done;
}

Result<void> LocalFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(system_error("writing", path_, errno));
    bytes.remove_prefix(size_t(written));
    appended_ += written;
  }
  return {};
}

void LocalFile::begin_sync() {
  ::sync_file_range(fd_, begun_, 0, SYNC_FILE_RANGE_WRITE);  // to its end
  begun_ = appended_;
}

Result<void> LocalFile::sync() {
  if (::fsync(fd_) != 0) return fail(system_error("syncing", path_, errno));
  return {};
}

Result<void> make_folders(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return fail(Code::kIo, "making the folder " + path + ": " + error.message());
  return {};
}

Result<void> sync_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail(system_error("opening", path, errno));
  const int failed = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (failed != 0) return fail(system_error("syncing", path, failed));
  return {};
}

Result<void> rename_file(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) {
    const int number = errno;
    return fail(system_error("renaming " + from + " to", to, number));
  }
  const auto folder = std::filesystem::path(to).parent_path().string();
  return sync_folder(folder.empty() ? "." : folder);
}

}  // namespace pegmove::base
