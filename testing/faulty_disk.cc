#include "testing/faulty_disk.h"

#include <rocksdb/file_system.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <limits>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace pegmove::testing {

namespace fs = std::filesystem;
using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using Kind = DiskOperation::Kind;

namespace {

constexpr int64_t kEndless = std::numeric_limits<int64_t>::max();

std::string normal(const std::string& path) {
  auto text = fs::path(path).lexically_normal().string();
  if (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

std::string folder_of(const std::string& path) { return fs::path(path).parent_path(); }

IOStatus error_of(const DiskFault& fault) {
  if (!fault.is_full) return IOStatus::IOError("the test's disk is broken");
  IOStatus full = IOStatus::NoSpace("the test's disk is full");
  full.SetRetryable(true);
  return full;
}

// `path` if it is not `from` or in it; else where it is after `from` was renamed.
std::string moved(const std::string& path, const std::string& from, const std::string& to) {
  if (path == from) return to;
  return path.starts_with(from + "/") ? to + path.substr(from.size()) : path;
}

// What of a file is on the disk for sure.
struct FileState {
  int64_t size = 0;
  int64_t synced = 0;
  std::vector<int64_t> ends;  // of appends, since the last sync

  int64_t size_after_power_cut(std::mt19937_64& random) const {
    if (size == synced) return size;
    // A file system may write a file's end at any moment: mostly between two appends.
    if (!ends.empty() && random() % 2 == 0) return ends[random() % ends.size()];
    return synced + int64_t(random() % uint64_t(size - synced + 1));
  }
};

// A change of a name in a folder that is not synced.
struct NameChange {
  enum class Kind { kMade, kRenamed, kRemoved };
  Kind kind;
  std::string path;           // the name that changed; of a renamed one the new
  std::string from = {};      // of a renamed one
  std::string replaced = {};  // where in the trash the file is that had the name before, if one had

  std::string folder() const { return folder_of(path); }
};

}  // namespace

class FaultyFileSystem : public rocksdb::FileSystemWrapper {
 public:
  explicit FaultyFileSystem(const std::string& trash)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), trash_(normal(trash)) {
    fs::create_directories(trash_);
  }
  const char* Name() const override { return "FaultyFileSystem"; }

  IOStatus NewWritableFile(const std::string& name, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext* debug) override;
  IOStatus ReopenWritableFile(const std::string& name, const FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                              IODebugContext* debug) override;
  IOStatus ReuseWritableFile(const std::string&, const std::string&, const FileOptions&,
                             std::unique_ptr<rocksdb::FSWritableFile>*, IODebugContext*) override {
    return IOStatus::NotSupported("the test's disk reuses no files");
  }
  IOStatus NewRandomRWFile(const std::string& name, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSRandomRWFile>* result,
                           IODebugContext* debug) override;
  IOStatus NewDirectory(const std::string& name, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* result,
                        IODebugContext* debug) override;
  IOStatus DeleteFile(const std::string& name, const IOOptions& options,
                      IODebugContext* debug) override;
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override;
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                    IODebugContext* debug) override;
  IOStatus CreateDir(const std::string& name, const IOOptions& options,
                     IODebugContext* debug) override;
  IOStatus CreateDirIfMissing(const std::string& name, const IOOptions& options,
                              IODebugContext* debug) override;
  IOStatus DeleteDir(const std::string& name, const IOOptions& options,
                     IODebugContext* debug) override;

  // Carries an operation out as the plan says. `action` runs under the lock.
  template <typename Action>
  IOStatus carry_out(Kind kind, const std::string& path, Action action) {
    const DiskFault fault = decide(kind, path);
    using enum DiskFault::Kind;
    if (fault.kind != kNone && fault.kind != kLate) return error_of(fault);
    const std::lock_guard lock(mutex_);
    IOStatus done = action();
    return done.ok() && fault.kind == kLate ? error_of(fault) : done;
  }
  // Of `wanted` bytes, how many are appended, and what is reported then.
  std::pair<size_t, IOStatus> plan_append(const std::string& path, size_t wanted);
  IOStatus sync(const std::string& path, FileState& state);
  void note_append(FileState& state, int64_t bytes);
  void synced_folder(const std::string& folder);

  std::atomic<int64_t> space = kEndless;
  std::atomic<int64_t> operations = 0;
  std::atomic<bool> has_power = true;

  void set_plan(std::function<DiskFault(const DiskOperation&)> plan) {
    const std::lock_guard lock(mutex_);
    plan_ = std::move(plan);
  }
  void restore_power(std::mt19937_64& random);

 private:
  DiskFault decide(Kind kind, const std::string& path);
  std::shared_ptr<FileState> state_of(const std::string& path);
  std::string move_to_trash(const std::string& path);
  void rename_everywhere(const std::string& from, const std::string& to);
  void undo(const NameChange& change);

