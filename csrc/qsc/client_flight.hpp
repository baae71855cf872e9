// One call in flight: submits rows while slots are free, collects the oldest when they are not, and never holds a slot
// while it waits for another.
#pragma once

#include <algorithm>
#include <vector>

#include "client_calls.hpp"
#include "photonlink/link/backoff.hpp"

namespace photonlink::qsc {

class Flight {
  public:
    Flight(link::ClientHandle& port, ClientCall& call, u64 rows, u64 first_id, const CallOptions& options);

    CallResult run();

    /// Hands every datapoint that was submitted and not collected to `give_up(ticket)`.
    template <class GiveUp>
    void abandon_rest(GiveUp give_up) {
        for (; collected_ < submitted_; ++collected_) give_up(ticket(collected_));
    }

  private:
    CallStatus step();
    CallStatus fill();
    CallStatus collect_oldest();
    CallStatus await_answer(link::Ticket ticket);
    CallStatus await_slot();
    CallStatus read(link::Ticket ticket);
    CallStatus look_around(u64 now);
    CallStatus of_link(link::LinkStatus status);
    link::Ticket& ticket(u64 row) { return tickets_[row % tickets_.size()]; }
    u32 request_id(u64 row) const { return static_cast<u32>(first_id_ + row); }

    link::ClientHandle& port_;
    ClientCall& call_;
    const u64 rows_;
    const u64 first_id_;
    const CallOptions& options_;
    std::vector<link::Ticket> tickets_;  // of the rows in flight, by row modulo its size
    u64 submitted_ = 0;
    u64 collected_ = 0;
    u64 progress_ns_;        // when the last result came
    u64 next_interrupt_ns_;  // when the interpreter is asked again
    CallResult result_;
};

}  // namespace photonlink::qsc
