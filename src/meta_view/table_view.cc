#include "meta_view/table_view.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

namespace pegmove::meta_view {
namespace {

using wire::ErrorCode;
using wire::pattern_match_type;

// Nothing when this kind of match is not supported.
std::optional<bool> matches(std::string_view name, std::string_view pattern,
                            pattern_match_type type) {
  switch (type) {
    case pattern_match_type::PMT_MATCH_ALL: return true;
    case pattern_match_type::PMT_MATCH_EXACT: return name == pattern;
    case pattern_match_type::PMT_MATCH_ANYWHERE: return name.contains(pattern);
    case pattern_match_type::PMT_MATCH_PREFIX: return name.starts_with(pattern);
    case pattern_match_type::PMT_MATCH_POSTFIX: return name.ends_with(pattern);
    default: return std::nullopt;
  }
}

std::string name_of(pattern_match_type type) {
  const auto name = wire::_pattern_match_type_VALUES_TO_NAMES.find(type);
  return name == wire::_pattern_match_type_VALUES_TO_NAMES.end() ? "unknown" : name->second;
}

wire::partition_configuration configuration_of(const TableView& table, size_t index,
                                               HostPorts host_ports) {
  const auto& partition = table.partitions[index];
  wire::partition_configuration configuration;
  configuration.pid.id = {.app_id = table.app_id, .partition_index = static_cast<int32_t>(index)};
  configuration.max_replica_count = table.max_replica_count;
  if (partition.primary) {
    // Without a primary the ballot stays 0: clients take any other ballot as a served partition.
    configuration.ballot = partition.ballot;
    configuration.primary = partition.primary->address;
    for (const auto* node : partition.secondaries)
      configuration.secondaries.push_back(node->address);
  }
  if (host_ports == HostPorts::kInclude) {
    configuration.__set_hp_secondaries({});
    configuration.__set_hp_last_drops({});
    if (!partition.primary) return configuration;
    configuration.__set_hp_primary(partition.primary->host_port);
    for (const auto* node : partition.secondaries)
      configuration.hp_secondaries.push_back(node->host_port);
  }
  return configuration;
}

// Existing indices, each once, in the order of the request: the answer is never longer than the
// table.
std::vector<size_t> wanted_indices(const std::vector<int32_t>& asked, size_t partition_count) {
  std::vector<size_t> wanted;
  std::vector<bool> is_taken(partition_count);
  for (const int32_t index : asked) {
    if (index < 0 || static_cast<size_t>(index) >= partition_count) continue;
    const auto place = static_cast<size_t>(index);
    if (!is_taken[place]) wanted.push_back(place);
    is_taken[place] = true;
  }
  if (!wanted.empty()) return wanted;
  for (size_t index = 0; index < partition_count; ++index) wanted.push_back(index);
  return wanted;
}

}  // namespace

wire::query_cfg_response query_config(const wire::query_cfg_request& request,
                                      const TableView* table, HostPorts host_ports) {
  wire::query_cfg_response response;
  if (!table) {
    response.err.code = ErrorCode::kObjectNotFound;
    return response;
  }
  response.app_id = table->app_id;
  response.partition_count = static_cast<int32_t>(table->partitions.size());
  response.is_stateful = table->is_stateful;
  for (const auto index : wanted_indices(request.partition_indices, table->partitions.size()))
    response.partitions.push_back(configuration_of(*table, index, host_ports));
  return response;
}

wire::configuration_list_apps_response list_apps(
    const wire::configuration_list_apps_request& request,
    std::span<const wire::app_info* const> tables) {
  wire::configuration_list_apps_response response;
  const bool has_pattern = request.__isset.app_name_pattern && request.__isset.match_type;
  if (has_pattern && !matches("", "", request.match_type)) {
    response.err.code = ErrorCode::kNotImplemented;
    response.__set_hint_message(fmt::format("match_type is not supported: val={}, str={}",
                                            static_cast<int>(request.match_type),
                                            name_of(request.match_type)));
    return response;
  }
  for (const auto* info : tables) {
    const bool has_status =
        request.status == wire::app_status::AS_INVALID || request.status == info->status;
    const bool has_name =
        !has_pattern || *matches(info->app_name, request.app_name_pattern, request.match_type);
    if (has_status && has_name) response.infos.push_back(*info);
  }
  return response;
}

}  // namespace pegmove::meta_view
