#include "client/node.h"

#include <fmt/format.h>

#include "data_types.h"
#include "meta_types.h"
#include "record/hash.h"
#include "record/key.h"
#include "replica_admin_types.h"
#include "wire/error_code.h"
#include "wire/thrift_codec.h"

namespace pegmove::client {
namespace {

using wire::ErrorCode;
using wire::RpcCode;

// Uses the first address of the node that accepts the request.
Task<net::IncomingReply> call(Client& client, net::HostPort node, RpcCode code, std::string body,
                              Deadline deadline) {
  Error last(Code::kUnreachable, "");
  for (auto address : CO_TRY(co_await client.host_names().resolve(node, deadline))) {
    bool sent = false;
    auto reply = co_await client.channel(address).call(
        {.code = code, .body = body, .deadline = deadline, .sent = &sent});
    if (reply && reply->error != ErrorCode::kOk)
      co_return fail(wire::to_error(
          reply->error, fmt::format("{} at {}", wire::rpc_name(code), node.to_string())));
    if (reply || reply.error().code() == Code::kInterrupted) co_return reply;
    client.host_names().failed(node, address);
    last = std::move(reply).error();
    if (sent) break;  // it may have been carried out
  }
  co_return fail(std::move(last));
}

std::set<Gpid> partitions_of(const std::map<int32_t, std::set<wire::gpid>>& by_table) {
  std::set<Gpid> partitions;
  for (const auto& [app_id, ids] : by_table)
    for (const auto& id : ids) partitions.insert(id.id);
  return partitions;
}

}  // namespace

Task<std::string> remote_command(Client& client, net::HostPort node, std::string command,
                                 std::vector<std::string> arguments, Deadline deadline) {
  wire::command request;
  request.cmd = command;
  request.arguments = std::move(arguments);
  auto reply =
      CO_TRY(co_await call(client, node, RpcCode::kCliCall, wire::encode_body(request), deadline));
  co_return in_context(wire::decode_string_body(reply.body.view),
                       fmt::format("the answer of {} to '{}'", node.to_string(), command));
}

Task<NodeDisks> query_disk_info(Client& client, net::HostPort node, std::string table,
                                Deadline deadline) {
  wire::query_disk_info_request request;
  request.app_name = table;
  auto addresses = CO_TRY(co_await client.host_names().resolve(node, deadline));
  request.node1 = wire::rpc_address::of(addresses.front().ipv4, addresses.front().port);
  request.__set_hp_node1(wire::host_port::of(node.host, node.port));
  auto reply = CO_TRY(
      co_await call(client, node, RpcCode::kQueryDiskInfo, wire::encode_body(request), deadline));
  auto response = CO_TRY(wire::decode_body<wire::query_disk_info_response>(reply.body.view));
  if (response.err.code == ErrorCode::kObjectNotFound)
    co_return fail(Error(Code::kNotFound,
                         fmt::format("{} has no partition of table '{}'", node.to_string(), table))
                       .with_wire_code(int(response.err.code)));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(wire::to_error(response.err.code, "disks of " + node.to_string()));
  NodeDisks disks{response.total_capacity_mb, response.total_available_mb, {}};
  for (auto& disk : response.disk_infos)
    disks.disks.push_back({.tag = disk.tag,
                           .dir = disk.full_dir,
                           .capacity_mb = disk.disk_capacity_mb,
                           .available_mb = disk.disk_available_mb,
                           .primaries = partitions_of(disk.holding_primary_replicas),
                           .secondaries = partitions_of(disk.holding_secondary_replicas)});
  co_return disks;
}

Task<wire::ErrorCode> probe_row(Client& client, net::HostPort node, RowProbe probe,
                                Deadline deadline) {
  CO_TRY(record::check_hash_key(probe.hash_key));
  const auto code = probe.removes ? RpcCode::kRemove : RpcCode::kGet;
  const auto body = wire::encode_body(wire::blob{record::encode_key(probe.hash_key, "")});
  const auto addresses = CO_TRY(co_await client.host_names().resolve(node, deadline));
  auto reply = co_await client.channel(addresses.front())
                   .call({.code = code,
                          .gpid = probe.partition,
                          .partition_hash = record::key_hash(probe.hash_key, ""),
                          .body = body,
                          .deadline = deadline,
                          .is_backup_request = probe.is_backup_request});
  if (!reply) {
    client.host_names().failed(node, addresses.front());
    co_return fail(std::move(reply).error());
  }
  if (reply->error != ErrorCode::kOk) co_return reply->error;
  const auto status = probe.removes
                          ? CO_TRY(wire::decode_body<wire::update_response>(reply->body.view)).error
                          : CO_TRY(wire::decode_body<wire::read_response>(reply->body.view)).error;
  if (status == int32_t(wire::StorageStatus::kOk) ||
      status == int32_t(wire::StorageStatus::kNotFound))
    co_return ErrorCode::kOk;
  co_return fail(wire::to_error(
      wire::StorageStatus(status),
      fmt::format("partition {} at {}", probe.partition.to_string(), node.to_string())));
}

}  // namespace pegmove::client
