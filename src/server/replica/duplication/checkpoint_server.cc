#include "server/replica/duplication/checkpoint_server.h"

#include <algorithm>
#include <utility>

#include "base/local_file.h"
#include "server/replica/duplication/checkpoint_sums.h"
#include "wire/thrift_codec.h"

namespace pegmove::server::replica {
namespace {

using wire::ErrorCode;

constexpr int64_t kReadsAtOnce = 4;

template <typename Message>
void answer(net::IncomingCall& call, const Message& message) {
  call.reply(ErrorCode::kOk, wire::encode_body(message));
}

// Fewer bytes than the size: the file was removed while it was read.
Result<std::string> read_block(const std::string& path, int64_t offset, int32_t size) {
  auto bytes = TRY(TRY(base::LocalFile::open(path)).read(offset, size_t(size)));
  if (bytes.size() != size_t(size)) return fail(Code::kIo, path + " is shorter than it was");
  return bytes;
}

}  // namespace

CheckpointServer::CheckpointServer(Options options, KeptCheckpoints& kept, async::TaskGroup& tasks,
                                   metrics::Entity& server)
    : options_(std::move(options)),
      kept_(kept),
      tasks_(tasks),
      sent_bytes_(server.counter({.name = "nfs_server_copy_bytes",
                                  .kind = metrics::Kind::kCounter,
                                  .unit = "Bytes",
                                  .description = "Bytes of files sent to other servers"})),
      failed_(server.counter({.name = "nfs_server_copy_failed_requests",
                              .kind = metrics::Kind::kCounter,
                              .unit = "Requests",
                              .description = "Requests for a block of a file that failed"})),
      reads_(kReadsAtOnce) {}

Task<std::vector<std::string>> CheckpointServer::md5_of_files(const KeptCheckpoint& checkpoint) {
  const auto permit = co_await async::Permit::take(&sums_);
  std::vector<std::string> sums;
  for (const auto& file : checkpoint.files)
    sums.push_back(CO_TRY(co_await md5_of_file(pool_, checkpoint.path_of(file),
                                               [this] { return tasks_.stopped(); })));
  co_return sums;
}

void CheckpointServer::query(net::IncomingCall call) {
  auto request = wire::decode_body<wire::learn_request>(call.body());
  if (!request) return call.reply(ErrorCode::kInvalidParameters);
  tasks_.spawn(answer_query(std::move(call), *std::move(request)));
}

Routine<> CheckpointServer::answer_query(net::IncomingCall call, wire::learn_request request) {
  wire::learn_response response;
  const auto checkpoint = kept_.of(request.pid.id);
  const auto last_decree = options_.last_decree(request.pid.id);
  if (!last_decree || !checkpoint) {
    response.err.code = last_decree ? ErrorCode::kPathNotFound : ErrorCode::kObjectNotFound;
    co_return answer(call, response);
  }
  auto& state = response.state;
  state.to_decree_included = checkpoint->decree;
  for (const auto& file : checkpoint->files) state.files.push_back(file.name);
  if (request.checksum_type > wire::CST_NONE) {
    auto sums = co_await md5_of_files(*checkpoint);
    if (tasks_.stopped()) co_return;
    if (!sums || request.checksum_type != wire::CST_MD5) {
      response = {};
      response.err.code = ErrorCode::kGetLearnStateFailed;
      co_return answer(call, response);
    }
    state.__set_file_checksums(*sums);
    std::vector<int64_t> sizes;
    for (const auto& file : checkpoint->files) sizes.push_back(file.size);
    state.__set_file_sizes(sizes);
  }
  response.last_committed_decree = *last_decree;
  response.base_local_dir = checkpoint->folder;
  const auto address = options_.address();
  response.learnee = wire::rpc_address::of(address.ipv4, address.port);
  response.__set_hp_learnee(wire::host_port::of(net::host_port_of(address).host, address.port));
  answer(call, response);
  if (options_.on_failpoint) options_.on_failpoint("dup.checkpoint_queried");
}

void CheckpointServer::get_sizes(net::IncomingCall call) {
  auto request = wire::decode_body<wire::get_file_size_request>(call.body());
  if (!request) return call.reply(ErrorCode::kInvalidParameters);
  wire::get_file_size_response response;
  const auto checkpoint = kept_.at(request->source_dir);
  if (!checkpoint) {
    response.error = int32_t(ErrorCode::kObjectNotFound);
    return answer(call, response);
  }
  if (request->file_list.size() > checkpoint->files.size()) {
    response.error = int32_t(ErrorCode::kInvalidParameters);
    return answer(call, response);
  }
  if (request->file_list.empty())
    for (const auto& file : checkpoint->files) request->file_list.push_back(file.name);
  for (auto& name : request->file_list) {
    const auto* file = checkpoint->find(name);
    if (!file) {
      response.error = int32_t(ErrorCode::kFileOperationFailed);
      break;
    }
    response.size_list.push_back(file->size);
    response.file_list.push_back(std::move(name));
  }
  answer(call, response);
}

wire::copy_response CheckpointServer::refuse(const wire::copy_request& request, ErrorCode error) {
  failed_.add();
  wire::copy_response response;
  response.error.code = error;
  response.offset = request.offset;
  response.size = request.size;
  return response;
}

void CheckpointServer::copy(net::IncomingCall call) {
  auto request = wire::decode_body<wire::copy_request>(call.body());
  if (!request) return call.reply(ErrorCode::kInvalidParameters);
  if (request->size < 0 || request->size > kMostBlockBytes || request->offset < 0)
    return answer(call, refuse(*request, ErrorCode::kInvalidParameters));
  tasks_.spawn(answer_copy(std::move(call), *std::move(request)));
}

Routine<> CheckpointServer::answer_copy(net::IncomingCall call, wire::copy_request request) {
  const auto permit = co_await async::Permit::take(&reads_);
  if (tasks_.stopped()) co_return;
  if (!call.has_room_for_reply()) {
    net::IncomingCall::when_room_for_reply(
        std::move(call), [this](net::IncomingCall waited) { copy(std::move(waited)); });
    co_return;
  }
  const auto checkpoint = kept_.at(request.source_dir);
  const auto* file = checkpoint ? checkpoint->find(request.file_name) : nullptr;
  if (!file) co_return answer(call, refuse(request, ErrorCode::kObjectNotFound));
  if (request.offset > file->size || request.size > file->size - request.offset)
    co_return answer(call, refuse(request, ErrorCode::kHandleEof));
  for (auto* limit : options_.limits)
    co_await limit->acquire(request.size, [this] { return tasks_.stopped(); });  // no result
  if (tasks_.stopped()) co_return;
  auto bytes = co_await pool_.run([path = checkpoint->path_of(*file), offset = request.offset,
                                   size = request.size] { return read_block(path, offset, size); });
  if (!bytes) co_return answer(call, refuse(request, ErrorCode::kFileOperationFailed));
  sent_bytes_.add(request.size);
  wire::copy_response response;
  response.file_content.data = *std::move(bytes);
  response.offset = request.offset;
  response.size = request.size;
  answer(call, response);
  if (options_.on_failpoint) options_.on_failpoint("dup.block_sent");
}

}  // namespace pegmove::server::replica
