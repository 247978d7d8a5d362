#include "blockstore/local_store.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/small_file.h"
#include "blockstore/digest.h"
#include "blockstore/path.h"

namespace pegmove::blockstore {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLocalChunkBytes = 512 << 10;  // fits into the processor's caches
constexpr size_t kMostSidecarBytes = 4096;
// Files are written under temporary names. Without a sidecar they are not listed. A link is not a
// file of the store (see stat_file()).
constexpr base::AtomicFileOptions kInStore{.follows_links = false};

std::string sidecar_path(const std::string& file) {
  return parent_of(file) + "/." + name_of(file) + ".meta";
}

bool is_sidecar(std::string_view name) { return name.starts_with('.') && name.ends_with(".meta"); }

// {"md5":"...","size":N}
std::string sidecar_text(const std::string& md5, int64_t size) {
  return base::json_text(nlohmann::ordered_json{{"md5", md5}, {"size", size}});
}

class LocalUpload : public Upload {
 public:
  // `is_whole`: the file already has its bytes.
  LocalUpload(base::AtomicFile file, bool is_whole) : file_(std::move(file)), is_whole_(is_whole) {}

  Result<void> append(std::string_view bytes) override {
    if (is_whole_) return {};
    TRY(file_.append(bytes));
    file_.begin_sync();
    return {};
  }
  // The old sidecar is removed first: a file never has the sidecar of another one.
  Result<void> finish(const std::string& md5) override {
    TRY(file_.sync());
    const auto sidecar = sidecar_path(file_.path());
    if (::unlink(sidecar.c_str()) != 0 && errno != ENOENT)
      return fail(base::system_error("removing", sidecar, errno));
    const auto size = TRY(file_.size());
    TRY(file_.commit());
    return base::replace_file(sidecar, sidecar_text(md5, size));
  }

 private:
  base::AtomicFile file_;
  bool is_whole_;
};

// A file that is created there belongs to the folder's group, or gets its access list.
bool gives_rights(const std::string& folder) {
  struct stat found{};
  return ::stat(folder.c_str(), &found) != 0 || (found.st_mode & S_ISGID) != 0 ||
         ::getxattr(folder.c_str(), "system.posix_acl_default", nullptr, 0) > 0;
}

// A folder has no checksum of the real contents: the file is read.
class LocalProof : public Proof {
 public:
  LocalProof(base::LocalFile file, Entry noted)
      : file_(std::move(file)), noted_(std::move(noted)) {}

  void feed(std::string_view bytes) override {
    wanted_.feed(bytes);
    fed_ += int64_t(bytes.size());
  }

  Result<bool> holds() override {
    const auto wanted = wanted_.finish_hex();
    if (fed_ != noted_.size || wanted != noted_.md5) return false;
    Digest found;
    for (int64_t offset = 0; offset < fed_; offset += kLocalChunkBytes)
      found.feed(TRY(file_.read(offset, kLocalChunkBytes)));
    return found.finish_hex() == wanted && TRY(file_.size()) == fed_;
  }

 private:
  base::LocalFile file_;
  Entry noted_;
  Digest wanted_;
  int64_t fed_ = 0;
};

class LocalStore : public BlockStore {
 public:
  LocalStore(std::string name, std::string root, bool needs_sidecars)
      : name_(std::move(name)), root_(std::move(root)), needs_sidecars_(needs_sidecars) {}

  std::string description() const override { return name_ + " (local_service " + root_ + ")"; }
  size_t chunk_bytes() const override { return kLocalChunkBytes; }

  Result<std::vector<Entry>> list(const std::string& path) override {
    const auto folder = TRY(place(path));
    TRY(check_root());
    std::vector<Entry> entries;
    for (const auto& name : TRY(in(base::names_in(folder)))) {
      if (is_sidecar(name)) continue;
      std::error_code ignored;
      const auto path = folder + "/" + name;
      if (fs::symlink_status(path, ignored).type() == fs::file_type::directory) {
        entries.push_back({.name = name, .is_folder = true});
      } else if (auto entry = stat_file(path)) {
        entries.push_back(std::move(*entry));
      }
    }
    return entries;
  }

  Result<Entry> stat(const std::string& path) override {
    const auto file = TRY(place(path));
    TRY(check_root());
    std::error_code error;
    if (fs::is_directory(file, error)) return Entry{.name = name_of(path), .is_folder = true};
    return in(stat_file(file));
  }

  Result<std::string> read(const std::string& path, int64_t offset, size_t size) override {
    return in(TRY(open(path)).read(offset, size));
  }
  Result<size_t> read_into(const std::string& path, int64_t offset, char* to,
                           size_t size) override {
    const auto file = TRY(open(path));
    if (size >= kLocalChunkBytes) file.will_read(offset + int64_t(size), 2 * kLocalChunkBytes);
    return in(file.read_into(offset, to, size));
  }

  Result<std::unique_ptr<Upload>> create(const std::string& path) override {
    const auto file = TRY(place(path));
    TRY(in(base::make_folders(parent_of(file))));
    return std::make_unique<LocalUpload>(TRY(in(base::AtomicFile::create(file, kInStore))), false);
  }

