#include "client/put_if_absent.h"

#include "base/bytes.h"
#include "client/row_groups.h"
#include "data_types.h"
#include "record/hash.h"
#include "record/key.h"

namespace pegmove::client {

using wire::StorageStatus;

Task<bool> put_if_absent(Table& table, RawRow row, Deadline deadline) {
  auto key = *record::split_key(row.key);
  wire::check_and_set_request request;
  request.hash_key.data = key.hash_key;
  request.check_sort_key.data = key.sort_key;
  request.check_type = wire::cas_check_type(CheckType::kNotExist);
  request.set_value.data = row.value;
  request.set_expire_ts_seconds = int32_t(row.expire_ts);
  auto body = wire::encode_body(request);
  auto size = body.size();
  auto target = table.router().target_of(record::raw_key_hash(key));
  auto reply = co_await table.router().call(target, wire::RpcCode::kCheckAndSet, std::move(body),
                                            deadline, Repeat::kAllowed);
  if (!reply) co_return fail(explain_size(table, row, size, std::move(reply).error()));
  auto response = CO_TRY(wire::decode_body<wire::check_and_set_response>(reply->body.view));
  if (response.error == int32_t(StorageStatus::kOk)) co_return true;
  if (response.error == int32_t(StorageStatus::kTryAgain)) co_return false;
  co_return fail(wire::to_error(StorageStatus(response.error), "check_and_set"));
}

}  // namespace pegmove::client
