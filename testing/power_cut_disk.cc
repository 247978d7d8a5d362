#include "testing/power_cut_disk.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <utility>

#include "testing/test_folder.h"

namespace pegmove::testing {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSectorBytes = 512;

// The disks that exist. The replaced system calls have no other way to them.
std::vector<PowerCutDisk*>& disks() {
  static auto& list = *new std::vector<PowerCutDisk*>();
  return list;
}

ssize_t write_and_note(int fd, const void* data, size_t size, off_t offset) {
  const ssize_t written = ::pwrite(fd, data, size, offset);
  for (auto* disk : disks())
    if (written > 0)
      disk->note_write(fd, std::string(static_cast<const char*>(data), size_t(written)),
                       uint64_t(offset));
  return written;
}

int truncate_and_note(int fd, off_t size) {
  const int code = ::ftruncate(fd, size);
  for (auto* disk : disks())
    if (code == 0) disk->note_truncate(fd, uint64_t(size));
  return code;
}

// At once, since the next file may get the inode of this one.
int unlink_and_note(const char* path) {
  const int code = ::unlink(path);
  for (auto* disk : disks()) disk->note_names();
  return code;
}

int sync_or_note(int fd, long system_call) {
  bool noted = false;
  for (auto* disk : disks()) noted = disk->note_sync(fd) || noted;
  return noted ? 0 : int(syscall(system_call, fd));
}

template <typename Function>
void replace_in_sqlite(const char* name, Function* function) {
  sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
  const auto call = reinterpret_cast<sqlite3_syscall_ptr>(function);  // null: the real one
  if (vfs->xSetSystemCall(vfs, name, call) != SQLITE_OK)
    throw std::runtime_error(std::string("SQLite does not know the system call ") + name);
}

void record_sqlite(bool record) {
  replace_in_sqlite("pwrite", record ? write_and_note : nullptr);
  replace_in_sqlite("pwrite64", record ? write_and_note : nullptr);
  replace_in_sqlite("ftruncate", record ? truncate_and_note : nullptr);
  replace_in_sqlite("unlink", record ? unlink_and_note : nullptr);
}

// "a/b" of "a/b/c" and of "a/b/c/"; "" for the folder itself.
std::string folder_of(const std::string& path) {
  const auto end = path.find_last_of('/', path.size() < 2 ? 0 : path.size() - 2);
  return end == std::string::npos ? "" : path.substr(0, end + 1);
}

}  // namespace

std::string to_string(const Cut& cut) {
  constexpr const char* kSurvivors[] = {"nothing", "everything", "some writes", "some sectors"};
  return "cut at moment " + std::to_string(cut.moment) + ", after which " +
         kSurvivors[size_t(cut.survivors)] + " survived, seed " + std::to_string(cut.seed);
}

PowerCutDisk::PowerCutDisk(std::string folder) : folder_(std::move(folder)) {
  names_ = durable_names_ = look();
  durable_contents_.resize(files_);
  for (const auto& [path, name] : names_)
    if (!path.ends_with('/')) durable_contents_[name.file] = read_file(folder_ + "/" + path);
  if (disks().empty()) record_sqlite(true);
  disks().push_back(this);
}

PowerCutDisk::~PowerCutDisk() {
  std::erase(disks(), this);
  if (disks().empty()) record_sqlite(false);
}

// The names in the folder now. A file keeps its number as long as it has a name.
PowerCutDisk::Names PowerCutDisk::look() {
  std::map<ino_t, size_t> numbers;
  for (const auto& [path, name] : names_) numbers[name.inode] = name.file;
  Names found;
  for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
    struct stat status{};
    if (lstat(entry.path().c_str(), &status) != 0) continue;
    const auto [number, is_new] = numbers.try_emplace(status.st_ino, files_);
    if (is_new) ++files_;
    auto path = entry.path().lexically_relative(folder_).string();
    if (S_ISDIR(status.st_mode)) path += '/';
    found[path] = {.inode = status.st_ino, .file = number->second};
  }
  return found;
}

void PowerCutDisk::note_names() {
  auto now = look();
  for (const auto& [path, name] : now)
    if (const auto before = names_.find(path); before == names_.end() || before->second != name)
      events_.push_back({.kind = Kind::kName, .file = name.file, .path = path});
  for (const auto& [path, name] : names_)
    if (!now.contains(path)) events_.push_back({.kind = Kind::kNoName, .path = path});
  names_ = std::move(now);
}

const PowerCutDisk::Name* PowerCutDisk::find(int fd) {
  note_names();
  struct stat status{};
  if (fstat(fd, &status) != 0) return nullptr;
  for (const auto& [path, name] : names_)
    if (name.inode == status.st_ino) return &name;
  return nullptr;
}

bool PowerCutDisk::note_write(int fd, std::string bytes, uint64_t offset) {
  const auto* name = find(fd);
  if (name == nullptr) return false;
  events_.push_back(
      {.kind = Kind::kWrite, .file = name->file, .offset = offset, .bytes = std::move(bytes)});
  return true;
}

