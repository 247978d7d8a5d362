// Thrift's binary protocol over bytes in memory, for the structs that the Thrift compiler
// generates: private to thrift_codec.cc. Thrift's own TBinaryProtocol checks a container's claimed
// size only loosely (a list of structs may claim any size); here a container that cannot fit in the
// remaining bytes is refused before anything is allocated.
#pragma once

#include <thrift/protocol/TProtocolException.h>
#include <thrift/protocol/TVirtualProtocol.h>
#include <thrift/transport/TBufferTransports.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace pegmove::wire {

using apache::thrift::protocol::TMessageType;
using apache::thrift::protocol::TProtocolException;
using apache::thrift::protocol::TType;

inline std::shared_ptr<apache::thrift::transport::TTransport> unused_transport() {
  static auto transport = std::make_shared<apache::thrift::transport::TMemoryBuffer>(1);
  return transport;  // TProtocol needs one only for its recursion limit (64 levels)
}

class BytesReader : public apache::thrift::protocol::TVirtualProtocol<BytesReader> {
 public:
  explicit BytesReader(std::string_view bytes)
      : TVirtualProtocol<BytesReader>(unused_transport()), rest_(bytes) {}

  std::string_view rest() const { return rest_; }

  uint32_t readStructBegin(std::string&) { return 0; }
  uint32_t readStructEnd() { return 0; }
  uint32_t readFieldBegin(std::string&, TType& type, int16_t& id) {
    int8_t raw = 0;
    readByte(raw);
    type = to_type(raw);
    id = 0;
    return type == apache::thrift::protocol::T_STOP ? 1 : 1 + readI16(id);
  }
  uint32_t readFieldEnd() { return 0; }
  uint32_t readListBegin(TType& element, uint32_t& size) {
    int8_t raw = 0;
    readByte(raw);
    element = to_type(raw);
    read_count(size, least_size(element));
    // Structs in memory are hundreds of bytes, and one may be encoded as a single STOP. Writers
    // spend 15 bytes or more on each (two blobs); lists of shorter scalars are bounded by the 1 MiB
    // of a write request.
    const size_t least = element != apache::thrift::protocol::T_STRUCT ? 0
                         : size > kFewStructs                          ? 15
                         : size > kVeryFewStructs                      ? 4
                                                                       : 1;
    if (size_t(size) * least > rest_.size())
      throw TProtocolException(TProtocolException::SIZE_LIMIT, "container larger than its frame");
    return 5;
  }
  uint32_t readListEnd() { return 0; }
  uint32_t readSetBegin(TType& element, uint32_t& size) { return readListBegin(element, size); }
  uint32_t readSetEnd() { return 0; }
  uint32_t readMapBegin(TType& key, TType& value, uint32_t& size) {
    int8_t raw_key = 0, raw_value = 0;
    readByte(raw_key);
    readByte(raw_value);
    key = to_type(raw_key);
    value = to_type(raw_value);
    return 2 + read_count(size, least_size(key) + least_size(value));
  }
  uint32_t readMapEnd() { return 0; }
  uint32_t readBool(bool& value) {
    int8_t raw = 0;
    readByte(raw);
    value = raw != 0;
    return 1;
  }
  uint32_t readBool(std::vector<bool>::reference value) {
    bool plain = false;
    readBool(plain);
    value = plain;
    return 1;
  }
  uint32_t readByte(int8_t& value) {
    value = int8_t(take(1)[0]);
    return 1;
  }
  uint32_t readI16(int16_t& value) { return read_integer(value); }
  uint32_t readI32(int32_t& value) { return read_integer(value); }
  uint32_t readI64(int64_t& value) { return read_integer(value); }
  uint32_t readDouble(double& value) {
    int64_t bits = 0;
    readI64(bits);
    value = std::bit_cast<double>(bits);
    return 8;
  }
  uint32_t readString(std::string& value) {
    int32_t size = 0;
    readI32(size);
    if (size < 0) throw TProtocolException(TProtocolException::NEGATIVE_SIZE);
    value = take(size_t(size));
    return 4 + uint32_t(size);
  }
  uint32_t readBinary(std::string& value) { return readString(value); }

