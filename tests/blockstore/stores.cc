#include "tests/blockstore/stores.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>

#include "blockstore/provider.h"
#include "testing/forwarding_store.h"

namespace pegmove::conformance {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool is_secure(const StoreKind& kind) { return kind.name == "hdfskrb" || kind.name == "hdfstoken"; }

std::string address_of(const StoreKind& kind) {
  const auto s3 = environment("PEGMOVE_TEST_S3");
  if (kind.name == "hdfs") return environment("PEGMOVE_TEST_HDFS");
  if (is_secure(kind)) return environment("PEGMOVE_TEST_HDFS_KERBEROS");
  if (kind.name == "s3tls") return environment("PEGMOVE_TEST_S3_TLS");
  if (kind.name == "s3host") return "http://localhost" + s3.substr(s3.rfind(':'));
  return s3;
}

std::string args_of(const StoreKind& kind, uint16_t port, const std::string& place, bool full) {
  const auto address = port ? "http://127.0.0.1:" + std::to_string(port) : address_of(kind);
  if (kind.name == "hdfs") {
    auto name_nodes = environment("PEGMOVE_TEST_HDFS_STANDBY") + "," + address;
    if (port) name_nodes = address;
    return "hdfs://unused/ " + std::string(full ? "/full/" : "/") + place +
           " user=root webhdfs=" + name_nodes;
  }
  if (is_secure(kind))
    return "hdfs://unused/ /user/" + place + " webhdfs=" + address +
           (kind.name == "hdfskrb" ? " auth=kerberos"
                                   : " token_file=" + environment("PEGMOVE_TEST_HDFS_TOKEN"));
  auto args = address + (full ? " small " : " backups ") + place;
  if (kind.name == "s3host") args += " style=host";
  if (kind.name == "s3tls") args += " ca=" + environment("PEGMOVE_TEST_S3_CA");
  return args;
}

// Signatures have a date that the server compares with its own.
async::SystemClock& clock() {
  static async::SystemClock clock;
  return clock;
}

std::shared_ptr<blockstore::BlockStore> open_folder(const std::string& folder) {
  std::filesystem::create_directory(folder);
  auto opened =
      blockstore::open_store({.name = "folder", .type = "local_service", .args = folder}, clock());
  if (!opened) throw std::runtime_error(opened.error().to_string());
  return *std::move(opened);
}

// Removes the folder of a local store with the store.
class Owned : public testing::ForwardingStore {
 public:
  explicit Owned(std::unique_ptr<TempFolder> folder)
      : ForwardingStore(open_folder(folder->path() + "/store")), folder_(std::move(folder)) {}

 private:
  std::unique_ptr<TempFolder> folder_;
};

}  // namespace

std::vector<StoreKind> store_kinds() {
  std::vector<StoreKind> kinds{{.name = "folder", .renames = true, .has_folders = true}};
  if (!environment("PEGMOVE_TEST_HDFS").empty())
    kinds.push_back({.name = "hdfs", .renames = true, .has_folders = true});
  if (!environment("PEGMOVE_TEST_HDFS_KERBEROS").empty())
    for (const char* name : {"hdfskrb", "hdfstoken"})
      kinds.push_back({.name = name, .renames = true, .has_folders = true});
  if (!environment("PEGMOVE_TEST_S3").empty())
    for (const char* name : {"s3", "s3host", "s3tls"})
      kinds.push_back({.name = name, .renames = false, .has_folders = false});
  return kinds;
}

std::vector<StoreKind> store_kinds_of(const std::vector<std::string>& names) {
  auto kinds = store_kinds();
  std::erase_if(
      kinds, [&](const auto& kind) { return std::ranges::find(names, kind.name) == names.end(); });
  return kinds;
}

std::vector<StoreKind> proxied_kinds() { return store_kinds_of({"folder", "hdfs", "s3"}); }

uint16_t server_port(const StoreKind& kind) {
  if (kind.name == "folder") return 0;
  const auto address = address_of(kind);
  return uint16_t(std::stoi(address.substr(address.rfind(':') + 1)));
}

std::unique_ptr<blockstore::BlockStore> make_store(const StoreKind& kind, uint16_t port,
                                                   const std::string& more, bool full) {
  if (kind.name == "folder") return std::make_unique<Owned>(std::make_unique<TempFolder>());
  static std::atomic<int> next = 0;
  const auto place = "test-" + std::to_string(getpid()) + "-" + std::to_string(next++);
  blockstore::Provider provider{
      .name = kind.name,
      .type = kind.name.starts_with("hdfs") ? "hdfs_service" : "s3_service",
      .args = args_of(kind, port, place, full)};
  if (!more.empty()) provider.args += " " + more;
  auto store = blockstore::open_store(provider, clock());
  if (!store) throw std::runtime_error(store.error().to_string());
  return *std::move(store);
}

TempFolder::TempFolder() {
  std::string pattern = std::filesystem::temp_directory_path() / "pegmove-store-XXXXXX";
  if (!mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp failed");
  path_ = pattern;
}
TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}
std::string TempFolder::file(const std::string& name, std::string_view bytes) const {
  const auto path = path_ + "/" + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

std::string read_local(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string random_bytes(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (auto& byte : bytes) byte = char(random());
  return bytes;
}

}  // namespace pegmove::conformance
