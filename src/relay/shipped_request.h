// A DUPLICATE request of the source's table, made ready to be sent on to another partition count.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shipping/entries.h"

namespace pegmove::relay {

// How writes are carried out on the target.
enum class WriteMethod {
  // As DUPLICATE with verify_timetag: a row that is newer in the target is kept, so that what is
  // shipped twice changes nothing. The target must have the source's cluster id in its
  // [duplication-group].
  kDuplicate,
  // As PUT, MULTI_PUT, REMOVE and MULTI_REMOVE. What is shipped twice takes a row back for a
  // moment.
  kPlain,
};

class ShippedRequest {
 public:
  // Timestamps, cluster ids and positions stay as they came. With kDuplicate the target keeps the
  // first of two rows with the same key and time, and on the source the last one counts: so of
  // those only the last is left, also of the rows of a MULTI_PUT. Removes all stay. MULTI_PUTs
  // without rows and MULTI_REMOVEs without sort keys are left out: targets refuse them. Errors:
  // kInvalidArgument: it does not decode, or an entry is no write that can be shipped.
  static Result<std::unique_ptr<ShippedRequest>> parse(std::string body, WriteMethod method);

  ShippedRequest(const ShippedRequest&) = delete;
  ShippedRequest& operator=(const ShippedRequest&) = delete;

  const std::string& body() const { return body_; }  // as it came
  // In its order; views into this object.
  const std::vector<shipping::ShippedEntry>& entries() const { return entries_; }
  // The log that it comes from, if the source is an embedded cluster.
  const std::optional<wire::DuplicateSource>& source() const { return source_; }
  size_t superseded_rows() const { return superseded_rows_; }  // that were left out

 private:
  explicit ShippedRequest(std::string body) : body_(std::move(body)) {}
  Result<void> read();
  void leave_out_superseded();

  const std::string body_;
  std::deque<std::string> rewritten_;  // bodies of MULTI_PUTs that lost rows
  std::vector<shipping::ShippedEntry> entries_;
  std::optional<wire::DuplicateSource> source_;
  size_t superseded_rows_ = 0;
};

}  // namespace pegmove::relay
