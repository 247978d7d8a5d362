// What one process sends to the run of another: settings and requests.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/bytes.h"
#include "journal/journal_file.h"

namespace pegmove::journal {
namespace {

constexpr size_t kMostKeyNameBytes = 64;
constexpr std::string_view kSetting = "setting";
constexpr std::string_view kRequest = "request";

bool is_setting_key(std::string_view key) {
  return !key.empty() && key.size() <= kMostKeyNameBytes && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

std::optional<Request> request_named(std::string_view name) {
  for (auto request : {Request::kPause, Request::kCancel, Request::kCutover, Request::kRollback,
                       Request::kComplete})
    if (to_string(request) == name) return request;
  return std::nullopt;
}

}  // namespace

// Stores a change under a new version; it replaces an older one of the same name.
Result<void> Journal::store_change(const std::string& run, std::string_view kind,
                                   std::string_view name, std::string_view value) {
  const auto doing = fmt::format("storing {} {} of run {}", kind, name, run);
  return file_->connection.transact(Durability::kPower, doing, [&]() -> Result<void> {
    const auto found = TRY(find(run, doing));
    if (is_final(found.state))
      return fail(Code::kRefused, fmt::format("run {} has ended ({}), so the {} {} has no effect",
                                              run, to_string(found.state), kind, name));
    {
      auto query = file_->statements.count_settings.query(doing, run, kind, name);
      if (TRY(query.next()) && query.integer(0) >= int64_t(kMostSettings))
        return fail(Code::kTooLarge,
                    fmt::format("run {} has {} settings, the maximum; only these can be changed",
                                run, kMostSettings));
    }
    TRY(file_->statements.store_change.query(doing, run, kind, name, value, file_->unix_ms())
            .run());
    return {};
  });
}

Result<void> Journal::set(const std::string& run, const std::string& key,
                          const std::string& value) {
  if (!is_setting_key(key))
    return fail(
        Code::kInvalidArgument,
        fmt::format(
            "'{}' is not a name of a setting: give up to 64 letters, digits, '-', '_' and '.'",
            base::printable(key)));
  if (value.size() > kMostSettingBytes)
    return fail(Code::kTooLarge, fmt::format("the setting {} has {} bytes; at most {} are allowed",
                                             key, value.size(), kMostSettingBytes));
  if (!base::is_utf8(value))
    return fail(Code::kInvalidArgument, fmt::format("the setting {} is not UTF-8 text", key));
  return store_change(run, kSetting, key, value);
}

Result<void> Journal::request(const std::string& run, Request request) {
  return store_change(run, kRequest, to_string(request), "");
}

Result<Changes> Journal::changes_since(const std::string& run, int64_t version) const {
  const auto doing = "reading changes of run " + run;
  TRY(find(run, doing));
  Changes changes{.version = version, .settings = {}, .requests = {}};
  auto query = file_->statements.get_changes.query(doing, run, version);
  while (TRY(query.next())) {
    changes.version = query.integer(0);
    const auto kind = query.bytes(1);
    auto name = query.bytes(2);
    if (kind == kSetting) {
      changes.settings.insert_or_assign(std::move(name), query.bytes(3));
    } else if (const auto request = request_named(name); kind == kRequest && request) {
      changes.requests.push_back(*request);
    } else {
      return file_->corrupt(fmt::format("run {} has the {} '{}', which is unknown", run,
                                        base::printable(kind), base::printable(name)));
    }
  }
  return changes;
}

Result<void> Journal::answer_requests(const std::string& run, int64_t version) {
  const auto doing = "answering requests to run " + run;
  return file_->connection.transact(Durability::kPower, doing, [&]() -> Result<void> {
    TRY(find(run, doing));
    TRY(file_->statements.answer_requests.query(doing, run, version).run());
    return {};
  });
}

}  // namespace pegmove::journal
