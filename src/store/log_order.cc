#include "store/log_order.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/bytes.h"

namespace pegmove::store {
namespace {

// A note: the mark, the decree before, the decree.
constexpr std::string_view kMark = "pegmove";
constexpr size_t kNoteBytes = kMark.size() + 2 * sizeof(int64_t);

// Finds the note of a record. A record may hold several batches that were written together, but
// rows are written by one caller at a time.
class NoteReader : public rocksdb::WriteBatch::Handler {
 public:
  struct Note {
    int64_t before;
    int64_t decree;
  };
  const std::optional<Note>& note() const { return note_; }

  void LogData(const rocksdb::Slice& blob) override {
    if (blob.size() != kNoteBytes || !blob.starts_with(rocksdb::Slice(kMark))) return;
    const char* numbers = blob.data() + kMark.size();
    note_ = {base::load_little_endian<int64_t>(numbers),
             base::load_little_endian<int64_t>(numbers + sizeof(int64_t))};
  }
  rocksdb::Status PutCF(uint32_t, const rocksdb::Slice&, const rocksdb::Slice&) override {
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(uint32_t, const rocksdb::Slice&) override {
    return rocksdb::Status::OK();
  }

 private:
  std::optional<Note> note_;
};

}  // namespace

rocksdb::Status LogOrder::note(rocksdb::WriteBatch& batch, int64_t before, int64_t decree) {
  std::array<char, kNoteBytes> bytes;
  char* numbers = bytes.data() + kMark.copy(bytes.data(), kMark.size());
  base::store_little_endian(numbers, before);
  base::store_little_endian(numbers + sizeof before, decree);
  return batch.PutLogData(rocksdb::Slice(bytes.data(), bytes.size()));
}

rocksdb::WalFilter::WalProcessingOption LogOrder::LogRecordFound(unsigned long long /*log_number*/,
                                                                 const std::string& /*log_file*/,
                                                                 const rocksdb::WriteBatch& batch,
                                                                 rocksdb::WriteBatch* /*changed*/,
                                                                 bool* /*is_changed*/) {
  NoteReader reader;
  batch.Iterate(&reader).PermitUncheckedError();  // RocksDB reports what is wrong with it
  const auto& note = reader.note();
  if (!note) return WalProcessingOption::kContinueProcessing;
  // Greater: a failed write may be in the log, and its decree is never written again.
  if (last_ && *last_ < note->before) return WalProcessingOption::kStopReplay;
  last_ = std::max(last_.value_or(0), note->decree);
  return WalProcessingOption::kContinueProcessing;
}

rocksdb::WalFilter::WalProcessingOption NoLogs::LogRecordFound(unsigned long long /*log_number*/,
                                                               const std::string& /*log_file*/,
                                                               const rocksdb::WriteBatch& /*batch*/,
                                                               rocksdb::WriteBatch* /*changed*/,
                                                               bool* /*is_changed*/) {
  return WalProcessingOption::kIgnoreCurrentRecord;
}

}  // namespace pegmove::store
