#include "server/meta/load_records.h"

#include "server/meta/book_file.h"

namespace pegmove::server::meta {
namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;

constexpr std::string_view kStatusNames[] = {"BLS_INVALID",   "BLS_DOWNLOADING", "BLS_DOWNLOADED",
                                             "BLS_INGESTING", "BLS_SUCCEED",     "BLS_FAILED",
                                             "BLS_PAUSING",   "BLS_PAUSED",      "BLS_CANCELED"};

Json to_json(const LoadRecord& record) {
  Json partitions = Json::array();
  for (const auto partition : record.partitions) partitions.push_back(status_name(partition));
  return {{"app_id", record.app_id},
          {"table", record.table},
          {"provider", record.provider},
          {"root", record.place.root},
          {"cluster", record.place.cluster},
          {"place_table", record.place.table},
          {"behind", record.behind},
          {"load", record.load},
          {"end_ms", record.end_ms},
          {"status", status_name(record.status)},
          {"partitions", std::move(partitions)},
          {"error", wire::error_name(record.error)},
          {"reason", record.reason},
          {"writes_held_us", record.writes_held_us},
          {"is_over", record.is_over}};
}

LoadRecord read_record(const Json& json) {
  LoadRecord record{.app_id = json.at("app_id"),
                    .table = json.at("table"),
                    .provider = json.at("provider"),
                    .place = {.root = json.at("root"),
                              .cluster = json.at("cluster"),
                              .table = json.at("place_table")},
                    .behind = json.at("behind"),
                    .load = json.at("load"),
                    .end_ms = json.at("end_ms"),
                    .status = read_name<wire::bulk_load_status>(json.at("status"), kStatusNames),
                    .partitions = {},
                    .error = wire::error_from_name(json.at("error").get_ref<const std::string&>()),
                    .reason = json.at("reason"),
                    .writes_held_us = json.at("writes_held_us"),
                    .is_over = json.at("is_over")};
  for (const auto& partition : json.at("partitions"))
    record.partitions.push_back(read_name<wire::bulk_load_status>(partition, kStatusNames));
  return record;
}

}  // namespace

std::string_view status_name(wire::bulk_load_status status) {
  return size_t(status) < std::size(kStatusNames) ? kStatusNames[size_t(status)] : "BLS_INVALID";
}

std::string encode_loads(const LoadState& state) {
  Json loads = Json::array();
  for (const auto& [app_id, record] : state) loads.push_back(to_json(record));
  return Json{{"version", kVersion}, {"loads", std::move(loads)}}.dump(
      1, ' ', false, Json::error_handler_t::replace);
}

// The library throws where a field is missing or of another kind; here that becomes an error.
Result<LoadState> decode_loads(std::string_view text) {
  try {
    const auto json = Json::parse(text);
    if (json.at("version") != kVersion) return fail(Code::kCorrupt, "another version");
    LoadState state;
    for (const auto& each : json.at("loads")) {
      auto record = read_record(each);
      state[record.app_id] = std::move(record);
    }
    return state;
  } catch (const Json::exception& wrong) {
    return fail(Code::kCorrupt, wrong.what());
  }
}

Result<LoadBook> LoadBook::open(const std::string& folder) {
  LoadBook book(folder + "/bulk_loads.json");
  book.state_ = TRY(read_book(book.path_, decode_loads));
  return book;
}

Result<void> LoadBook::save() const { return base::replace_file(path_, encode_loads(state_)); }

}  // namespace pegmove::server::meta
