#include "blockstore/stored_files.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "async/for_each.h"
#include "base/local_file.h"
#include "blockstore/path.h"

namespace pegmove::blockstore {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostAtOnce = 64;  // the semaphore is the limit

Result<void> remove_others(const std::string& folder, const std::vector<StoredFile>& files) {
  std::set<std::string> wanted;
  for (const auto& file : files) wanted.insert(file.name);
  for (const auto& name : TRY(base::names_in(folder))) {
    if (wanted.contains(name)) continue;
    std::error_code error;
    fs::remove_all(folder + "/" + name, error);
    if (error) return fail(Code::kIo, fmt::format("cleaning {}: {}", folder, error.message()));
  }
  return {};
}

class Download {
 public:
  Download(const AsyncStore& store, std::string from, std::vector<StoredFile> files, std::string to,
           FilesTransfer how)
      : store_(store),
        from_(std::move(from)),
        files_(std::move(files)),
        to_(std::move(to)),
        how_(std::move(how)),
        all_(total_size(files_)) {}

  Task<> carry_out() {
    CO_TRY(co_await store_.run([&]() -> Result<void> {
      TRY(base::make_folders(to_));
      return remove_others(to_, files_);
    }));
    report(0);
    CO_TRY(co_await async::for_each(files_.size(), how_.files ? kMostAtOnce : 1,
                                    [this](size_t i) { return one(files_[i]); }));
    co_return co_await store_.run([&] { return base::sync_folder(to_); });
  }

 private:
  void report(int64_t bytes) {
    done_ += bytes;
    if (how_.on_progress) how_.on_progress(done_, all_);
  }

  Task<> one(const StoredFile& file) {
    const auto permit = co_await async::Permit::take(how_.files);
    const auto path = to_ + "/" + file.name;
    std::error_code error;
    if (const auto size = fs::file_size(path, error); !error && int64_t(size) == file.size) {
      const auto here = CO_TRY(co_await store_.sum_local(path));
      if (here.md5 == file.md5) {
        report(file.size);
        co_return Result<void>();
      }
    }
    CO_TRY(co_await store_.download(join(from_, file.name), path,
                                    {.size = file.size, .md5 = file.md5},
                                    {.limits = how_.limits,
                                     .on_bytes = [this](int64_t bytes) { report(bytes); },
                                     .should_stop = how_.should_stop}));
    if (how_.on_file) how_.on_file(file);
    co_return Result<void>();
  }

  const AsyncStore& store_;
  std::string from_;
  std::vector<StoredFile> files_;
  std::string to_;
  FilesTransfer how_;
  int64_t all_;
  int64_t done_ = 0;
};

}  // namespace

Task<> download_files(const AsyncStore& store, std::string from, std::vector<StoredFile> files,
                      std::string to, FilesTransfer how) {
  Download download(store, std::move(from), std::move(files), std::move(to), std::move(how));
  co_return co_await download.carry_out();
}

}  // namespace pegmove::blockstore
