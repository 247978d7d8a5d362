#include "shell/command.h"

#include <algorithm>
#include <vector>

#include "shell/handlers.h"

namespace pegmove::shell {
namespace {

// Usages are those of pegasus_shell 2.6, so that people and scripts find what they know.
constexpr Command kCommands[] = {
    {"help", "", Needs::kNothing, run_help},
    {"version", "", Needs::kNothing, run_version},
    {"cluster_info", "[-r|--resolve_ip] [-o|--output file_name] [-j|--json]", Needs::kCluster,
     run_cluster_info},
    {"app", "<app_name> [-d|--detailed] [-r|--resolve_ip] [-o|--output file_name] [-j|--json]",
     Needs::kCluster, run_app},
    {"app_disk", "<app_name> [-d|--detailed] [-r|--resolve_ip] [-j|--json] [-o|--output file_name]",
     Needs::kCluster, run_app_disk},
    {"ls",
     "[-a|--all] [-d|--detailed] [-j|--json] [-o|--output file_name] "
     "[-s|--status all|available|creating|dropping|dropped] [-p|--app_name_pattern str] "
     "[-m|--match_type all|exact|anywhere|prefix|postfix]",
     Needs::kCluster, run_ls},
    {"nodes",
     "[-d|--detailed] [-j|--json] [-r|--resolve_ip] [-u|--resource_usage] "
     "[-o|--output file_name] [-s|--status all|alive|unalive] [-q|--qps] "
     "[-i|--sample_interval_ms num]",
     Needs::kCluster, run_nodes},
    {"create",
     "<app_name> [-p|--partition_count num] [-r|--replica_count num] [-f|--fail_if_exist] "
     "[-i|--atomic_idempotent] [-e|--envs k1=v1,k2=v2...]",
     Needs::kCluster, run_create},
    {"drop", "<app_name> [-r|--reserve_seconds num]", Needs::kCluster, run_drop},
    {"recall", "<app_id> [new_app_name]", Needs::kCluster, run_recall},
    {"rename", "<old_app_name> <new_app_name>", Needs::kCluster, run_rename},
    {"set_meta_level", "<stopped|blind|freezed|steady|lively>", Needs::kCluster,
     run_set_meta_level},
    {"get_meta_level", "", Needs::kCluster, run_get_meta_level},
    {"use", "[app_name]", Needs::kNothing, run_use},
    {"cc", "[cluster_name]", Needs::kNothing, run_cc},
    {"escape_all", "[true|false]", Needs::kNothing, run_escape_all},
    {"timeout", "[time_in_ms]", Needs::kNothing, run_timeout},
    {"hash", "<hash_key> <sort_key>", Needs::kNothing, run_hash},
    {"set", "<hash_key> <sort_key> <value> [ttl_in_seconds]", Needs::kTable, run_set},
    {"multi_set", "<hash_key> <sort_key> <value> [sort_key value...]", Needs::kTable,
     run_multi_set},
    {"get", "<hash_key> <sort_key>", Needs::kTable, run_get},
    {"multi_get", "<hash_key> [sort_key...]", Needs::kTable, run_multi_get},
    {"multi_get_range",
     "<hash_key> <start_sort_key> <stop_sort_key> [-a|--start_inclusive true|false] "
     "[-b|--stop_inclusive true|false] [-s|--sort_key_filter_type anywhere|prefix|postfix] "
     "[-y|--sort_key_filter_pattern str] [-n|--max_count num] [-i|--no_value] [-r|--reverse]",
     Needs::kTable, run_multi_get_range},
    {"multi_get_sortkeys", "<hash_key>", Needs::kTable, run_multi_get_sortkeys},
    {"del", "<hash_key> <sort_key>", Needs::kTable, run_del},
    {"multi_del", "<hash_key> <sort_key> [sort_key...]", Needs::kTable, run_multi_del},
    {"multi_del_range",
     "<hash_key> <start_sort_key> <stop_sort_key> [-a|--start_inclusive true|false] "
     "[-b|--stop_inclusive true|false] [-s|--sort_key_filter_type anywhere|prefix|postfix] "
     "[-y|--sort_key_filter_pattern str] [-o|--output file_name] [-i|--silent]",
     Needs::kTable, run_multi_del_range},
    {"incr", "<hash_key> <sort_key> [increment]", Needs::kTable, run_incr},
    {"check_and_set",
     "<hash_key> [-c|--check_sort_key str] "
     "[-t|--check_type not_exist|not_exist_or_empty|exist|not_empty] "
     "[match_anywhere|match_prefix|match_postfix] "
     "[bytes_less|bytes_less_or_equal|bytes_equal|bytes_greater_or_equal|bytes_greater] "
     "[int_less|int_less_or_equal|int_equal|int_greater_or_equal|int_greater] "
     "[-o|--check_operand str] [-s|--set_sort_key str] [-v|--set_value str] "
     "[-l|--set_value_ttl_seconds num] [-r|--return_check_value]",
     Needs::kTable, run_check_and_set},
    {"check_and_mutate",
     "<hash_key> [-c|--check_sort_key str] "
     "[-t|--check_type not_exist|not_exist_or_empty|exist|not_empty] "
     "[match_anywhere|match_prefix|match_postfix] "
     "[bytes_less|bytes_less_or_equal|bytes_equal|bytes_greater_or_equal|bytes_greater] "
     "[int_less|int_less_or_equal|int_equal|int_greater_or_equal|int_greater] "
     "[-o|--check_operand str] [-r|--return_check_value]",
     Needs::kTable, run_check_and_mutate},
    {"exist", "<hash_key> <sort_key>", Needs::kTable, run_exist},
    {"count", "<hash_key>", Needs::kTable, run_count},
    {"ttl", "<hash_key> <sort_key>", Needs::kTable, run_ttl},
    {"hash_scan",
     "<hash_key> <start_sort_key> <stop_sort_key> [-a|--start_inclusive true|false] "
     "[-b|--stop_inclusive true|false] [-s|--sort_key_filter_type anywhere|prefix|postfix] "
     "[-y|--sort_key_filter_pattern str] "
     "[-v|--value_filter_type anywhere|prefix|postfix|exact] [-z|--value_filter_pattern str] "
     "[-o|--output file_name] [-n|--max_count num] [-t|--timeout_ms num] [-d|--detailed] "
     "[-i|--no_value]",
     Needs::kTable, run_hash_scan},
    {"full_scan",
     "[-h|--hash_key_filter_type anywhere|prefix|postfix] [-x|--hash_key_filter_pattern str] "
     "[-s|--sort_key_filter_type anywhere|prefix|postfix|exact] "
     "[-y|--sort_key_filter_pattern str] "
     "[-v|--value_filter_type anywhere|prefix|postfix|exact] [-z|--value_filter_pattern str] "
     "[-o|--output file_name] [-n|--max_count num] [-t|--timeout_ms num] [-d|--detailed] "
     "[-i|--no_value] [-p|--partition num]",
     Needs::kTable, run_full_scan},
    {"copy_data",
     "<-c|--target_cluster_name str> <-a|--target_app_name str> [-p|--partition num] "
     "[-b|--max_batch_count num] [-t|--timeout_ms num] "
     "[-h|--hash_key_filter_type anywhere|prefix|postfix] [-x|--hash_key_filter_pattern str] "
     "[-s|--sort_key_filter_type anywhere|prefix|postfix|exact] "
     "[-y|--sort_key_filter_pattern str] "
     "[-v|--value_filter_type anywhere|prefix|postfix|exact] [-z|--value_filter_pattern str] "
     "[-m|--max_multi_set_concurrency] [-o|--scan_option_batch_size] [-e|--no_ttl] "
     "[-n|--no_overwrite] [-i|--no_value] [-g|--geo_data] [-u|--use_multi_set]",
     Needs::kTable, run_copy_data},
    {"clear_data",
     "[-p|--partition num] [-b|--max_batch_count num] [-t|--timeout_ms num] "
     "[-h|--hash_key_filter_type anywhere|prefix|postfix] [-x|--hash_key_filter_pattern str] "
     "[-s|--sort_key_filter_type anywhere|prefix|postfix|exact] "
     "[-y|--sort_key_filter_pattern str] "
     "[-v|--value_filter_type anywhere|prefix|postfix|exact] [-z|--value_filter_pattern str] "
     "[-f|--force]",
     Needs::kTable, run_clear_data},
    {"count_data",
     "[-c|--precise][-p|--partition num] [-b|--max_batch_count num][-t|--timeout_ms num] "
     "[-h|--hash_key_filter_type anywhere|prefix|postfix] [-x|--hash_key_filter_pattern str] "
     "[-s|--sort_key_filter_type anywhere|prefix|postfix|exact] "
     "[-y|--sort_key_filter_pattern str] "
     "[-v|--value_filter_type anywhere|prefix|postfix|exact] "
     "[-z|--value_filter_pattern str][-d|--diff_hash_key] [-a|--stat_size] "
     "[-n|--top_count num] [-r|--run_seconds num]",
     Needs::kTable, run_count_data},
    {"remote_command",
     "[-t all|meta-server|replica-server] [-r|--resolve_ip] [-l host:port,host:port...] "
     "[-i|--sample_interval_ms num] <command> [arguments...]",
     Needs::kCluster, run_remote_command},
    {"server_info",
     "[-t all|meta-server|replica-server] [-l host:port,host:port...] [-r|--resolve_ip]",
     Needs::kCluster, run_server_info},
    {"server_stat",
     "[-t all|meta-server|replica-server] [-l host:port,host:port...] [-r|--resolve_ip] "
     "[-i|--sample_interval_ms num]",
     Needs::kCluster, run_server_stat},
    {"app_stat",
     "[-a|--app_name str] [-q|--only_qps] [-u|--only_usage] [-j|--json] "
     "[-o|--output file_name] [-i|--sample_interval_ms num]",
     Needs::kCluster, run_app_stat},
    {"flush_log",
     "[-t all|meta-server|replica-server] [-l host:port,host:port...][-r|--resolve_ip]",
     Needs::kCluster, run_flush_log},
    {"get_app_envs", "[-j|--json]", Needs::kTable, run_get_app_envs},
    {"set_app_envs", "<key> <value> [key value...]", Needs::kTable, run_set_app_envs},
    {"del_app_envs", "<key> [key...]", Needs::kTable, run_del_app_envs},
    {"clear_app_envs", "[-a|--all] [-p|--prefix str]", Needs::kTable, run_clear_app_envs},
    {"get_replica_count", "<app_name> [-j|--json]", Needs::kCluster, run_get_replica_count},
    {"set_replica_count", "<app_name> <replica_count>", Needs::kCluster, run_set_replica_count},
    {"get_atomic_idempotent", "<app_name> [-j|--json]", Needs::kCluster, run_get_atomic_idempotent},
    {"enable_atomic_idempotent", "<app_name>", Needs::kCluster, run_enable_atomic_idempotent},
    {"disable_atomic_idempotent", "<app_name>", Needs::kCluster, run_disable_atomic_idempotent},
    {"add_backup_policy",
     "<-p|--policy_name str> <-b|--backup_provider_type str> <-a|--app_ids 1,2...> "
     "<-i|--backup_interval_seconds num> <-s|--start_time hour:minute> "
     "<-c|--backup_history_cnt num>",
     Needs::kCluster, run_add_backup_policy},
    {"ls_backup_policy", "[-j|--json]", Needs::kCluster, run_ls_backup_policy},
    {"query_backup_policy", "<-p|--policy_name p1,p2...> [-b|--backup_info_cnt num] [-j|--json]",
     Needs::kCluster, run_query_backup_policy},
    {"modify_backup_policy",
     "<-p|--policy_name str> [-a|--add_app 1,2...] [-r|--remove_app 1,2...] "
     "[-i|--backup_interval_seconds num] [-c|--backup_history_count num] "
     "[-s|--start_time hour:minute]",
     Needs::kCluster, run_modify_backup_policy},
    {"disable_backup_policy", "<-p|--policy_name str> [-f|--force]", Needs::kCluster,
     run_disable_backup_policy},
    {"enable_backup_policy", "<-p|--policy_name str>", Needs::kCluster, run_enable_backup_policy},
    {"restore_app",
     "<-c|--old_cluster_name str> <-p|--old_policy_name str> <-a|--old_app_name str> "
     "<-i|--old_app_id id> <-t|--timestamp/backup_id timestamp> "
     "<-b|--backup_provider_type str> [-n|--new_app_name str] [-s|--skip_bad_partition] "
     "[-r|--restore_path str]",
     Needs::kCluster, run_restore_app},
    {"query_restore_status", "<restore_app_id> [-d|--detailed]", Needs::kCluster,
     run_query_restore_status},
    {"add_dup",
     "<app_name> <remote_cluster_name> [-s|--sst] [-a|--remote_app_name str] "
     "[-r|--remote_replica_count num]",
     Needs::kCluster, run_add_dup},
    {"query_dup", "<app_name> [-d|--detail]", Needs::kCluster, run_query_dup},
    {"dups",
     "[-a|--app_name_pattern str] [-m|--match_type all|exact|anywhere|prefix|postfix] "
     "[-p|--list_partitions] [-g|--progress_gap num] [-u|--show_unfinishd] "
     "[-o|--output file_name] [-j|--json]",
     Needs::kCluster, run_dups},
    {"remove_dup", "<app_name> <dup_id>", Needs::kCluster, run_remove_dup},
    {"start_dup", "<app_name> <dup_id>", Needs::kCluster, run_start_dup},
    {"pause_dup", "<app_name> <dup_id>", Needs::kCluster, run_pause_dup},
    {"set_dup_fail_mode", "<app_name> <dup_id> <slow|skip>", Needs::kCluster,
     run_set_dup_fail_mode},
    {"start_bulk_load",
     "<-a --app_name str> <-c --cluster_name str> <-p --file_provider_type str> <-r --root_path> "
     "[-i --ingest_behind]",
     Needs::kCluster, run_start_bulk_load},
    {"query_bulk_load_status", "<-a --app_name str> [-i --partition_index num] [-d --detailed]",
     Needs::kCluster, run_query_bulk_load_status},
    {"pause_bulk_load", "<-a --app_name str>", Needs::kCluster, run_pause_bulk_load},
    {"restart_bulk_load", "<-a --app_name str>", Needs::kCluster, run_restart_bulk_load},
    {"cancel_bulk_load", "<-a --app_name str> [-f --forced]", Needs::kCluster,
     run_cancel_bulk_load},
    {"clear_bulk_load", "<-a --app_name str>", Needs::kCluster, run_clear_bulk_load},
    {"backup", "<tableID> <provider> [path]", Needs::kCluster, run_backup},
    {"query-backup-status", "<tableID> [backupID]", Needs::kCluster, run_query_backup_status},
    {"restore",
     "<-c|--oldClusterName str> <-a|--oldTableName str> <-i|--oldTableID id> "
     "<-t|--timestamp backupID> <-b|--providerType str> [-n|--newTableName str] "
     "[-r|--restorePath str] [-s|--skipBadPartition] [-p|--oldPolicyName str]",
     Needs::kCluster, run_restore},
    {"duplication",
     "list | add -c|--cluster str [-p|--checkpoint] | remove|pause|start -d|--dupid id",
     Needs::kTable, run_duplication},
    {"exit", "", Needs::kNothing, run_exit},
};

constexpr size_t kUsageColumns = 70;

// Cuts behind "] " or "> ", as late as a line allows; what cannot be cut stays whole.
std::vector<std::string_view> usage_lines(std::string_view usage) {
  std::vector<std::string_view> lines;
  size_t start = 0, cut = 0;  // cut: behind the last place for a break in this line
  for (size_t i = 0; i + 1 < usage.size(); ++i) {
    if ((usage[i] != ']' && usage[i] != '>') || usage[i + 1] != ' ') continue;
    if (i + 1 - start > kUsageColumns && cut > start) {
      lines.push_back(usage.substr(start, cut - start));
      start = cut + 1;
    }
    cut = i + 1;
  }
  if (usage.size() - start > kUsageColumns && cut > start) {
    lines.push_back(usage.substr(start, cut - start));
    start = cut + 1;
  }
  lines.push_back(usage.substr(start));
  return lines;
}

}  // namespace

std::span<const Command> all_commands() { return kCommands; }

const Command* find_command(std::string_view name) {
  auto found = std::ranges::find(kCommands, name, &Command::name);
  return found == std::end(kCommands) ? nullptr : &*found;
}

std::string usage_text(const Command& command) {
  size_t width = 2;
  for (const auto& each : kCommands) width = std::max(width, each.name.size() + 2);
  std::string text;
  std::string_view head = command.name;
  for (auto line : usage_lines(command.usage)) {
    text.append("\t").append(head).append(width - head.size(), ' ').append(line).append("\n");
    head = {};
  }
  return text;
}

std::string help_text() {
  std::string text = "Usage:\n";
  for (const auto& command : kCommands) text += usage_text(command);
  return text;
}

}  // namespace pegmove::shell
