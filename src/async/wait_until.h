// Waiting for an Event with a time limit.
#pragma once

#include <functional>

#include "async/clock.h"
#include "async/event.h"

namespace pegmove::async {

// Returns when `is_over` says so: it is asked first, then after each notification of the event, on
// the caller's executor; and when the deadline has passed. Who stops the caller's task group lets
// `is_over` know of it, as with Event. At the deadline it notifies all who wait for the event.
Routine<> wait_until(Event& event, Clock& clock, Deadline deadline, std::function<bool()> is_over);

}  // namespace pegmove::async
