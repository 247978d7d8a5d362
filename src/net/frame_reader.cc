#include "net/frame_reader.h"

#include <algorithm>

namespace pegmove::net {
namespace {

constexpr size_t kBlockSize = 64 << 10;
// After large frames: their successors mostly fit, several a block, and need not be moved together.
constexpr size_t kLargeBlockSize = 512 << 10;
constexpr size_t kLeastRoom = 4 << 10;
// A large frame's block grows with what has really arrived, not with what its header claims.
constexpr size_t kMaxGrowth = 4;
constexpr size_t kFramesABlock = 4;

}  // namespace

struct FrameReader::Block {
  explicit Block(size_t size) : bytes(std::make_unique_for_overwrite<char[]>(size)), size(size) {}
  std::unique_ptr<char[]> bytes;
  size_t size;
};

Result<SharedBytes> FrameReader::pop() {
  if (begin_ == end_) return SharedBytes{};
  std::string_view read(block_->bytes.get() + begin_, end_ - begin_);
  if (wanted_ == 0) wanted_ = TRY(measure_(read));
  if (wanted_ == 0 || read.size() < wanted_) return SharedBytes{};
  begin_ += wanted_;
  last_frame_ = wanted_;
  return SharedBytes{block_, read.substr(0, std::exchange(wanted_, 0))};
}

void FrameReader::make_room() {
  size_t have = end_ - begin_;
  if (block_ && block_->size - end_ >= kLeastRoom && begin_ + wanted_ <= block_->size) return;
  auto usual = std::clamp(last_frame_ * kFramesABlock, kBlockSize, kLargeBlockSize);
  auto block =
      std::make_shared<Block>(std::max(usual, std::min(wanted_, have * kMaxGrowth) + kLeastRoom));
  if (block_) std::copy_n(block_->bytes.get() + begin_, have, block->bytes.get());
  block_ = std::move(block);
  begin_ = 0;
  end_ = have;
}

std::string_view FrameReader::unread() const {
  return block_ ? std::string_view(block_->bytes.get() + begin_, end_ - begin_)
                : std::string_view();
}

Task<bool> FrameReader::fill() {
  make_room();
  auto room = std::span(block_->bytes.get() + end_, block_->size - end_);
  auto size = CO_TRY(co_await stream_.read_some(room));
  if (size == 0 && begin_ != end_)
    co_return fail(Code::kProtocol, "connection closed in the middle of a frame");
  end_ += size;
  co_return size != 0;
}

}  // namespace pegmove::net
