#include "server/replica/duplication/checkpoint_fetcher.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "async/for_each.h"
#include "base/local_file.h"
#include "blockstore/digest.h"
#include "client/meta_caller.h"
#include "meta_types.h"
#include "server/replica/duplication/checkpoint_files.h"
#include "store/fetched_checkpoint.h"

namespace pegmove::server::replica {
namespace {

namespace fs = std::filesystem;

using async::milliseconds;
using wire::ErrorCode;
using wire::RpcCode;

constexpr int64_t kCopiesAtOnce = 4;
constexpr milliseconds kMetaTime{10'000};
constexpr milliseconds kQueryTime{5'000};  // as real servers, like the next
constexpr milliseconds kFilesTime{100'000};
constexpr int kTriesOfABlock = 3;  // max_retry_count_per_copy_request and one
constexpr milliseconds kFirstPauseOfABlock{100};
constexpr milliseconds kLongestPauseOfABlock{1'000};

Result<void> check_space(const std::string& folder, int64_t bytes) {
  std::error_code error;
  const auto space = fs::space(folder, error);
  if (error || uint64_t(bytes) <= space.available) return {};
  return fail(Code::kRefused, fmt::format("the checkpoint has {} bytes and the disk of {} only {} "
                                          "free: make space there",
                                          bytes, folder, space.available));
}

net::HostPort host_of(const wire::host_port& named, wire::rpc_address address) {
  if (named.is_set()) return {named.host, named.port};
  if (!address.is_set()) return {};
  return net::host_port_of({address.ipv4(), address.port()});
}

wire::rpc_address raw_of(net::Address address) {
  return wire::rpc_address::of(address.ipv4, address.port);
}

// A file that is being written, block after block. On the pool, except `written`.
struct ArrivingFile {
  std::optional<base::LocalFile> file;
  blockstore::Digest md5;
  int64_t written = 0;
  async::Event turn;  // `written` has changed, or the copy has failed

  Result<void> append(const std::string& path, std::string_view bytes, bool has_md5) {
    if (!file) file = TRY(base::LocalFile::create(path, 0666));
    if (has_md5) md5.feed(bytes);
    TRY(file->append(bytes));
    file->begin_sync();
    return {};
  }
};

}  // namespace

// One call of fetch().
class CheckpointFetcher::Copy {
 public:
  Copy(CheckpointFetcher& fetcher, duplication::CheckpointRequest request, std::string dir,
       std::shared_ptr<duplication::CheckpointProgress> progress)
      : fetcher_(fetcher),
        request_(std::move(request)),
        dir_(std::move(dir)),
        folder_(dir_ + "/duplication"),
        progress_(std::move(progress)) {}

  std::string master() const {
    return fmt::format("partition {} of the table '{}' of the cluster '{}'",
                       request_.gpid.partition_index, request_.master_table,
                       request_.master_cluster);
  }

  Task<> run() {
    CO_TRY(co_await find_master());
    failpoint("follower.master_found");
    CO_TRY(co_await find_checkpoint());
    failpoint("follower.checkpoint_found");
    CO_TRY(co_await fetcher_.pool_.run([this]() -> Result<void> {
      TRY(base::remove_tree(folder_));
      return base::make_folders(folder_);
    }));
    failpoint("follower.folder_wiped");
    CO_TRY(co_await ask_sizes());
    failpoint("follower.sizes_known");
    const FileBlocks blocks(files_.sizes, kBlockBytes);
    CO_TRY(co_await async::for_each(blocks.count(), kBlocksAtOnce,
                                    [&](size_t index) { return copy_block(blocks.at(index)); }));
    co_return co_await fetcher_.check_pool_.run([this] { return put_in_place(); });
  }

 private:
  void failpoint(std::string_view name) const {
    if (fetcher_.options_.on_failpoint) fetcher_.options_.on_failpoint(name);
  }
  Result<void> check_stopped() const {
    if (fetcher_.stopped_ || progress_->cancelled)
      return fail(Code::kInterrupted, "fetching the checkpoint was stopped");
    return {};
  }
  template <typename Response, typename Request>
  Task<Response> call(RpcCode code, Request request, milliseconds time, Gpid thread_of = {}) {
    CO_TRY(check_stopped());
    const auto body = wire::encode_body(request);
    const auto reply = CO_TRY(co_await fetcher_.client_.channel(server_).call(
        {.code = code,
         .body = body,
         .deadline = Deadline::in(fetcher_.clock_, time),
         .thread_of = thread_of}));
    const auto what = fmt::format("{} at {}", wire::rpc_name(code), server_.to_string());
    if (reply.error != ErrorCode::kOk) co_return fail(wire::to_error(reply.error, what));
    co_return in_context(wire::decode_body<Response>(reply.body.view), what);
  }

  Task<> connect_to(net::HostPort server) {
    name_ = server;
    server_ = CO_TRY(co_await fetcher_.client_.host_names().resolve(
                         server, Deadline::in(fetcher_.clock_, kQueryTime)))
                  .front();
    co_return Result<void>();
  }

  // Which server has the partition.
  Task<> find_master() {
    wire::query_cfg_request request;
    request.app_name = request_.master_table;
    request.partition_indices = {request_.gpid.partition_index};
    client::MetaCaller metas(fetcher_.client_, request_.master_metas);
    const auto config = CO_TRY(co_await metas.call<wire::query_cfg_response>(
        RpcCode::kQueryConfig, request, Deadline::in(fetcher_.clock_, kMetaTime)));
    if (config.err.code == ErrorCode::kObjectNotFound)
      co_return fail(Error(Code::kNotFound, "the table does not exist there")
                         .with_wire_code(int(config.err.code)));
    if (config.err.code != ErrorCode::kOk)
      co_return fail(wire::to_error(config.err.code, "its meta server"));
    if (config.partition_count != request_.partition_count)
      co_return fail(
          Error(Code::kRefused,
                fmt::format("the table '{}' has {} partitions, but there it has {}: a duplication "
                            "needs equal counts. Drop the table here, then `add_dup -s` creates "
                            "it; for another count move the rows with `pegmove split` and "
                            "`pegmove load`",
                            request_.table, request_.partition_count, config.partition_count))
              .with_wire_code(int(ErrorCode::kInconsistentState)));
    if (config.partitions.size() != 1 ||
        config.partitions[0].pid.id.partition_index != request_.gpid.partition_index)
      co_return fail(Code::kProtocol, "its meta server describes other partitions");
    const auto& partition = config.partitions[0];
    const auto primary = host_of(partition.hp_primary, partition.primary);
    if (primary.port == 0)
      co_return fail(Error(Code::kBusy, "no server serves it there now")
                         .with_wire_code(int(ErrorCode::kInvalidState)));
    master_gpid_ = partition.pid.id;
    co_return co_await connect_to(primary);
  }

  Task<> find_checkpoint() {
    wire::learn_request request;
    request.pid.id = master_gpid_;
    const auto found = CO_TRY(co_await call<wire::learn_response>(
        RpcCode::kQueryLastCheckpoint, request, kQueryTime, master_gpid_));
    if (found.err.code == ErrorCode::kPathNotFound || found.err.code == ErrorCode::kObjectNotFound)
      co_return fail(
          Error(Code::kNotFound,
                fmt::format("{} keeps no checkpoint of it: that is so while no duplication with "
                            "-s to this cluster is being prepared there",
                            name_.to_string()))
              .with_wire_code(int(found.err.code)));
    if (found.err.code != ErrorCode::kOk)
      co_return fail(wire::to_error(found.err.code, "the checkpoint at " + name_.to_string()));
    files_ = CO_TRY(files_of(found));
    disk_tag_ = found.replica_disk_tag;
    const auto learnee = host_of(found.hp_learnee, found.learnee);
    if (learnee.port != 0) CO_TRY(co_await connect_to(learnee));
    co_return Result<void>();
  }

  Task<> ask_sizes() {
    wire::get_file_size_request request;
    request.source = raw_of(server_);
    request.dst_dir = folder_;
    request.file_list = files_.names;
    request.source_dir = files_.folder;
    request.overwrite = true;
    request.__set_source_disk_tag(disk_tag_);
    request.__set_dest_disk_tag("default");
    request.__set_pid({});
    request.__set_hp_source(wire::host_port::of(name_.host, name_.port));
    const auto sizes = CO_TRY(
        co_await call<wire::get_file_size_response>(RpcCode::kNfsGetFileSize, request, kFilesTime));
    if (sizes.error != int32_t(ErrorCode::kOk))
      co_return fail(Error(Code::kNotFound,
                           fmt::format("{} does not have the files of the checkpoint any more",
                                       name_.to_string()))
                         .with_wire_code(sizes.error));
    CO_TRY(add_sizes(files_, sizes));
    progress_->done_bytes = 0;
    progress_->all_bytes = files_.all_bytes;
    co_return check_space(folder_, files_.all_bytes);
  }

  Task<> copy_block(FileBlock block) {
    auto copied = co_await copy_one(block);
    if (!copied) {
      has_failed_ = true;
      for (auto& [index, file] : arriving_) file.turn.notify_all();
    }
    co_return copied;
  }

  Task<> copy_one(FileBlock block) {
    for (auto* limit : fetcher_.options_.limits)
      co_await limit->acquire(block.size, [this] { return !check_stopped(); });  // no result
    const auto bytes = CO_TRY(co_await receive(block));
    auto& file = arriving_[block.file];
    while (file.written != block.offset) {
      if (has_failed_) co_return fail(Code::kInterrupted, "another block has failed");
      co_await file.turn.wait();  // no result
    }
    const auto path = folder_ + "/" + files_.names[block.file];
    CO_TRY(
        co_await fetcher_.pool_.run([&] { return file.append(path, bytes, !files_.md5.empty()); }));
    file.written += block.size;
    progress_->done_bytes += block.size;
    file.turn.notify_all();
    failpoint("follower.block_written");
    if (!block.is_last) co_return Result<void>();
    CO_TRY(co_await fetcher_.pool_.run([&] { return file.file->sync(); }));
    failpoint("follower.file_synced");
    if (!files_.md5.empty() && file.md5.finish_hex() != files_.md5[block.file])
      co_return fail(Code::kCorrupt, fmt::format("the file {} has another MD5 than was announced",
                                                 files_.names[block.file]));
    arriving_.erase(block.file);
    co_return Result<void>();
  }

  // A lost connection does not end the copy at once.
  Task<std::string> receive(FileBlock block) {
    for (int attempt = 0;; ++attempt) {
      auto bytes = co_await ask_for(block);
      if (bytes) co_return bytes;
      const auto code = bytes.error().code();
      if (code != Code::kInterrupted) fetcher_.failed_.add();
      const bool may_pass =
          code == Code::kUnreachable || code == Code::kTimeout || code == Code::kBusy;
      if (!may_pass || attempt + 1 == kTriesOfABlock || has_failed_) co_return bytes;
      co_await fetcher_.clock_.sleep_for(
          async::back_off(attempt, kFirstPauseOfABlock, kLongestPauseOfABlock));  // no result
    }
  }

  Task<std::string> ask_for(FileBlock block) {
    wire::copy_request request;
    request.source = raw_of(server_);
    request.source_dir = files_.folder;
    request.dst_dir = folder_;
    request.file_name = files_.names[block.file];
    request.offset = block.offset;
    request.size = block.size;
    request.is_last = block.is_last;
    request.overwrite = true;
    request.__set_source_disk_tag(disk_tag_);
    request.__set_pid({});
    request.__set_hp_source(wire::host_port::of(name_.host, name_.port));
    auto response =
        CO_TRY(co_await call<wire::copy_response>(RpcCode::kNfsCopy, request, kFilesTime));
    const auto what = fmt::format("the file {} at {}", request.file_name, name_.to_string());
    if (response.error.code != ErrorCode::kOk)
      co_return fail(wire::to_error(response.error.code, what));
    if (response.file_content.data.size() != size_t(block.size))
      co_return fail(Code::kCorrupt,
                     fmt::format("{}: {} bytes instead of {} at {}", what,
                                 response.file_content.data.size(), block.size, block.offset));
    fetcher_.received_bytes_.add(block.size);
    co_return std::move(response.file_content.data);
  }

  // On the pool for it.
  Result<void> put_in_place() {
    TRY(check_stopped());
    const auto decree = TRY(
        store::check_fetched_checkpoint(folder_, [this] { return !check_stopped().has_value(); }));
    if (decree < files_.decree)
      return fail(Code::kCorrupt, fmt::format("the checkpoint ends at decree {}, and {} was "
                                              "announced",
                                              decree, files_.decree));
    failpoint("follower.files_checked");
    TRY(store::drop_log_of_master(folder_));
    TRY(base::sync_folder(folder_));
    failpoint("follower.log_dropped");
    TRY(check_stopped());
    TRY(base::make_folders(dir_ + "/data"));
    TRY(base::rename_file(folder_, dir_ + "/data/rdb"));
    failpoint("follower.partition_in_place");
    return {};
  }

  CheckpointFetcher& fetcher_;
  duplication::CheckpointRequest request_;
  std::string dir_, folder_;
  std::shared_ptr<duplication::CheckpointProgress> progress_;
  Gpid master_gpid_;
  net::HostPort name_;  // of the server that is asked
  net::Address server_;
  std::string disk_tag_;
  CheckpointFiles files_;
  std::map<size_t, ArrivingFile> arriving_;
  bool has_failed_ = false;
};

CheckpointFetcher::CheckpointFetcher(asio::any_io_executor executor, Options options, Clock& clock,
                                     metrics::Entity& server)
    : executor_(executor),
      options_(std::move(options)),
      clock_(clock),
      received_bytes_(
          server.counter({.name = "nfs_client_copy_bytes",
                          .kind = metrics::Kind::kCounter,
                          .unit = "Bytes",
                          .description = "Bytes of files received from other servers"})),
      failed_(server.counter({.name = "nfs_client_copy_failed_requests",
                              .kind = metrics::Kind::kCounter,
                              .unit = "Requests",
                              .description = "Requests for a block of a file that failed"})),
      client_(executor, clock),
      copies_(kCopiesAtOnce),
      tasks_(executor) {}

Task<> CheckpointFetcher::fetch(duplication::CheckpointRequest request, std::string partition_dir,
                                std::shared_ptr<duplication::CheckpointProgress> progress) {
  const auto permit = co_await async::Permit::take(&copies_);
  std::error_code error;
  if (fs::exists(partition_dir + "/data/rdb", error)) co_return Result<void>();
  if (stopped_) co_return fail(Code::kInterrupted, "fetching checkpoints was stopped");
  Copy copy(*this, std::move(request), std::move(partition_dir), std::move(progress));
  co_return in_context(co_await copy.run(), "fetching " + copy.master());
}

void CheckpointFetcher::stop() {
  stopped_ = true;
  // Ends the calls that are under way.
  asio::post(executor_, [this] {
    if (!std::exchange(is_closing_, true)) tasks_.spawn(close());
  });
}

Routine<> CheckpointFetcher::close() {
  co_await client_.close();  // no result
}

Routine<> CheckpointFetcher::join() {
  if (!std::exchange(is_closing_, true)) co_await client_.close();  // no result
  co_await tasks_.join();                                           // no result
}

}  // namespace pegmove::server::replica
