// One call in flight: submits requests while slots are free, collects the oldest when they are not, and never holds a
// slot while it waits for another.
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

    /// Hands every request that was submitted and not collected to `give_up(ticket)`.
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
    link::Ticket& ticket(u64 request) { return tickets_[request % tickets_.size()]; }
    u64 first_row(u64 request) const { return request * request_rows_; }
    u32 request_id(u64 request) const { return static_cast<u32>(first_id_ + first_row(request)); }

    link::ClientHandle& port_;
    ClientCall& call_;
    const u64 rows_;
    const u64 first_id_;
    const CallOptions& options_;
    u32 request_rows_ = 1;
    u64 requests_ = 0;
    std::vector<link::Ticket> tickets_;  // of the requests in flight, by number modulo its size
    u64 submitted_ = 0;
    u64 collected_ = 0;
    u64 progress_ns_;        // when the last result came
    u64 next_interrupt_ns_;  // when the interpreter is asked again
    CallResult result_;
};

}  // namespace photonlink::qsc
