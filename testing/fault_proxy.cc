#include "testing/fault_proxy.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mutex>
#include <stdexcept>
#include <thread>

namespace pegmove::testing {
namespace {

constexpr size_t kKeptBytes = 2048;

constexpr std::string_view kBusy =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool send_all(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(size_t(sent));
  }
  return true;
}

std::string rewritten(std::string bytes, const Rewrites& rewrites) {
  for (const auto& [from, to] : rewrites)
    for (size_t found = 0; (found = bytes.find(from, found)) != std::string::npos;
         found += to.size())
      bytes.replace(found, from.size(), to);
  return bytes;
}

bool take(std::atomic<int>& count) {
  for (int now = count; now > 0;)
    if (count.compare_exchange_weak(now, now - 1)) return true;
  return false;
}

}  // namespace

struct FaultProxy::State {
  Faults faults;
  uint16_t server_port;
  uint16_t port = 0;
  Rewrites of_replies, of_requests;
  int listener = -1;
  std::atomic<bool> is_ending = false;
  mutable std::mutex mutex;  // guards the two that follow
  std::vector<std::thread> connections;
  std::string requests;
  std::thread acceptor;

  void accept_all() {
    while (!is_ending) {
      pollfd ready{.fd = listener, .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, 50) <= 0) continue;
      const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) continue;
      std::lock_guard lock(mutex);
      connections.emplace_back([this, client] {
        serve(client);
        ::close(client);
      });
    }
  }

  void serve(int client) {
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = loopback(server_port);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
      relay(client, server);
    ::close(server);
  }

  // Relays both directions until one side ends.
  void relay(int client, int server) {
    bool is_refused = false;
    int64_t request_bytes = 0, reply_bytes = 0;
    while (!is_ending) {
      pollfd ready[2] = {{.fd = client, .events = POLLIN, .revents = 0},
                         {.fd = server, .events = POLLIN, .revents = 0}};
      if (::poll(ready, 2, 50) < 0) return;
      char buffer[64 << 10];
      if (ready[0].revents != 0) {
        const auto got = ::recv(client, buffer, sizeof buffer, 0);
        if (got <= 0) return;
        if (!is_refused && request_bytes == 0 && take(faults.refuse_with_503)) is_refused = true;
        if (is_refused || faults.away) {
          send_all(client, kBusy);
          return;
        }
        flip(faults.flip_requests, request_bytes, buffer, got);
        request_bytes += got;
        const auto bytes = rewritten({buffer, size_t(got)}, of_requests);
        {
          std::lock_guard lock(mutex);
          requests += bytes.substr(0, kKeptBytes);
        }
        if (!send_all(server, bytes)) return;
      }
      if (ready[1].revents != 0 && !faults.silent) {
        const auto got = ::recv(server, buffer, sizeof buffer, 0);
        if (got <= 0) return;
        if (!pass_reply(client, buffer, got, reply_bytes)) return;
      } else if (ready[1].revents != 0) {
        ::poll(nullptr, 0, 20);
      }
    }
  }

  bool pass_reply(int client, char* buffer, ssize_t got, int64_t& reply_bytes) {
    const auto at = faults.at.load();
    if (reply_bytes + got > at && reply_bytes <= at && take(faults.cut_replies)) {
      send_all(client, {buffer, size_t(at - reply_bytes)});
      return false;
    }
    flip(faults.flip_replies, reply_bytes, buffer, got);
    reply_bytes += got;
    faults.reply_bytes += got;
    return send_all(client, rewritten({buffer, size_t(got)}, of_replies));
  }

  void flip(std::atomic<int>& count, int64_t before, char* buffer, ssize_t got) {
    const auto at = faults.at.load();
    if (before <= at && at < before + got && take(count)) buffer[at - before] ^= 1;
  }
};

FaultProxy::FaultProxy(uint16_t server_port, Rewrites of_replies, Rewrites of_requests)
    : state_(std::make_unique<State>()) {
  state_->server_port = server_port;
  state_->of_replies = std::move(of_replies);
  state_->of_requests = std::move(of_requests);
  state_->listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(state_->listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(state_->listener, 64) != 0 ||
      ::getsockname(state_->listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("the fault proxy cannot listen");
  state_->port = ntohs(address.sin_port);
  state_->acceptor = std::thread([state = state_.get()] { state->accept_all(); });
}

FaultProxy::~FaultProxy() {
  state_->is_ending = true;
  state_->acceptor.join();
  for (auto& connection : state_->connections) connection.join();
  ::close(state_->listener);
}

std::string FaultProxy::requests() const {
  std::lock_guard lock(state_->mutex);
  return state_->requests;
}

uint16_t FaultProxy::port() const { return state_->port; }
Faults& FaultProxy::faults() { return state_->faults; }

}  // namespace pegmove::testing
