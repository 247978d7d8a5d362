#include "store/cursor.h"

#include <fmt/format.h>

#include <utility>

#include "base/bytes.h"
#include "record/key.h"
#include "store/status.h"

namespace pegmove::store {

Cursor::Cursor(std::string path, int data_version, std::string upper_bound)
    : path_(std::move(path)),
      data_version_(data_version),
      upper_bound_(std::move(upper_bound)),
      upper_bound_slice_(upper_bound_) {}

void Cursor::seek(std::string_view raw_key) {
  rows_->Seek(rocksdb::Slice(raw_key));
  settle(Direction::kForward);
}

void Cursor::seek_for_prev(std::string_view raw_key) {
  rows_->SeekForPrev(rocksdb::Slice(raw_key));
  settle(Direction::kBackward);
}

void Cursor::next() {
  rows_->Next();
  settle(Direction::kForward);
}

void Cursor::prev() {
  rows_->Prev();
  settle(Direction::kBackward);
}

std::string_view Cursor::key() const { return rows_->key().ToStringView(); }

void Cursor::settle(Direction direction) {
  while (rows_->Valid() && rows_->key().size() < record::kHashKeyLengthSize) {
    direction == Direction::kForward ? rows_->Next() : rows_->Prev();
  }
  bad_value_ = false;
  valid_ = rows_->Valid();
  if (!valid_) return;
  const auto decoded = record::decode_value(data_version_, rows_->value().ToStringView());
  bad_value_ = !decoded;
  valid_ = decoded.has_value();
  if (decoded) value_ = *decoded;
}

Result<void> Cursor::status() const {
  if (bad_value_) {
    return fail(
        Code::kCorrupt,
        fmt::format("reading the database {}: the value of key {} is shorter than its header",
                    path_, base::printable(key())));
  }
  const rocksdb::Status status = rows_->status();
  if (!status.ok()) return fail(to_error(status, "reading", path_));
  return {};
}

}  // namespace pegmove::store
