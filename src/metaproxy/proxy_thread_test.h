// A MetaProxy on a thread of its own, with a ZooKeeper in memory, for tests of this folder.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "async/context_thread.h"
#include "metaproxy/meta_proxy.h"
#include "testing/fake_nodes.h"

namespace pegmove::metaproxy {

class ProxyThread {
 public:
  explicit ProxyThread(MetaProxyOptions options = {}) {
    options.routes.root = "/clusters";
    if (options.listen.ipv4 == 0) options.listen = {0x7f000001, 0};
    auto listened = thread_.wait_for(listen(options));
    if (!listened) throw std::runtime_error(listened.error().to_string());
    proxy_ = *std::move(listened);
    do_there([this] {
      nodes_.listen(&proxy_->routes());
      proxy_->start();
    });
  }
  ~ProxyThread() { stop(); }

  net::Address address() const { return address_; }
  // Runs it on the proxy's thread.
  void do_there(std::function<void()> what) { thread_.wait_for(call(std::move(what))); }
  // Returns when the proxy uses it, if it knows the table.
  void route(const std::string& table, net::Address meta) {
    const routes::Route route{"c", {*net::parse_host_port(meta.to_string())}};
    do_there([&] { nodes_.set("/clusters/" + table, routes::route_text(route)); });
    for (bool is_used = false; !is_used;)  // each turn lets the proxy work
      do_there([&] {
        const auto known = proxy_->routes().known().find(table);
        is_used = known == proxy_->routes().known().end() || known->second.route == route;
      });
  }
  pegmove::testing::FakeNodes& nodes() { return nodes_; }
  MetaProxy& proxy() { return *proxy_; }
  void stop() {
    if (proxy_) thread_.wait_for(end());
    proxy_.reset();
  }

 private:
  Routine<Result<std::unique_ptr<MetaProxy>>> listen(MetaProxyOptions options) {
    auto proxy =
        MetaProxy::listen(thread_.executor(), clock_, nodes_, std::move(options), Logger("test"));
    if (proxy) address_ = (*proxy)->address();
    co_return proxy;
  }
  static Routine<> call(std::function<void()> what) {
    what();
    co_return;
  }
  Routine<> end() {
    proxy_->stop();
    co_await proxy_->join();  // no result
  }

  async::SystemClock clock_;
  pegmove::testing::FakeNodes nodes_;
  net::Address address_;
  async::ContextThread thread_;
  std::unique_ptr<MetaProxy> proxy_;
};

}  // namespace pegmove::metaproxy
