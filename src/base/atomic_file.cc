#include "base/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/units.h"

namespace pegmove::base {
namespace {

namespace fs = std::filesystem;

constexpr size_t kCollectBytes = 64 << 10;
constexpr size_t kMostNameBytes = 200;  // of the path's name in a temporary one, which has 255
constexpr int kMostLinks = 40;          // as in the kernel
constexpr int kMostTries = 100;
constexpr size_t kRandomBytes = 4;

std::unexpected<Error> failed(const std::string& path, Error error) {
  return fail(Error(Code::kIo, error.message()).with_context("writing " + path));
}

// The path with the links at its end resolved, whether the file exists or not.
Result<std::string> behind_links(const std::string& path) {
  fs::path place = path;
  for (int i = 0; i < kMostLinks; ++i) {
    std::error_code no_link;
    const auto target = fs::read_symlink(place, no_link);
    if (no_link) return place.string();
    place = place.parent_path() / target;  // an absolute target replaces it
  }
  return fail(system_error("following", path, ELOOP));
}

// The descriptor of this process that a path like "/dev/stdout" or "/dev/fd/3" means. The file that
// it is open for belongs to somebody else: it may already have content, and must not be replaced.
std::optional<int> own_descriptor(const std::string& path) {
  const fs::path own = fmt::format("/proc/{}/fd", ::getpid());
  fs::path place = path;
  for (int i = 0; i < kMostLinks; ++i) {
    std::error_code error;
    const auto folder = fs::canonical(place.has_parent_path() ? place.parent_path() : ".", error);
    const auto number = parse_integer(place.filename().string(), 0, INT32_MAX);
    if (!error && folder == own && number) return int(*number);
    const auto target = fs::read_symlink(place, error);
    if (error) return std::nullopt;
    place = place.parent_path() / target;
  }
  return std::nullopt;
}

std::optional<mode_t> mode_of_file(const std::string& place) {
  struct stat found{};
  if (::lstat(place.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) return std::nullopt;
  return found.st_mode & 0777;
}

// The prefix of all temporary names of a path.
std::string other_names(const fs::path& place) {
  return place.filename().string().substr(0, kMostNameBytes) + ".tmp";
}

std::string new_name(const fs::path& place) {
  char random[kRandomBytes] = {};
  // The result does not matter: creating the file decides whether the name is new.
  [[maybe_unused]] const auto got = getrandom(random, sizeof random, 0);
  return place.parent_path() / (other_names(place) + "-" + to_hex({random, sizeof random}));
}

// Also "PATH.tmp", which earlier versions left.
bool is_other_name(const fs::path& place, std::string_view name) {
  const auto begin = other_names(place);
  if (!name.starts_with(begin)) return false;
  name.remove_prefix(begin.size());
  return name.empty() ||
         (name.starts_with('-') && name.size() == 1 + 2 * kRandomBytes && from_hex(name.substr(1)));
}

std::string folder_of(const fs::path& place) {
  return place.has_parent_path() ? place.parent_path().string() : ".";
}

bool takes_new_files(const std::string& folder) {
  return ::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) == 0;
}

// A file that nobody else uses: empty, or another name of `existing`.
Result<LocalFile> make_temporary(const std::string& name, mode_t mode,
                                 const std::string* existing) {
  if (!existing) return LocalFile::create(name, mode);
  if (::link(existing->c_str(), name.c_str()) != 0)
    return fail(system_error(fmt::format("linking {} to", *existing), name, errno));
  auto file = LocalFile::open(name);
  if (!file) ::unlink(name.c_str());
  return file;
}

}  // namespace

AtomicFile::AtomicFile(std::string path, std::string place, std::string temporary, LocalFile file)
    : path_(std::move(path)),
      place_(std::move(place)),
      temporary_(std::move(temporary)),
      is_direct_(temporary_.empty()),
      file_(std::move(file)) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      place_(std::move(other.place_)),
      temporary_(std::exchange(other.temporary_, "")),
      is_direct_(other.is_direct_),
      file_(std::move(other.file_)),
      collected_(std::move(other.collected_)),
      is_in_place_(other.is_in_place_),
      has_old_bytes_(other.has_old_bytes_),
      is_synced_(other.is_synced_),
      is_committed_(other.is_committed_) {}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

template <typename T>
Result<T> AtomicFile::in(Result<T> result) const {
  if (!result) return failed(path_, std::move(result.error()));
  return result;
}

Result<AtomicFile> AtomicFile::create(const std::string& path, AtomicFileOptions options) {
  return begin(path, options, nullptr);
}

Result<AtomicFile> AtomicFile::standard_output() {
  const std::string name = "standard output";
  return as_it_is(name, LocalFile::of_descriptor(STDOUT_FILENO, name));
}

Result<AtomicFile> AtomicFile::link(const std::string& existing, const std::string& path,
                                    AtomicFileOptions options) {
  return begin(path, options, &existing);
}

Result<AtomicFile> AtomicFile::as_it_is(const std::string& path, Result<LocalFile> file) {
  if (!file) return failed(path, std::move(file.error()));
  return AtomicFile(path, path, "", std::move(*file));
}

Result<AtomicFile> AtomicFile::in_place(const std::string& path, const std::string& place) {
  auto file = TRY(as_it_is(path, LocalFile::open_to_write(place)));
  file.is_in_place_ = file.has_old_bytes_ = true;
  return file;
}

Result<AtomicFile> AtomicFile::begin(const std::string& path, const AtomicFileOptions& options,
                                     const std::string* existing) {
  auto place = path;
  if (options.follows_links) {
    if (const auto descriptor = own_descriptor(path))
      return as_it_is(path, LocalFile::of_descriptor(*descriptor, path));
    // The target of a link counts, even when it is not a path.
    struct stat found{};
    const bool is_there = ::stat(path.c_str(), &found) == 0;
    if (is_there && S_ISDIR(found.st_mode)) return failed(path, {Code::kIo, "it is a directory"});
    if (is_there && !S_ISREG(found.st_mode)) return as_it_is(path, LocalFile::open_to_write(path));
    auto behind = behind_links(path);
    if (!behind) return failed(path, std::move(behind.error()));
    place = std::move(*behind);
  }
  const auto replaced = mode_of_file(place);
  if (options.may_be_in_place && replaced && !takes_new_files(folder_of(place)))
    return in_place(path, place);
  for (int tries = 1;; ++tries) {
    auto temporary = new_name(place);
    auto made = make_temporary(temporary, replaced.value_or(options.mode), existing);
    if (made) {
      AtomicFile file(path, place, std::move(temporary), std::move(*made));
      // The umask has reduced the mode; a hard link shares its mode with the other name.
      if (replaced && !existing) TRY(file.in(file.file_.set_mode(*replaced)));
      return file;
    }
    if (made.error().code() != Code::kAlreadyExists || tries == kMostTries)
      return failed(path, std::move(made.error()));
  }
}

Result<void> AtomicFile::append(std::string_view bytes) {
  check(!is_committed_, "nothing is appended to a file after its commit");
  if (collected_.size() + bytes.size() < kCollectBytes) {
    collected_ += bytes;
    return {};
  }
  TRY(flush());
  if (bytes.size() < kCollectBytes) {
    collected_ = bytes;
    return {};
  }
  return write(bytes);
}

Result<void> AtomicFile::write(std::string_view bytes) {
  TRY(drop_old_bytes());
  is_synced_ = false;
  return in(file_.append(bytes));
}

Result<void> AtomicFile::drop_old_bytes() {
  if (!std::exchange(has_old_bytes_, false)) return {};
  is_synced_ = false;
  return in(file_.make_empty());
}

Result<void> AtomicFile::flush() {
  if (collected_.empty()) return {};
  TRY(write(collected_));
  collected_.clear();
  return {};
}

void AtomicFile::begin_sync() {
  if (!temporary_.empty()) file_.begin_sync();
}

Result<void> AtomicFile::sync() {
  TRY(flush());
  const bool is_special = is_direct_ && !is_in_place_;
  if (is_special || is_synced_) return {};
  TRY(in(file_.sync()));
  is_synced_ = true;
  return {};
}

Result<void> AtomicFile::commit() {
  check(!std::exchange(is_committed_, true), "a file is committed once");
  TRY(drop_old_bytes());  // also when there are no new ones
  TRY(sync());
  if (temporary_.empty()) return {};
  auto renamed = rename_file(temporary_, place_);
  if (renamed) temporary_.clear();
  return in(std::move(renamed));
}

Result<void> remove_leftovers(const std::string& path) {
  const fs::path place = path;
  const auto folder = folder_of(place);
  const auto names = names_in(folder);
  if (!names && names.error().code() == Code::kNotFound) return {};
  if (!names) return fail(names.error());
  for (const auto& name : *names) {
    const auto file = folder + "/" + name;
    if (is_other_name(place, name) && ::unlink(file.c_str()) != 0 && errno != ENOENT)
      return fail(system_error("removing", file, errno));
  }
  return {};
}

}  // namespace pegmove::base
