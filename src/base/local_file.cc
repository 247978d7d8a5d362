#include "base/local_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

namespace pegmove::base {
namespace {

std::string parent_of(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

Code code_of(int number) {
  switch (number) {
    case ENOENT:
    case ENOTDIR: return Code::kNotFound;
    case EEXIST: return Code::kAlreadyExists;
    default: return Code::kIo;
  }
}

}  // namespace

Error system_error(const std::string& doing, const std::string& path, int number) {
  return {code_of(number), fmt::format("{} {}: {}", doing, path, std::strerror(number))};
}

Result<LocalFile> LocalFile::open_with(const std::string& path, int flags, mode_t mode,
                                       const char* doing) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return fail(system_error(doing, path, errno));
  return LocalFile(path, fd);
}

Result<LocalFile> LocalFile::open_regular(const std::string& path, int flags) {
  auto file = TRY(open_with(path, O_RDONLY | flags, 0, "opening"));
  if (!S_ISREG(TRY(file.look()).st_mode))
    return fail(Code::kIo, fmt::format("opening {}: it is not a regular file", path));
  return file;
}

Result<LocalFile> LocalFile::open(const std::string& path) {
  return open_regular(path, O_NOFOLLOW);
}

Result<LocalFile> LocalFile::open_given(const std::string& path) { return open_regular(path, 0); }

Result<LocalFile> LocalFile::create(const std::string& path, mode_t mode) {
  return open_with(path, O_WRONLY | O_CREAT | O_EXCL, mode, "creating");
}

Result<LocalFile> LocalFile::open_to_write(const std::string& path) {
  return open_with(path, O_WRONLY | O_NOCTTY, 0, "opening");
}

Result<LocalFile> LocalFile::of_descriptor(int descriptor, const std::string& name) {
  const int fd = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return fail(system_error("opening", name, errno));
  return LocalFile(name, fd);
}

Result<void> LocalFile::set_mode(mode_t mode) {
  if (::fchmod(fd_.get(), mode) != 0)
    return fail(system_error("setting the mode of", path_, errno));
  return {};
}

Result<struct stat> LocalFile::look() const {
  struct stat found{};
  if (fstat(fd_.get(), &found) != 0) return fail(system_error("looking at", path_, errno));
  return found;
}

Result<int64_t> LocalFile::size() const { return int64_t(TRY(look()).st_size); }

Result<mode_t> LocalFile::mode() const { return TRY(look()).st_mode & 0777; }

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
  ::posix_fadvise(fd_.get(), off_t(offset), off_t(size), POSIX_FADV_WILLNEED);
}

Result<size_t> LocalFile::read_into(int64_t offset, char* to, size_t size) const {
  size_t done = 0;
  while (done < size) {
    const ssize_t got = ::pread(fd_.get(), to + done, size - done, off_t(offset) + off_t(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error("reading", path_, errno));
    if (got == 0) break;
    done += size_t(got);
  }
  return done;
}

Result<void> LocalFile::make_empty() {
  if (::ftruncate(fd_.get(), 0) != 0) return fail(system_error("emptying", path_, errno));
  return {};
}

Result<void> LocalFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(system_error("writing", path_, errno));
    bytes.remove_prefix(size_t(written));
    appended_ += written;
  }
  return {};
}

void LocalFile::begin_sync() {
  ::sync_file_range(fd_.get(), begun_, 0, SYNC_FILE_RANGE_WRITE);  // to its end
  begun_ = appended_;
}

Result<void> LocalFile::sync() {
  if (::fsync(fd_.get()) != 0) return fail(system_error("syncing", path_, errno));
  return {};
}

Result<void> make_folders(const std::string& path, mode_t mode) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return {};
  const auto parent = parent_of(path);
  if (parent != path) TRY(make_folders(parent, mode));
  if (::mkdir(path.c_str(), mode) == 0) return sync_folder(parent);
  const int number = errno;
  // Another process may have made it meanwhile; and "a/b/" and "a/." exist by now.
  if (number == EEXIST && std::filesystem::is_directory(path, ignored)) return {};
  return fail(Code::kIo, fmt::format("making the folder {}: {}", path, std::strerror(number)));
}

Result<void> sync_folder(const std::string& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open()) return fail(system_error("opening", path, errno));
  if (::fsync(folder.get()) != 0 && !cannot_sync_folders(errno))
    return fail(system_error("syncing", path, errno));
  return {};
}

bool cannot_sync_folders(int number) {
  return number == EINVAL || number == ENOTSUP || number == ENOSYS;
}

Result<void> rename_file(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) {
    const int number = errno;
    return fail(system_error(fmt::format("renaming {} to", from), to, number));
  }
  return sync_folder(parent_of(to));
}

Result<void> remove_tree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return fail(Code::kIo, fmt::format("removing {}: {}", path, error.message()));
  return {};
}

Result<std::vector<std::string>> names_in(const std::string& folder) {
  struct Closer {
    void operator()(DIR* opened) const { ::closedir(opened); }
  };
  const std::unique_ptr<DIR, Closer> opened(::opendir(folder.c_str()));
  if (!opened) return fail(system_error("listing", folder, errno));
  std::vector<std::string> names;
  errno = 0;
  while (const auto* entry = ::readdir(opened.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return fail(system_error("listing", folder, errno));
  std::ranges::sort(names);
  return names;
}

Result<std::string> absolute_path(const std::string& path) {
  std::error_code error;
  auto absolute = path.empty() ? std::filesystem::path() : std::filesystem::absolute(path, error);
  if (error) return fail(system_error("finding the working directory for", path, error.value()));
  return absolute.string();
}

}  // namespace pegmove::base
