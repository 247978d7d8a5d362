#include "base/descriptor.h"

#include <unistd.h>

namespace pegmove::base {

void Descriptor::close() {
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

}  // namespace pegmove::base