bool PowerCutDisk::note_truncate(int fd, uint64_t size) {
  const auto* name = find(fd);
  if (name == nullptr) return false;
  events_.push_back({.kind = Kind::kTruncate, .file = name->file, .offset = size});
  return true;
}

bool PowerCutDisk::note_sync(int fd) {
  struct stat synced{};
  struct stat folder{};
  if (fstat(fd, &synced) == 0 && stat(folder_.c_str(), &folder) == 0 &&
      synced.st_ino == folder.st_ino) {
    note_names();
    events_.push_back({.kind = Kind::kSyncFolder, .path = ""});
    return true;
  }
  const auto* name = find(fd);
  if (name == nullptr) return false;
  if (!S_ISDIR(synced.st_mode)) {
    events_.push_back({.kind = Kind::kSync, .file = name->file});
    return true;
  }
  for (const auto& [path, other] : names_)
    if (other == *name) events_.push_back({.kind = Kind::kSyncFolder, .path = path});
  return true;
}

size_t PowerCutDisk::moments() {
  note_names();
  return events_.size();
}

// The durable part of the disk.
struct PowerCutDisk::State {
  std::vector<std::string> contents;  // by number
  std::map<std::string, size_t> names;

  // Of a write those sectors for which `survives` returns true.
  void write(const Event& event, const std::function<bool()>& survives) {
    auto& content = contents[event.file];
    for (size_t begin = 0; begin < event.bytes.size();) {
      const size_t at = event.offset + begin;
      const size_t size = std::min(kSectorBytes - at % kSectorBytes, event.bytes.size() - begin);
      if (survives()) {
        if (content.size() < at + size) content.resize(at + size);
        content.replace(at, size, event.bytes, begin, size);
      }
      begin += size;
    }
  }

  void apply(const Event& event) {
    if (event.kind == Kind::kWrite) write(event, [] { return true; });
    if (event.kind == Kind::kTruncate) contents[event.file].resize(event.offset);
    if (event.kind == Kind::kName) names[event.path] = event.file;
    if (event.kind == Kind::kNoName) names.erase(event.path);
  }

  // The names whose folders have names, too.
  Files files() const {
    Files files;
    for (const auto& [path, file] : names)  // a folder comes before what it contains
      if (const auto folder = folder_of(path); folder.empty() || files.contains(folder))
        files[path] = path.ends_with('/') ? "" : contents[file];
    return files;
  }
};

bool PowerCutDisk::is_durable_by(const Event& pending, const Event& sync) {
  const bool of_names = pending.kind == Kind::kName || pending.kind == Kind::kNoName;
  if (sync.kind == Kind::kSyncFolder) return of_names && folder_of(pending.path) == sync.path;
  return !of_names && pending.file == sync.file;
}

Files PowerCutDisk::after(const Cut& cut) const {
  State state{.contents = durable_contents_, .names = {}};
  state.contents.resize(files_);
  for (const auto& [path, name] : durable_names_) state.names[path] = name.file;
  std::vector<const Event*> pending;
  for (size_t at = 0; at < std::min(cut.moment, events_.size()); ++at) {
    const auto& event = events_[at];
    if (event.kind != Kind::kSync && event.kind != Kind::kSyncFolder) {
      pending.push_back(&event);
      continue;
    }
    if (cut.syncs == (event.kind == Kind::kSync ? Syncs::kOfFoldersOnly : Syncs::kOfFilesOnly))
      continue;
    std::erase_if(pending, [&](const Event* before) {
      const bool durable = is_durable_by(*before, event);
      if (durable) state.apply(*before);
      return durable;
    });
  }
  if (cut.survivors == Survivors::kNone) return state.files();
  std::mt19937_64 random(cut.seed + cut.moment);
  const auto survives = [&] { return cut.survivors == Survivors::kAll || random() % 2 == 0; };
  for (const auto* event : pending)
    if (event->kind == Kind::kWrite && cut.survivors == Survivors::kSomeSectors)
      state.write(*event, survives);
    else if (survives())
      state.apply(*event);
  return state.files();
}

bool PowerCutDisk::written_as_recorded(const std::string& except) {
  for (const auto& [path, content] :
       after({.moment = moments(), .survivors = Survivors::kAll, .seed = 0}))
    if (!path.ends_with('/') && !path.ends_with(except) &&
        read_file(folder_ + "/" + path) != content)
      return false;
  return true;
}

void write_files(const Files& files, const std::string& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) fs::remove_all(entry.path());
  for (const auto& [path, content] : files)
    if (path.ends_with('/'))
      fs::create_directory(folder + "/" + path);
    else
      write_file(folder + "/" + path, content);
}

}  // namespace pegmove::testing

// These take the place of the C library's in the program and in SQLite's library.
extern "C" {
[[gnu::visibility("default")]] int fsync(int fd) {
  return pegmove::testing::sync_or_note(fd, SYS_fsync);
}
[[gnu::visibility("default")]] int fdatasync(int fd) {
  return pegmove::testing::sync_or_note(fd, SYS_fdatasync);
}
}
