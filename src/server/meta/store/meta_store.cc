#include "server/meta/store/meta_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/meta/store/meta_log.h"

namespace pegmove::server::meta {
namespace {

constexpr size_t kMostFileBytes = size_t{1} << 30;
constexpr size_t kMostTimes =
    4;  // factor of a new file's size that the file may always reach before it is rewritten

}  // namespace

struct MetaStore::Group {
  MetaBatch batch;
  std::string changes;                  // the same, encoded
  std::optional<Result<void>> outcome;  // of its write; guarded by writing_
};

Result<std::unique_ptr<MetaStore>> MetaStore::open(const std::string& folder,
                                                   std::unique_ptr<MetaFiles> files,
                                                   MetaStoreOptions options) {
  const auto path = folder + "/meta_store";
  MetaValues values;
  if (const auto bytes = TRY(files->read(path, kMostFileBytes))) {
    auto decoded = decode_log(*bytes);
    if (!decoded)
      return fail(
          decoded.error().code(),
          fmt::format(
              "{} cannot be used ({}): it was not changed; put a good copy of it in its place",
              path, decoded.error().message()));
    values = std::move(*decoded);
  }
  return std::unique_ptr<MetaStore>(
      new MetaStore(path, std::move(files), options, std::move(values)));
}

MetaStore::MetaStore(std::string path, std::unique_ptr<MetaFiles> files, MetaStoreOptions options,
                     MetaValues values)
    : path_(std::move(path)),
      options_(options),
      log_(Logger().with("file", path_)),
      files_(std::move(files)),
      values_(std::move(values)) {}

MetaStore::Ticket MetaStore::add(MetaBatch batch) {
  auto changes = encode_changes(batch);
  if (changes.size() > kMostRecordBytes) {
    auto refused = std::make_shared<Group>();
    refused->outcome =
        fail(Code::kTooLarge,
             fmt::format("{} bytes are too many for one batch of {}", changes.size(), path_));
    return refused;
  }
  const std::lock_guard lock(adding_);
  if (waiting_.empty() || waiting_.back()->changes.size() + changes.size() > kMostRecordBytes)
    waiting_.push_back(std::make_shared<Group>());
  waiting_.back()->batch.append(std::move(batch));
  waiting_.back()->changes += changes;
  return waiting_.back();
}

Result<void> MetaStore::flush(const Ticket& ticket) {
  const std::lock_guard lock(writing_);
  while (!ticket->outcome) {
    const auto group = next_group();
    group->outcome = in_context(write(*group), "writing " + path_);
  }
  return *ticket->outcome;
}

// Precondition: a group waits. Later batches go to another one.
MetaStore::Ticket MetaStore::next_group() {
  const std::lock_guard lock(adding_);
  auto group = std::move(waiting_.front());
  waiting_.pop_front();
  return group;
}

Result<void> MetaStore::write(const Group& group) {
  if (!file_) return rewrite(group.batch);
  if (auto appended = append(group); !appended) {
    file_.reset();
    return appended;
  }
  group.batch.apply_to(values_);
  if (file_bytes_ <= most_file_bytes_) return {};
  if (auto compacted = rewrite({}); !compacted) {
    log_.warning(fmt::format("it has {} bytes and cannot be rewritten: {}", file_bytes_,
                             compacted.error().to_string()));
    most_file_bytes_ = 2 * file_bytes_;
  }
  return {};
}

Result<void> MetaStore::append(const Group& group) {
  const auto record = frame_record(group.changes);
  TRY(file_->append(record));
  TRY(file_->sync());
  file_bytes_ += record.size();
  return {};
}

// Until the new file is renamed into place nothing changes.
Result<void> MetaStore::rewrite(const MetaBatch& batch) {
  auto values = values_;
  batch.apply_to(values);
  const auto bytes = encode_log(values);
  const auto beside = path_ + ".tmp";
  auto file = TRY(files_->create(beside));
  TRY(file->append(bytes));
  TRY(file->sync());
  file_.reset();
  TRY(files_->rename(beside, path_));
  file_ = std::move(file);
  file_bytes_ = bytes.size();
  most_file_bytes_ = std::max(file_bytes_ + options_.growth, kMostTimes * file_bytes_);
  values_ = std::move(values);
  return {};
}

MetaValues MetaStore::values() const {
  const std::lock_guard lock(writing_);
  return values_;
}

}  // namespace pegmove::server::meta
