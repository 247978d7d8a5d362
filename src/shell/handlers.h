// Who carries the commands out, one file a group. command.h says what the results mean. Each
// handler's behaviour is that of Pegasus's command of this name, unless said otherwise here.
#pragma once

#include "shell/command.h"

namespace pegmove::shell {

// commands_session.cc
Outcome run_help(Session& session, Words words);
Outcome run_version(Session& session, Words words);
Outcome run_cc(Session& session, Words words);   // without a name: shows the current cluster
Outcome run_use(Session& session, Words words);  // warns when there is no such table
Outcome run_timeout(Session& session, Words words);
Outcome run_escape_all(Session& session, Words words);
Outcome run_exit(Session& session, Words words);

// commands_cluster.cc
Outcome run_cluster_info(Session& session, Words words);
Outcome run_get_meta_level(Session& session, Words words);
Outcome run_set_meta_level(Session& session, Words words);

// commands_nodes.cc
Outcome run_nodes(Session& session, Words words);

// commands_remote.cc
Outcome run_remote_command(Session& session, Words words);
Outcome run_server_info(Session& session, Words words);
Outcome run_server_stat(Session& session, Words words);  // asks for all it shows
Outcome run_flush_log(Session& session, Words words);

// commands_app_stat.cc
Outcome run_app_stat(Session& session, Words words);

// commands_app_disk.cc
Outcome run_app_disk(Session& session, Words words);

// commands_table_settings.cc
Outcome run_get_replica_count(Session& session, Words words);
Outcome run_set_replica_count(Session& session, Words words);
Outcome run_get_atomic_idempotent(Session& session, Words words);
Outcome run_enable_atomic_idempotent(Session& session, Words words);
Outcome run_disable_atomic_idempotent(Session& session, Words words);

// commands_table.cc
Outcome run_app(Session& session, Words words);
Outcome run_ls(Session& session, Words words);

// commands_create.cc
Outcome run_create(Session& session, Words words);
Outcome run_drop(Session& session, Words words);
Outcome run_recall(Session& session, Words words);
Outcome run_rename(Session& session, Words words);

// commands_data.cc
Outcome run_set(Session& session, Words words);
Outcome run_get(Session& session, Words words);
Outcome run_del(Session& session, Words words);
Outcome run_exist(Session& session, Words words);
Outcome run_ttl(Session& session, Words words);
Outcome run_multi_set(Session& session, Words words);
Outcome run_multi_get(Session& session, Words words);
Outcome run_multi_del(Session& session, Words words);
Outcome run_count(Session& session, Words words);
Outcome run_hash(Session& session, Words words);

// commands_range.cc
Outcome run_multi_get_range(Session& session, Words words);
Outcome run_multi_get_sortkeys(Session& session, Words words);
Outcome run_multi_del_range(Session& session, Words words);

// commands_atomic.cc
Outcome run_incr(Session& session, Words words);
Outcome run_check_and_set(Session& session, Words words);
// Mutations come from Session::read_line(). Wrong ones end it, unless a person types.
Outcome run_check_and_mutate(Session& session, Words words);

// commands_scan.cc
Outcome run_hash_scan(Session& session, Words words);
Outcome run_full_scan(Session& session, Words words);

// commands_clear.cc
Outcome run_clear_data(Session& session, Words words);

// commands_count.cc
Outcome run_count_data(Session& session, Words words);  // not -d, -a, -n, -r
// count_estimate.cc: count_data without options
Outcome run_count_estimate(Session& session);

// commands_copy.cc
Outcome run_copy_data(Session& session, Words words);

// commands_duplication.cc
Outcome run_add_dup(Session& session, Words words);
Outcome run_query_dup(Session& session, Words words);
Outcome run_remove_dup(Session& session, Words words);
Outcome run_start_dup(Session& session, Words words);
Outcome run_pause_dup(Session& session, Words words);
Outcome run_set_dup_fail_mode(Session& session, Words words);

// commands_dups.cc
Outcome run_dups(Session& session, Words words);

// commands_duplication_admin.cc: admin-cli's, for the current table
Outcome run_duplication(Session& session, Words words);

// commands_bulk_load.cc
Outcome run_start_bulk_load(Session& session, Words words);
Outcome run_query_bulk_load_status(Session& session, Words words);
Outcome run_pause_bulk_load(Session& session, Words words);
Outcome run_restart_bulk_load(Session& session, Words words);
Outcome run_cancel_bulk_load(Session& session, Words words);
Outcome run_clear_bulk_load(Session& session, Words words);

// commands_backup.cc
Outcome run_restore_app(Session& session, Words words);
Outcome run_query_restore_status(Session& session, Words words);
// Of admin-cli, which has them under these names: the documentation types them so.
Outcome run_backup(Session& session, Words words);
Outcome run_query_backup_status(Session& session, Words words);
Outcome run_restore(Session& session, Words words);  // waits until the table is whole

// commands_backup_policy.cc
Outcome run_add_backup_policy(Session& session, Words words);
Outcome run_ls_backup_policy(Session& session, Words words);
Outcome run_query_backup_policy(Session& session, Words words);
Outcome run_modify_backup_policy(Session& session, Words words);
Outcome run_disable_backup_policy(Session& session, Words words);
Outcome run_enable_backup_policy(Session& session, Words words);

// commands_env.cc
Outcome run_get_app_envs(Session& session, Words words);
Outcome run_set_app_envs(Session& session, Words words);
Outcome run_del_app_envs(Session& session, Words words);
Outcome run_clear_app_envs(Session& session, Words words);

}  // namespace pegmove::shell
