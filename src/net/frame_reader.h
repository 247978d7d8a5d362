// Cuts a stream into frames without copying them: a frame is a view into the block that it was read
// into, and keeps that block alive.
#pragma once

#include <functional>

#include "base/bytes.h"
#include "net/byte_budget.h"
#include "net/stream.h"

namespace pegmove::net {

class FrameReader {
 public:
  // Returns the size of the frame at the beginning of the bytes, 0 = not known yet (wire/frame.h).
  using Measure = std::function<Result<size_t>(std::string_view)>;
  // Waits until this many bytes are available. Errors end the reading.
  using Reserve = std::function<Task<ByteBudget::Share>(size_t bytes)>;

  // `reserve` is called for all memory beyond one block of 64 KiB: for a block that is replaced
  // while frames are in it, and for a larger frame, when its first part has filled the block. While
  // it waits, no memory is kept except that of popped frames.
  FrameReader(Stream& stream, Measure measure, Reserve reserve = {})
      : stream_(stream), measure_(std::move(measure)), reserve_(std::move(reserve)) {}

  // The next whole frame that has been read already; empty view = none: call fill(). Errors: those
  // of `measure`; the stream is then unusable.
  Result<SharedBytes> pop();

  // Reads more. False: the other side has closed. Errors: kUnreachable; kProtocol when it closed in
  // the middle of a frame; those of `reserve`.
  Task<bool> fill();

  // Bytes that were read and not returned in a frame yet.
  std::string_view unread() const;
  // Whether memory was reserved for the next frame; and whether that frame is incomplete.
  bool has_reserved() const;
  bool awaits_reserved() const { return has_reserved() && end_ < wanted_; }
  size_t received() const { return received_; }  // bytes so far

 private:
  struct Block;
  Task<> make_room();
  Task<> leave_block();
  void move_to(std::shared_ptr<Block> block);

  Stream& stream_;
  Measure measure_;
  Reserve reserve_;  // may be empty
  std::shared_ptr<Block> block_;
  size_t begin_ = 0;  // of the bytes that are read and not popped yet
  size_t end_ = 0;
  size_t last_frame_ = 0;  // size of the one before it
  size_t wanted_ = 0;      // size of the frame at begin_, 0 = not known yet
  size_t received_ = 0;
};

}  // namespace pegmove::net
