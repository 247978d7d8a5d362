#include "server/cluster/cluster_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/json_text.h"
#include "base/small_file.h"
#include "base/units.h"

namespace pegmove::server::cluster {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// Format 1 keeps the meta server's values in three JSON files, which MetaState::open() converts;
// versions that know only format 1 must not create new JSON files beside the store.
constexpr int kFirstFormat = 1;
constexpr int kFormat = 2;
constexpr int kStopSeconds = 60;

std::unexpected<Error> system_error(const std::string& what) {
  return fail(Code::kIo, fmt::format("{}: {}", what, std::strerror(errno)));
}

Result<Json> read_json(const std::string& path) {
  std::ifstream file(path);
  auto json = Json::parse(file, nullptr, false);
  if (!json.is_object()) return fail(Code::kCorrupt, path + " is damaged");
  return json;
}

Result<void> write_json(const std::string& path, const Json& json) {
  return base::replace_file(path, base::json_text(json, 2) + "\n");
}

// Files left by a process that was killed while it made the folder.
bool is_beginning(std::string_view name) {
  return name == "LOCK" || name == "cluster.log" || name.starts_with("cluster.json.");
}

// Claims a new or empty folder; any other must be a data folder of this cluster already.
Result<void> claim(const std::string& path, const std::string& name) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return fail(Code::kIo, fmt::format("making folder {}: {}", path, error.message()));
  auto identity = path + "/cluster.json";
  const bool is_new = !fs::exists(identity, error);
  if (error) return fail(base::system_error("looking at", identity, error.value()));
  if (is_new) {
    for (const auto& name : TRY(base::names_in(path)))
      if (!is_beginning(name))
        return fail(Code::kInvalidArgument,
                    fmt::format("{} is not empty and is not a data folder of pegmove (it contains "
                                "{}); choose another folder",
                                path, name));
    return write_json(identity, {{"format", kFormat}, {"name", name}});
  }
  auto json = TRY(read_json(identity));
  const auto format = json.value("format", 0);
  if (format != kFormat && format != kFirstFormat)
    return fail(Code::kUnsupported, path + " was made by another version of pegmove");
  if (json.value("name", "") != name)
    return fail(
        Code::kInvalidArgument,
        fmt::format(
            "{} contains the data of cluster '{}', not of '{}'; use --name {} or another folder",
            path, json.value("name", ""), name, json.value("name", "")));
  if (format != kFormat) return write_json(identity, {{"format", kFormat}, {"name", name}});
  return {};
}

pid_t pid_in(int fd) {
  char text[32] = {};
  auto size = pread(fd, text, sizeof text - 1, 0);
  return size <= 0 ? 0 : pid_t(base::parse_integer({text, size_t(size)}, 1, INT32_MAX).value_or(0));
}

// False when another process has the lock.
Result<bool> take_lock(int fd, const std::string& path) {
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  return fail(Code::kIo, fmt::format("locking {}: {}; choose a data folder on a local disk", path,
                                     std::strerror(errno)));
}

}  // namespace

ClusterFolder::ClusterFolder(std::string path, std::string name, int lock_fd)
    : path_(std::move(path)), name_(std::move(name)), lock_fd_(lock_fd) {}

ClusterFolder::ClusterFolder(ClusterFolder&& other) noexcept
    : path_(std::move(other.path_)),
      name_(std::move(other.name_)),
      lock_fd_(std::exchange(other.lock_fd_, -1)) {}

ClusterFolder::~ClusterFolder() {
  if (lock_fd_ < 0) return;
  unlink((path_ + "/run.json").c_str());
  close(lock_fd_);
}

Result<ClusterFolder> ClusterFolder::take(const std::string& path, const std::string& name) {
  std::error_code error;
  if (fs::exists(path, error) && !fs::is_directory(path, error))
    return fail(Code::kInvalidArgument, path + " is not a folder");
  if (!fs::exists(path, error)) TRY(claim(path, name));
  auto lock_path = path + "/LOCK";
  bool had_lock = fs::exists(lock_path, error);
  int fd = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return system_error("opening " + lock_path);
  const auto locked = take_lock(fd, lock_path);
  if (!locked || !*locked) {
    auto pid = pid_in(fd);
    close(fd);
    if (!locked) return fail(locked.error());
    return fail(Code::kBusy,
                fmt::format("{} is in use by process {}; `pegmove cluster stop --data {}` ends it",
                            path, pid, path));
  }
  ClusterFolder folder(path, name, fd);
  auto claimed = claim(path, name);
  if (!claimed) {
    if (!had_lock) unlink(lock_path.c_str());
    return fail(std::move(claimed).error());
  }
  auto pid = std::to_string(getpid());
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) != ssize_t(pid.size()))
    return system_error("writing " + lock_path);
  // Of a process that was killed.
  unlink((path + "/run.json").c_str());
  for (const char* name : {"/run.json", "/cluster.json"}) TRY(base::remove_leftovers(path + name));
  return folder;
}

Result<void> ClusterFolder::announce(const RunningCluster& running) {
  return write_json(path_ + "/run.json", {{"name", running.name},
                                          {"pid", running.pid},
                                          {"meta", running.meta},
                                          {"replicas", running.replicas}});
}

Result<std::optional<RunningCluster>> ClusterFolder::running(const std::string& path) {
  std::error_code error;
  const auto identity = path + "/cluster.json";
  const bool is_there = fs::exists(identity, error);
  if (error) return fail(base::system_error("looking at", identity, error.value()));
  if (!is_there) return fail(Code::kNotFound, path + " is not a data folder of a pegmove cluster");
  int fd = open((path + "/LOCK").c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  const auto is_free = take_lock(fd, path + "/LOCK");
  auto pid = pid_in(fd);
  close(fd);
  if (TRY(is_free)) return std::nullopt;
  RunningCluster running{.name = TRY(read_json(path + "/cluster.json")).value("name", ""),
                         .pid = pid,
                         .meta = "",
                         .replicas = {}};
  auto json = read_json(path + "/run.json");
  if (!json) return running;  // starting, or stopping
  running.meta = json->value("meta", "");
  running.replicas = json->value("replicas", std::vector<std::string>());
  return running;
}

Result<bool> ClusterFolder::stop(const std::string& path) {
  auto found = TRY(running(path));
  if (!found) return false;
  if (found->pid <= 0 || kill(found->pid, SIGTERM) != 0)
    return system_error("ending process " + std::to_string(found->pid));
  for (int waited_ms = 0; waited_ms < kStopSeconds * 1000; waited_ms += 20) {
    if (auto still = TRY(running(path)); !still || still->pid != found->pid) return true;
    poll(nullptr, 0, 20);
  }
  return fail(Code::kTimeout, fmt::format("process {} has not ended within {} s; its log: {}",
                                          found->pid, kStopSeconds, log_path(path)));
}

}  // namespace pegmove::server::cluster
