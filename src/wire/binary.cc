#include "wire/binary.h"

namespace pegmove::wire {

void BinaryReader::skip(int8_t type, int depth) {
  constexpr int kMaxDepth = 32;
  if (depth > kMaxDepth) return fail("nested too deeply");
  switch (type) {
    case kBool:
    case kByte: raw(1); return;
    case kI16: raw(2); return;
    case kI32: raw(4); return;
    case kI64:
    case kDouble: raw(8); return;
    case kString: bytes(); return;
    case kStruct:
      for (auto next = field(); next.type != kStop; next = field()) skip(next.type, depth + 1);
      return;
    case kSet:
    case kList: {
      auto element = i8();
      for (auto left = uint32_t(i32()); left > 0 && ok(); --left) skip(element, depth + 1);
      return;
    }
    case kMap: {
      auto key = i8(), value = i8();
      for (auto left = uint32_t(i32()); left > 0 && ok(); --left) {
        skip(key, depth + 1);
        skip(value, depth + 1);
      }
      return;
    }
    default: fail("unknown field type");
  }
}

}  // namespace pegmove::wire
