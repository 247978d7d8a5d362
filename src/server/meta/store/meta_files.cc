#include "server/meta/store/meta_files.h"

#include <filesystem>

#include "base/local_file.h"
#include "base/small_file.h"

namespace pegmove::server::meta {
namespace {

class WrittenFile : public MetaFiles::File {
 public:
  explicit WrittenFile(base::LocalFile file) : file_(std::move(file)) {}
  Result<void> append(std::string_view bytes) override { return file_.append(bytes); }
  Result<void> sync() override { return file_.sync(); }

 private:
  base::LocalFile file_;
};

class LocalFiles : public MetaFiles {
 public:
  Result<std::optional<std::string>> read(const std::string& path, size_t most_bytes) override {
    return base::read_file(path, most_bytes);
  }
  Result<std::unique_ptr<File>> create(const std::string& path) override {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);  // left by a killed process
    return std::make_unique<WrittenFile>(TRY(base::LocalFile::create(path, 0666)));
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    return base::rename_file(from, to);
  }
};

}  // namespace

std::unique_ptr<MetaFiles> make_local_files() { return std::make_unique<LocalFiles>(); }

}  // namespace pegmove::server::meta