  const std::string trash_;
  std::mutex mutex_;  // guards what follows, and the files' states
  std::function<DiskFault(const DiskOperation&)> plan_;
  // Shared with the open files, and by hard links.
  std::map<std::string, std::shared_ptr<FileState>> states_;
  std::vector<NameChange> changes_;  // in their order
  int trashed_ = 0;
};

namespace {

class FaultyFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultyFile(std::unique_ptr<rocksdb::FSWritableFile> file, FaultyFileSystem& files,
             std::string path, std::shared_ptr<FileState> state)
      : FSWritableFileOwnerWrapper(std::move(file)),
        files_(files),
        path_(std::move(path)),
        state_(std::move(state)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  IODebugContext* debug) override {
    auto [bytes, report] = files_.plan_append(path_, data.size());
    const IOStatus done = FSWritableFileOwnerWrapper::Append({data.data(), bytes}, options, debug);
    if (!done.ok()) return done;
    files_.note_append(*state_, int64_t(bytes));
    return report;
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& /*verification*/,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Sync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return files_.sync(path_, *state_);
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Sync(options, debug);
  }
  // A promise of nothing.
  IOStatus RangeSync(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }

 private:
  FaultyFileSystem& files_;
  const std::string path_;  // that it was opened with
  const std::shared_ptr<FileState> state_;
};

// A file that is opened again, to be synced.
class SyncedFile : public rocksdb::FSRandomRWFileOwnerWrapper {
 public:
  SyncedFile(std::unique_ptr<rocksdb::FSRandomRWFile> file, FaultyFileSystem& files,
             std::string path, std::shared_ptr<FileState> state)
      : FSRandomRWFileOwnerWrapper(std::move(file)),
        files_(files),
        path_(std::move(path)),
        state_(std::move(state)) {}

  IOStatus Write(uint64_t, const rocksdb::Slice&, const IOOptions&, IODebugContext*) override {
    return IOStatus::NotSupported("the test's disk only appends");
  }
  IOStatus Sync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return files_.sync(path_, *state_);
  }

 private:
  FaultyFileSystem& files_;
  const std::string path_;
  const std::shared_ptr<FileState> state_;
};

class FaultyFolder : public rocksdb::FSDirectoryWrapper {
 public:
  FaultyFolder(std::unique_ptr<rocksdb::FSDirectory> folder, FaultyFileSystem& files,
               std::string path)
      : FSDirectoryWrapper(std::move(folder)), files_(files), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return files_.carry_out(Kind::kSyncFolder, path_, [this] {
      files_.synced_folder(path_);
      return IOStatus::OK();
    });
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& /*which*/) override {
    return Fsync(options, debug);
  }

 private:
  FaultyFileSystem& files_;
  const std::string path_;
};

}  // namespace

DiskFault FaultyFileSystem::decide(Kind kind, const std::string& path) {
  const int64_t number = ++operations;
  if (!has_power) return {.kind = DiskFault::Kind::kRefused};
  std::function<DiskFault(const DiskOperation&)> plan;
  {
    const std::lock_guard lock(mutex_);
    plan = plan_;
  }
  if (!plan) return {};
  const DiskFault fault = plan({.number = number, .kind = kind, .path = path});
  if (fault.kind == DiskFault::Kind::kPowerCut) has_power = false;
  return fault;
}

std::pair<size_t, IOStatus> FaultyFileSystem::plan_append(const std::string& path, size_t wanted) {
  const DiskFault fault = decide(Kind::kAppend, path);
  using enum DiskFault::Kind;
  if (fault.kind == kRefused) return {0, error_of(fault)};
  if (fault.kind == kTorn || fault.kind == kPowerCut) return {wanted / 2, error_of(fault)};
  int64_t left = space;
  int64_t fits = 0;
  do {
    fits = std::min(left, int64_t(wanted));
  } while (!space.compare_exchange_weak(left, left - fits));
  if (fits < int64_t(wanted)) return {size_t(fits), error_of({.is_full = true})};
  return {wanted, fault.kind == kLate ? error_of(fault) : IOStatus::OK()};
}

IOStatus FaultyFileSystem::NewWritableFile(const std::string& name, const FileOptions& options,
                                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                                           IODebugContext* debug) {
  const std::string path = normal(name);
  const auto create = [&] {
    const std::string replaced = fs::exists(path) ? move_to_trash(path) : "";
    std::unique_ptr<rocksdb::FSWritableFile> file;
    IOStatus made = FileSystemWrapper::NewWritableFile(path, options, &file, debug);
    if (!made.ok()) return made;
    auto state = std::make_shared<FileState>();
    states_[path] = state;
    changes_.push_back({.kind = NameChange::Kind::kMade, .path = path, .replaced = replaced});
    *result = std::make_unique<FaultyFile>(std::move(file), *this, path, std::move(state));
    return made;
  };
  if (!path.ends_with(".log")) return carry_out(Kind::kCreate, path, create);
  const std::lock_guard lock(mutex_);
  return create();
}

