// A cluster from which a table's partitions can be fetched (`add_dup -s` there): a meta server and
// a replica server in one, whose answers a test can change.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "async/clock.h"
#include "async/context_thread.h"
#include "learn_types.h"
#include "meta_types.h"
#include "net/rpc_server.h"
#include "net/tcp.h"
#include "service/dispatcher.h"
#include "testing/test_folder.h"

namespace pegmove::testing {

// On its own thread. Set everything before the first request, or in one of the functions.
class FakeMaster {
 public:
  FakeMaster() { thread_.wait_for(begin()); }
  ~FakeMaster() { thread_.wait_for(end()); }

  int32_t partition_count = 1;
  // The folder of a partition's checkpoint, of which all files are offered.
  std::function<std::string(int32_t partition)> checkpoint_of = [](int32_t) { return ""; };
  int64_t decree = 1;
  // Called with each answer, before it is sent.
  std::function<void(wire::query_cfg_response&)> on_config = [](auto&) {};
  std::function<void(wire::learn_response&)> on_checkpoint = [](auto&) {};
  std::function<void(wire::get_file_size_response&)> on_sizes = [](auto&) {};
  std::function<void(const wire::copy_request&, wire::copy_response&)> on_copy = [](const auto&,
                                                                                    auto&) {};
  // A request to create a table; its body is what is kept.
  std::function<wire::configuration_create_app_response()> on_create = [] {
    return wire::configuration_create_app_response();
  };

  net::Address address() const { return server_->local(); }
  std::string text() const { return address().to_string(); }
  std::vector<wire::copy_request> copies() const { return read(copies_); }
  std::vector<std::string> creates() const { return read(creates_); }
  int configs() const { return read(configs_); }

 private:
  template <typename T>
  T read(const T& value) const {
    std::lock_guard lock(mutex_);
    return value;
  }

  Routine<> begin() {
    register_handlers();
    auto acceptor = net::listen_tcp(thread_.executor(), {0x7f000001, 0});
    if (!acceptor) throw std::runtime_error(acceptor.error().to_string());
    server_ = std::make_unique<net::RpcServer>(thread_.executor(), *std::move(acceptor),
                                               dispatcher_, clock_, base::Logger());
    server_->start();
    co_return;
  }
  Routine<> end() {
    server_->stop();
    co_await server_->join();  // no result
  }

  void register_handlers() {
    using wire::RpcCode;
    dispatcher_.on_message<wire::query_cfg_request, wire::query_cfg_response>(
        RpcCode::kQueryConfig,
        [this](const auto& request, const auto&) { return config(request); });
    dispatcher_.on_message<wire::learn_request, wire::learn_response>(
        RpcCode::kQueryLastCheckpoint,
        [this](const auto& request, const auto&) { return checkpoint(request); });
    dispatcher_.on_message<wire::get_file_size_request, wire::get_file_size_response>(
        RpcCode::kNfsGetFileSize,
        [this](const auto& request, const auto&) { return sizes(request); });
    dispatcher_.on_message<wire::copy_request, wire::copy_response>(
        RpcCode::kNfsCopy, [this](const auto& request, const auto&) { return copy(request); });
    dispatcher_.on(RpcCode::kCreateApp, [this](net::IncomingCall call) {
      {
        std::lock_guard lock(mutex_);
        creates_.emplace_back(call.body());
      }
      call.reply(wire::ErrorCode::kOk, wire::encode_body(on_create()));
    });
  }

  wire::query_cfg_response config(const wire::query_cfg_request& request) {
    {
      std::lock_guard lock(mutex_);
      ++configs_;
    }
    wire::query_cfg_response response;
    response.app_id = 2;
    response.partition_count = partition_count;
    response.is_stateful = true;
    auto indices = request.partition_indices;
    if (indices.empty())
      for (int32_t index = 0; index < partition_count; ++index) indices.push_back(index);
    for (const auto index : indices) {
      wire::partition_configuration partition;
      partition.pid.id = {2, index};
      partition.ballot = 1;
      partition.max_replica_count = 1;
      partition.primary = wire::rpc_address::of(address().ipv4, address().port);
      partition.__set_hp_primary(wire::host_port::of("127.0.0.1", address().port));
      response.partitions.push_back(std::move(partition));
    }
    on_config(response);
    return response;
  }

  wire::learn_response checkpoint(const wire::learn_request& request) {
    wire::learn_response response;
    response.base_local_dir = checkpoint_of(request.pid.id.partition_index);
    if (response.base_local_dir.empty()) {
      response.err.code = wire::ErrorCode::kPathNotFound;
      return response;
    }
    for (const char* prefix : {"MANIFEST-", "OPTIONS-", "CURRENT", "0"})
      for (const auto& [name, bytes] : contents(response.base_local_dir))
        if (name.starts_with(prefix)) response.state.files.push_back(name);
    response.state.to_decree_included = response.last_committed_decree = decree;
    response.learnee = wire::rpc_address::of(address().ipv4, address().port);
    response.__set_hp_learnee(wire::host_port::of("127.0.0.1", address().port));
    on_checkpoint(response);
    return response;
  }

  wire::get_file_size_response sizes(const wire::get_file_size_request& request) {
    wire::get_file_size_response response;
    response.file_list = request.file_list;
    for (const auto& name : request.file_list)
      response.size_list.push_back(int64_t(read_file(request.source_dir + "/" + name).size()));
    on_sizes(response);
    return response;
  }

  wire::copy_response copy(const wire::copy_request& request) {
    {
      std::lock_guard lock(mutex_);
      copies_.push_back(request);
    }
    wire::copy_response response;
    response.file_content.data = read_file(request.source_dir + "/" + request.file_name)
                                     .substr(size_t(request.offset), size_t(request.size));
    response.offset = request.offset;
    response.size = request.size;
    on_copy(request, response);
    return response;
  }

  async::SystemClock clock_;
  async::ContextThread thread_;
  service::Dispatcher dispatcher_;
  std::unique_ptr<net::RpcServer> server_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<wire::copy_request> copies_;
  std::vector<std::string> creates_;  // bodies
  int configs_ = 0;
};

}  // namespace pegmove::testing