  // By a link. It may fail for reasons that cannot be checked before.
  Result<std::unique_ptr<Upload>> take(const std::string& local_path,
                                       const std::string& path) override {
    const auto file = TRY(place(path));
    TRY(in(base::make_folders(parent_of(file))));
    if (gives_rights(parent_of(file))) return nullptr;
    auto linked = base::AtomicFile::link(local_path, file, kInStore);
    if (!linked) return nullptr;
    linked->begin_sync();
    return std::make_unique<LocalUpload>(*std::move(linked), true);
  }

  Result<std::unique_ptr<Proof>> prove(const std::string& path) override {
    const auto file = TRY(place(path));
    auto noted = TRY(in(stat_file(file)));
    return std::make_unique<LocalProof>(TRY(in(base::LocalFile::open(file))), std::move(noted));
  }

  Result<void> remove(const std::string& path) override {
    if (path.empty()) return fail(Code::kRefused, description() + ": the root cannot be removed");
    const auto file = TRY(place(path));
    std::error_code error, ignored;
    // The sidecar last: a file that is half removed is still listed, and removed again.
    // Another process may be removing it too.
    do fs::remove_all(file, error);
    while (error == std::errc::no_such_file_or_directory && fs::exists(file, ignored));
    if (!error) fs::remove(sidecar_path(file), error);
    if (error)
      return fail(base::system_error("removing", file, error.value()).with_context(description()));
    return {};
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    const auto before = TRY(place(from)), after = TRY(place(to));
    TRY(in(base::make_folders(parent_of(after))));
    std::error_code error;
    const bool is_folder = fs::is_directory(before, error);
    TRY(in(base::rename_file(before, after)));
    if (!is_folder) TRY(in(base::rename_file(sidecar_path(before), sidecar_path(after))));
    return {};
  }

  std::unique_ptr<BlockStore> without_sidecars() override {
    if (!needs_sidecars_) return nullptr;
    return std::make_unique<LocalStore>(name_, root_, false);
  }

  Result<void> write_sidecar(const std::string& path, const std::string& md5) override {
    const auto file = TRY(place(path));
    const auto entry = TRY(in(look_at(file)));
    return in(base::replace_file(sidecar_path(file), sidecar_text(md5, entry.size)));
  }

 private:
  template <typename T>
  Result<T> in(Result<T> result) const {
    return in_context(std::move(result), description());
  }

  Result<base::LocalFile> open(const std::string& path) const {
    const auto file = TRY(place(path));
    TRY(check_root());
    TRY(in(stat_file(file)));
    return in(base::LocalFile::open(file));
  }

  // A disk that is not mounted must not look like an empty store.
  Result<void> check_root() const {
    std::error_code error;
    if (fs::is_directory(root_, error)) return {};
    return fail(Code::kIo, fmt::format("{}: the folder {} does not exist; is its disk mounted?",
                                       description(), root_));
  }

  // The path on this machine. Checks that its existing folders are below the root.
  Result<std::string> place(const std::string& path) const {
    auto checked = TRY(in(check_path(path)));
    auto file = checked.empty() ? root_ : root_ + "/" + checked;
    std::error_code error;
    const auto real_root = fs::weakly_canonical(root_, error);
    const auto real = fs::weakly_canonical(file, error);
    const auto [end, ignored] =
        std::mismatch(real_root.begin(), real_root.end(), real.begin(), real.end());
    if (!error && end == real_root.end()) return file;
    return fail(Code::kRefused,
                fmt::format("{}: {} leads out of the folder through a link", description(), file));
  }

  Result<Entry> stat_file(const std::string& file) const {
    if (!needs_sidecars_) return look_at(file);
    struct stat found{};
    if (::lstat(file.c_str(), &found) != 0)
      return fail(base::system_error("looking at", file, errno));
    const auto sidecar = sidecar_path(file);
    auto opened = base::LocalFile::open(sidecar);
    if (!opened && opened.error().code() == Code::kNotFound)
      return fail(Code::kNotFound,
                  fmt::format("{} does not count as a file, since its sidecar {} is missing; copy "
                              "its folder with the dot files",
                              file, name_of(sidecar)));
    auto text = TRY(TRY(std::move(opened)).read(0, kMostSidecarBytes));
    const auto json = base::parse_json<nlohmann::json>(text);
    const auto noted = TRY(base::JsonFields::of(json, sidecar));
    Entry entry{.name = name_of(file),
                .size = TRY(noted.integer("size", 0, INT64_MAX)),
                .md5 = TRY(noted.text("md5"))};
    if (entry.size != found.st_size)
      return fail(Code::kCorrupt, fmt::format("{} has {} bytes instead of the {} in its sidecar",
                                              file, found.st_size, entry.size));
    return entry;
  }

  // Without its sidecar.
  static Result<Entry> look_at(const std::string& file) {
    struct stat found{};
    if (::lstat(file.c_str(), &found) != 0)
      return fail(base::system_error("looking at", file, errno));
    if (!S_ISREG(found.st_mode))
      return fail(Code::kIo, fmt::format("{} is not a regular file", file));
    return Entry{.name = name_of(file), .size = int64_t(found.st_size)};
  }

  std::string name_, root_;
  bool needs_sidecars_;
};

}  // namespace

std::unique_ptr<BlockStore> make_local_store(std::string name, std::string root) {
  while (root.size() > 1 && root.ends_with('/')) root.pop_back();
  return std::make_unique<LocalStore>(std::move(name), std::move(root), true);
}

}  // namespace pegmove::blockstore
