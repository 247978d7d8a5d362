#include "net/frame_reader.h"

#include <algorithm>

namespace pegmove::net {
namespace {

constexpr size_t kBlockSize = 64 << 10;
// Used after large frames: several following frames mostly fit in one block, and need not be
// copied.
constexpr size_t kLargeBlockSize = 512 << 10;
constexpr size_t kLeastRoom = 4 << 10;
// A large frame's block grows with what has arrived, not with what its header claims.
constexpr size_t kMaxGrowth = 4;
constexpr size_t kFramesABlock = 4;

}  // namespace

struct FrameReader::Block {
  explicit Block(size_t size) : bytes(std::make_unique_for_overwrite<char[]>(size)), size(size) {}
  std::unique_ptr<char[]> bytes;
  size_t size;
  ByteBudget::Share share{};  // empty: the connection's own block, or there is no budget
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

void FrameReader::move_to(std::shared_ptr<Block> block) {
  const size_t have = end_ - begin_;
  if (block_) std::copy_n(block_->bytes.get() + begin_, have, block->bytes.get());
  block_ = std::move(block);
  begin_ = 0;
  end_ = have;
}

// Switches to a new block of the connection's own, which is not counted. The previous block is
// counted as long as frames are in it; one that was reserved for a large frame has at most
// kLeastRoom of the next.
Task<> FrameReader::leave_block() {
  if (!block_->share && block_.use_count() > 1)
    block_->share = CO_TRY(co_await reserve_(block_->size));
  move_to(std::make_shared<Block>(kBlockSize));
  co_return Result<void>();
}

Task<> FrameReader::make_room() {
  // The large frame that this block was reserved for has been popped.
  if (block_ && block_->share && begin_ > 0) CO_TRY(co_await leave_block());
  const size_t have = end_ - begin_;
  if (block_ && block_->size - end_ >= kLeastRoom && begin_ + wanted_ <= block_->size)
    co_return Result<void>();
  const size_t needed = std::min(wanted_, have * kMaxGrowth) + kLeastRoom;
  if (!reserve_) {
    auto usual = std::clamp(last_frame_ * kFramesABlock, kBlockSize, kLargeBlockSize);
    move_to(std::make_shared<Block>(std::max(usual, needed)));
    co_return Result<void>();
  }
  const bool is_large = wanted_ + kLeastRoom > kBlockSize;
  auto share = block_ ? std::move(block_->share) : ByteBudget::Share();  // of a growing frame
  if (!block_)
    move_to(std::make_shared<Block>(kBlockSize));
  else if (!share && (!is_large || block_.use_count() > 1))
    CO_TRY(co_await leave_block());
  if (!is_large) co_return Result<void>();
  // A claimed size alone reserves nothing: memory is reserved when the connection's own block is
  // full.
  if (!share && block_->size - end_ >= kLeastRoom) co_return Result<void>();
  if (!share) share = CO_TRY(co_await reserve_(wanted_ + kLeastRoom));
  auto block = std::make_shared<Block>(std::max(kBlockSize, needed));
  block->share = std::move(share);
  move_to(std::move(block));
  co_return Result<void>();
}

std::string_view FrameReader::unread() const {
  return block_ ? std::string_view(block_->bytes.get() + begin_, end_ - begin_)
                : std::string_view();
}

bool FrameReader::has_reserved() const { return block_ && block_->share && begin_ == 0; }

Task<bool> FrameReader::fill() {
  CO_TRY(co_await make_room());
  auto room = std::span(block_->bytes.get() + end_, block_->size - end_);
  auto size = CO_TRY(co_await stream_.read_some(room));
  if (size == 0 && begin_ != end_)
    co_return fail(Code::kProtocol, "connection closed in the middle of a frame");
  end_ += size;
  received_ += size;
  co_return size != 0;
}

}  // namespace pegmove::net