IOStatus FaultyFileSystem::ReopenWritableFile(const std::string& name, const FileOptions& options,
                                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                                              IODebugContext* debug) {
  const std::string path = normal(name);
  if (!fs::exists(path)) return NewWritableFile(path, options, result, debug);
  std::unique_ptr<rocksdb::FSWritableFile> file;
  IOStatus opened = FileSystemWrapper::ReopenWritableFile(path, options, &file, debug);
  if (opened.ok())
    *result = std::make_unique<FaultyFile>(std::move(file), *this, path, state_of(path));
  return opened;
}

IOStatus FaultyFileSystem::NewRandomRWFile(const std::string& name, const FileOptions& options,
                                           std::unique_ptr<rocksdb::FSRandomRWFile>* result,
                                           IODebugContext* debug) {
  const std::string path = normal(name);
  std::unique_ptr<rocksdb::FSRandomRWFile> file;
  IOStatus opened = FileSystemWrapper::NewRandomRWFile(path, options, &file, debug);
  if (opened.ok())
    *result = std::make_unique<SyncedFile>(std::move(file), *this, path, state_of(path));
  return opened;
}

IOStatus FaultyFileSystem::NewDirectory(const std::string& name, const IOOptions& options,
                                        std::unique_ptr<rocksdb::FSDirectory>* result,
                                        IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSDirectory> folder;
  IOStatus opened = FileSystemWrapper::NewDirectory(name, options, &folder, debug);
  if (opened.ok()) *result = std::make_unique<FaultyFolder>(std::move(folder), *this, normal(name));
  return opened;
}

IOStatus FaultyFileSystem::DeleteFile(const std::string& name, const IOOptions& /*options*/,
                                      IODebugContext* /*debug*/) {
  const std::string path = normal(name);
  return carry_out(Kind::kRemove, path, [&] {
    if (!fs::exists(path)) return IOStatus::PathNotFound(path);
    changes_.push_back(
        {.kind = NameChange::Kind::kRemoved, .path = path, .replaced = move_to_trash(path)});
    return IOStatus::OK();
  });
}

IOStatus FaultyFileSystem::RenameFile(const std::string& from, const std::string& to,
                                      const IOOptions& options, IODebugContext* debug) {
  const std::string old_path = normal(from);
  const std::string path = normal(to);
  return carry_out(Kind::kRename, path, [&] {
    const std::string replaced = fs::is_regular_file(path) ? move_to_trash(path) : "";
    IOStatus renamed = FileSystemWrapper::RenameFile(old_path, path, options, debug);
    if (!renamed.ok()) return renamed;
    rename_everywhere(old_path, path);
    changes_.push_back(
        {.kind = NameChange::Kind::kRenamed, .path = path, .from = old_path, .replaced = replaced});
    return renamed;
  });
}

IOStatus FaultyFileSystem::LinkFile(const std::string& from, const std::string& to,
                                    const IOOptions& options, IODebugContext* debug) {
  const std::string path = normal(to);
  return carry_out(Kind::kLink, path, [&] {
    IOStatus linked = FileSystemWrapper::LinkFile(from, path, options, debug);
    if (!linked.ok()) return linked;
    if (auto found = states_.find(normal(from)); found != states_.end())
      states_[path] = found->second;
    changes_.push_back({.kind = NameChange::Kind::kMade, .path = path});
    return linked;
  });
}

IOStatus FaultyFileSystem::CreateDir(const std::string& name, const IOOptions& options,
                                     IODebugContext* debug) {
  const std::string path = normal(name);
  return carry_out(Kind::kMakeFolder, path, [&] {
    IOStatus made = FileSystemWrapper::CreateDir(path, options, debug);
    if (made.ok()) changes_.push_back({.kind = NameChange::Kind::kMade, .path = path});
    return made;
  });
}

IOStatus FaultyFileSystem::CreateDirIfMissing(const std::string& name, const IOOptions& options,
                                              IODebugContext* debug) {
  return fs::is_directory(normal(name)) ? IOStatus::OK() : CreateDir(name, options, debug);
}

// At once and for good: nobody here relies on a folder that was removed.
IOStatus FaultyFileSystem::DeleteDir(const std::string& name, const IOOptions& options,
                                     IODebugContext* debug) {
  const std::string path = normal(name);
  return carry_out(Kind::kRemove, path, [&] {
    IOStatus removed = FileSystemWrapper::DeleteDir(path, options, debug);
    if (removed.ok())
      std::erase_if(changes_, [&](const NameChange& change) {
        return change.path == path || change.folder() == path;
      });
    return removed;
  });
}

