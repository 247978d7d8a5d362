// Pegasus's custom scalar types (idl/dsn.thrift), written by hand: their fields carry the type byte
// of a struct, but the payload is a bare value. The generated structs hold them and call read and
// write. Source: src/runtime/serverlet and src/common in Pegasus (thrift_helper.h).
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/ids.h"
#include "wire/error_code.h"

namespace pegmove::wire {

struct blob {
  std::string data;

  auto operator<=>(const blob&) const = default;
  template <class Protocol>
  uint32_t read(Protocol* in) {
    return in->readBinary(data);
  }
  template <class Protocol>
  uint32_t write(Protocol* out) const {
    return out->writeBinary(data);
  }
};

struct error_code {
  ErrorCode code = ErrorCode::kOk;

  auto operator<=>(const error_code&) const = default;
  template <class Protocol>
  uint32_t read(Protocol* in) {
    std::string name;
    auto size = in->readString(name);
    code = error_from_name(name);
    return size;
  }
  template <class Protocol>
  uint32_t write(Protocol* out) const {
    return out->writeString(std::string(error_name(code)));
  }
};

// The name of an RPC code ("RPC_RRDB_RRDB_PUT"), known here or not.
struct task_code {
  std::string name;

  auto operator<=>(const task_code&) const = default;
  template <class Protocol>
  uint32_t read(Protocol* in) {
    return in->readString(name);
  }
  template <class Protocol>
  uint32_t write(Protocol* out) const {
    return out->writeString(name);
  }
};

// The address of a node as a number: IPv4 in host order << 32 | port << 16 | kind; kind 1 is IPv4,
// and 0 as a whole means "none".
struct rpc_address {
  uint64_t value = 0;

  static rpc_address of(uint32_t ipv4, uint16_t port) {
    return {uint64_t(ipv4) << 32 | uint64_t(port) << 16 | 1};
  }
  bool is_set() const { return (value & 3) == 1; }
  uint32_t ipv4() const { return uint32_t(value >> 32); }
  uint16_t port() const { return uint16_t(value >> 16); }

  auto operator<=>(const rpc_address&) const = default;
  template <class Protocol>
  uint32_t read(Protocol* in) {
    int64_t raw = 0;
    auto size = in->readI64(raw);
    value = uint64_t(raw);
    return size;
  }
  template <class Protocol>
  uint32_t write(Protocol* out) const {
    return out->writeI64(int64_t(value));
  }
};

// base::Gpid as the messages carry it: partition_index << 32 | app_id.
struct gpid {
  Gpid id;

  auto operator<=>(const gpid&) const = default;
  template <class Protocol>
  uint32_t read(Protocol* in) {
    int64_t raw = 0;
    auto size = in->readI64(raw);
    id = {int32_t(uint32_t(raw)), int32_t(raw >> 32)};
    return size;
  }
  template <class Protocol>
  uint32_t write(Protocol* out) const {
    return out->writeI64(
        int64_t(uint64_t(uint32_t(id.partition_index)) << 32 | uint32_t(id.app_id)));
  }
};

// The address of a node by name. kind 0 with an empty host and port 0 means "none".
struct host_port {
  std::string host;
  uint16_t port = 0;
  int8_t kind = 0;

  static host_port of(std::string host, uint16_t port) { return {std::move(host), port, 1}; }
  bool is_set() const { return kind == 1; }

  auto operator<=>(const host_port&) const = default;
  template <class Protocol>
  uint32_t read(Protocol* in) {
    int16_t raw_port = 0;
    auto size = in->readString(host);
    size += in->readI16(raw_port);
    port = uint16_t(raw_port);
    return size + in->readByte(kind);
  }
  template <class Protocol>
  uint32_t write(Protocol* out) const {
    auto size = out->writeString(host);
    size += out->writeI16(int16_t(port));
    return size + out->writeByte(kind);
  }
};

}  // namespace pegmove::wire
