// Administration of tables beyond creating and dropping them: each function carries out one request
// on the catalog and returns its answer. The caller notifies the nodes.
//
// The answers are those of Pegasus, hints to the letter: src/meta/server_state.cpp. A change that
// could not be written is answered with ERR_FILE_OPERATION_FAILED.
#pragma once

#include <cstdint>
#include <functional>

#include "base/ids.h"
#include "meta_types.h"
#include "server/meta/catalog/app_catalog.h"
#include "wire/compaction_status.h"

namespace pegmove::server::meta {

// RPC_CM_RECALL_APP: a dropped table is available again, under its old name or a new one.
// Answers ERR_APP_NOT_EXIST for an unknown id and when its reserve time has passed (see
// is_reservation_over), ERR_APP_EXIST when it is not dropped, ERR_INVALID_PARAMETERS when the name
// is taken or invalid. `also` is written together with it.
wire::configuration_recall_app_response recall_app(
    AppCatalog& catalog, const wire::configuration_recall_app_request& request, int64_t now_unix,
    MetaBatch also = {});

// Whether the data of this dropped table may be deleted and the table cannot be recalled any more.
bool is_reservation_over(const AppRecord& app, int64_t now_unix);

// RPC_CM_RENAME_APP. Answers ERR_APP_NOT_EXIST; ERR_INVALID_PARAMETERS when the new name is taken
// or invalid.
wire::configuration_rename_app_response rename_app(
    AppCatalog& catalog, const wire::configuration_rename_app_request& request);

// RPC_CM_GET_MAX_REPLICA_COUNT. Answers ERR_APP_NOT_EXIST.
wire::configuration_get_max_replica_count_response max_replica_count(
    const AppCatalog& catalog, const wire::configuration_get_max_replica_count_request& request);

// RPC_CM_SET_MAX_REPLICA_COUNT: the table has so many replicas at once (real servers add and remove
// them one by one). Answers ERR_INVALID_PARAMETERS for counts that check_replica_count() refuses,
// ERR_APP_NOT_EXIST, ERR_STATE_FREEZED; ERR_OK with a hint when it is set already.
wire::configuration_set_max_replica_count_response set_max_replica_count(
    AppCatalog& catalog, const wire::configuration_set_max_replica_count_request& request);

// RPC_CM_GET_ATOMIC_IDEMPOTENT. Answers ERR_APP_NOT_EXIST.
wire::configuration_get_atomic_idempotent_response atomic_idempotent(
    const AppCatalog& catalog, const wire::configuration_get_atomic_idempotent_request& request);

// RPC_CM_SET_ATOMIC_IDEMPOTENT. Answers ERR_APP_NOT_EXIST, ERR_STATE_FREEZED; ERR_OK with a hint
// when it is set already.
wire::configuration_set_atomic_idempotent_response set_atomic_idempotent(
    AppCatalog& catalog, const wire::configuration_set_atomic_idempotent_request& request);

// RPC_CM_CONTROL_META: answers the previous level, and sets the new one; fl_invalid only queries.
// Answers ERR_INVALID_PARAMETERS for a number that is not a level (Pegasus accepts any). Pegasus:
// meta_service::on_control_meta_level in src/meta/meta_service.cpp.
wire::configuration_meta_control_response control_level(
    AppCatalog& catalog, const wire::configuration_meta_control_request& request);

// RPC_CM_START_MANUAL_COMPACT: sets the app envs manual_compact.once.* of the table; its replicas
// start when they receive them. Answers ERR_APP_NOT_EXIST; ERR_OPERATION_DISABLED when the env
// manual_compact.disabled is "true", or the table waits for a load behind its rows;
// ERR_INVALID_PARAMETERS for a target level below -1 and a negative count of concurrent compactions
// (0 leaves the env as it is).
wire::start_app_manual_compact_response start_manual_compact(
    AppCatalog& catalog, const wire::start_app_manual_compact_request& request, int64_t now_unix);

// RPC_CM_QUERY_MANUAL_COMPACT_STATUS: the share of replicas that have finished, in percent.
// `status_of` returns a partition's status. Answers ERR_APP_NOT_EXIST; ERR_INVALID_STATE when all
// are idle.
wire::query_app_manual_compact_response query_manual_compact(
    const AppCatalog& catalog, const wire::query_app_manual_compact_request& request,
    const std::function<wire::CompactionStatus(const AppRecord&, int32_t index)>& status_of);

}  // namespace pegmove::server::meta