std::string FaultyFileSystem::move_to_trash(const std::string& path) {
  const std::string place =
      trash_ + "/" + std::to_string(++trashed_) + "." + fs::path(path).filename().string();
  fs::rename(path, place);
  if (auto state = states_.extract(path)) states_[place] = std::move(state.mapped());
  return place;
}

void FaultyFileSystem::rename_everywhere(const std::string& from, const std::string& to) {
  std::map<std::string, std::shared_ptr<FileState>> states;
  for (auto& [path, state] : states_) states[moved(path, from, to)] = std::move(state);
  states_ = std::move(states);
  // A file's own changes have happened under its old name; what is in a folder moves with it.
  for (auto& change : changes_) {
    if (change.path != from) change.path = moved(change.path, from, to);
    if (change.from != from) change.from = moved(change.from, from, to);
  }
}

// Of a file that may have been there before.
std::shared_ptr<FileState> FaultyFileSystem::state_of(const std::string& path) {
  const std::lock_guard lock(mutex_);
  auto& state = states_[path];
  if (!state) {
    const auto size = fs::exists(path) ? int64_t(fs::file_size(path)) : 0;
    state = std::make_shared<FileState>(FileState{.size = size, .synced = size, .ends = {}});
  }
  return state;
}

IOStatus FaultyFileSystem::sync(const std::string& path, FileState& state) {
  return carry_out(Kind::kSync, path, [&state] {
    state.synced = state.size;
    state.ends.clear();
    return IOStatus::OK();
  });
}

void FaultyFileSystem::note_append(FileState& state, int64_t bytes) {
  const std::lock_guard lock(mutex_);
  state.size += bytes;
  state.ends.push_back(state.size);
}

void FaultyFileSystem::synced_folder(const std::string& folder) {
  std::erase_if(changes_, [&](const NameChange& change) { return change.folder() == folder; });
}

void FaultyFileSystem::undo(const NameChange& change) {
  using enum NameChange::Kind;
  if (change.kind == kMade) fs::remove_all(change.path);
  if (change.kind == kRenamed) {
    fs::rename(change.path, change.from);
    rename_everywhere(change.path, change.from);
  }
  if (!change.replaced.empty()) fs::rename(change.replaced, change.path);
}

void FaultyFileSystem::restore_power(std::mt19937_64& random) {
  const std::lock_guard lock(mutex_);
  for (const auto& [path, state] : states_)
    if (state->synced < state->size && fs::exists(path)) {
      const int64_t size = state->size_after_power_cut(random);
      fs::resize_file(path, uint64_t(size));
      *state = {.size = size, .synced = size, .ends = {}};  // once, if it has several names
    }
  std::map<std::string, size_t> kept;  // how many changes of a folder
  for (const auto& change : changes_) ++kept[change.folder()];
  for (auto& [folder, count] : kept) count = random() % (count + 1);
  std::vector<bool> is_lost;
  for (const auto& change : changes_) {
    auto& left = kept[change.folder()];
    is_lost.push_back(left == 0);
    if (left > 0) --left;
  }
  while (!changes_.empty()) {
    const NameChange last = std::move(changes_.back());
    changes_.pop_back();
    if (is_lost[changes_.size()]) undo(last);
  }
  states_.clear();
  plan_ = nullptr;
  has_power = true;
}

namespace {

class FaultyEnv : public rocksdb::EnvWrapper {
 public:
  explicit FaultyEnv(const std::shared_ptr<FaultyFileSystem>& files)
      : EnvWrapper(rocksdb::NewCompositeEnv(files)) {
    file_system_ = files;
  }
  const char* Name() const override { return "FaultyEnv"; }
  void SleepForMicroseconds(int /*time*/) override { std::this_thread::yield(); }
};

}  // namespace

FaultyDisk::FaultyDisk(const std::string& trash)
    : files_(std::make_shared<FaultyFileSystem>(trash)),
      env_(std::make_unique<FaultyEnv>(files_)) {}
FaultyDisk::~FaultyDisk() = default;

void FaultyDisk::set_space(int64_t bytes) { files_->space = bytes; }
void FaultyDisk::set_endless_space() { files_->space = kEndless; }
void FaultyDisk::set_plan(std::function<DiskFault(const DiskOperation&)> plan) {
  files_->set_plan(std::move(plan));
}
int64_t FaultyDisk::operations() const { return files_->operations; }
bool FaultyDisk::has_power() const { return files_->has_power; }
void FaultyDisk::restore_power(std::mt19937_64& random) { files_->restore_power(random); }

}  // namespace pegmove::testing
