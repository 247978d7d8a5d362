// Cuts a stream into frames without copying them: a frame is a view into the block that it was read
// into, and keeps that block alive.
#pragma once

#include <functional>

#include "base/bytes.h"
#include "net/stream.h"

namespace pegmove::net {

class FrameReader {
 public:
  // Says how long the frame at the beginning of the bytes is, 0 = cannot tell yet (wire/frame.h).
  using Measure = std::function<Result<size_t>(std::string_view)>;

  FrameReader(Stream& stream, Measure measure) : stream_(stream), measure_(std::move(measure)) {}

  // The next whole frame that has been read already; empty view = none, so fill().
  // Errors: those of `measure`; the stream is of no more use then.
  Result<SharedBytes> pop();

  // Reads more. False: the other side has closed. Errors: kUnreachable; kProtocol when it closed in
  // the middle of a frame.
  Task<bool> fill();

  // What was read and is in no frame yet.
  std::string_view unread() const;

 private:
  struct Block;
  void make_room();

  Stream& stream_;
  Measure measure_;
  std::shared_ptr<Block> block_;
  size_t begin_ = 0;  // of what is read and not popped yet
  size_t end_ = 0;
  size_t last_frame_ = 0;  // size of the one before it
  size_t wanted_ = 0;      // size of the frame at begin_, 0 = not known yet
};

}  // namespace pegmove::net