 private:
  std::string_view take(size_t size) {
    if (size > rest_.size())
      throw TProtocolException(TProtocolException::INVALID_DATA, "value runs past the end");
    auto taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  template <typename Int>
  uint32_t read_integer(Int& value) {
    value = base::load_big_endian<Int>(take(sizeof value).data());
    return sizeof value;
  }
  uint32_t read_count(uint32_t& size, size_t least_element_size) {
    int32_t claimed = 0;
    readI32(claimed);
    if (claimed < 0) throw TProtocolException(TProtocolException::NEGATIVE_SIZE);
    if (size_t(claimed) * least_element_size > rest_.size())
      throw TProtocolException(TProtocolException::SIZE_LIMIT, "container larger than its frame");
    size = uint32_t(claimed);
    return 4;
  }
  // Values outside of the enum must not become one.
  static TType to_type(int8_t raw) {
    if (raw < 0 || raw > apache::thrift::protocol::T_LIST)
      throw TProtocolException(TProtocolException::INVALID_DATA, "unknown type");
    return TType(raw);
  }
  // The fewest bytes an element takes. An empty struct is its STOP.
  static size_t least_size(TType type) {
    using namespace apache::thrift::protocol;
    switch (type) {
      case T_BOOL:
      case T_STRUCT:
      case T_BYTE: return 1;
      case T_I16: return 2;
      case T_I64:
      case T_DOUBLE: return 8;
      default: return 4;
    }
  }

  static constexpr size_t kFewStructs = size_t(256) << 10;
  static constexpr size_t kVeryFewStructs = size_t(32) << 10;

  std::string_view rest_;
};

class BytesWriter : public apache::thrift::protocol::TVirtualProtocol<BytesWriter> {
 public:
  explicit BytesWriter(std::string& out)
      : TVirtualProtocol<BytesWriter>(unused_transport()), out_(out) {}

  uint32_t writeStructBegin(const char*) { return 0; }
  uint32_t writeStructEnd() { return 0; }
  uint32_t writeFieldBegin(const char*, TType type, int16_t id) {
    writeByte(int8_t(type));
    return 1 + writeI16(id);
  }
  uint32_t writeFieldEnd() { return 0; }
  uint32_t writeFieldStop() { return writeByte(0); }
  uint32_t writeListBegin(TType element, uint32_t size) {
    writeByte(int8_t(element));
    return 1 + writeI32(int32_t(size));
  }
  uint32_t writeListEnd() { return 0; }
  uint32_t writeSetBegin(TType element, uint32_t size) { return writeListBegin(element, size); }
  uint32_t writeSetEnd() { return 0; }
  uint32_t writeMapBegin(TType key, TType value, uint32_t size) {
    writeByte(int8_t(key));
    writeByte(int8_t(value));
    return 2 + writeI32(int32_t(size));
  }
  uint32_t writeMapEnd() { return 0; }
  uint32_t writeBool(bool value) { return writeByte(value ? 1 : 0); }
  uint32_t writeByte(int8_t value) {
    out_ += char(value);
    return 1;
  }
  uint32_t writeI16(int16_t value) { return write_integer(value); }
  uint32_t writeI32(int32_t value) { return write_integer(value); }
  uint32_t writeI64(int64_t value) { return write_integer(value); }
  uint32_t writeDouble(double value) { return write_integer(std::bit_cast<int64_t>(value)); }
  uint32_t writeString(const std::string& value) {
    writeI32(int32_t(value.size()));
    out_ += value;
    return 4 + uint32_t(value.size());
  }
  uint32_t writeBinary(const std::string& value) { return writeString(value); }

 private:
  template <typename Int>
  uint32_t write_integer(Int value) {
    base::append_big_endian(out_, value);
    return sizeof value;
  }

  std::string& out_;
};

}  // namespace pegmove::wire
