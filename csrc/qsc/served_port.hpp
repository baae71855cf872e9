// The dispatcher's view of one port: its handle, the datapoints that wait in it, and the answer that every accepted
// request gets (a slot whose request is accepted and never published would be lost).
#pragma once

#include <algorithm>
#include <atomic>
#include <vector>

#include "photonlink/qsc/attachment.hpp"
#include "photonlink/qsc/ledger.hpp"
#include "photonlink/wire/functions.hpp"

namespace photonlink::qsc {

/// A request that was accepted; its header is a copy, its payload still lies in the slot.
struct Request {
    u64 id = 0;
    link::Arrival arrival{};
    wire::RequestHeader header{};
    u64 accepted_ns = 0;  // 0 unless stages are recorded
};

class ServedPort {
  public:
    explicit ServedPort(PortAttachment attachment)
        : server(attachment.server),
          alive(std::move(attachment.alive)),
          owner_(std::move(attachment.owner)),
          newest_id_(attachment.first_id),
          arrivals_(server.geometry().slots) {
        waiting.reserve(arrivals_.size());
    }

    link::ServerHandle server;
    std::function<bool()> alive;

    /// Set by the supervisor: the dispatcher drops the port. Relaxed: it carries nothing, Dispatcher::notice() follows.
    std::atomic<EndReason> leave{EndReason::None};

    /// Requests of datapoints, accepted and not yet executed, by id.
    std::vector<Request> waiting;

    /// Turns of the dispatcher that found nothing in the slot they expected.
    u32 looks = 0;

    link::Arrival* arrivals() { return arrivals_.data(); }
    u32 slots() const { return static_cast<u32>(arrivals_.size()); }
    u64 payload_capacity() const { return server.geometry().slot_bytes - wire::kHeaderBytes; }

    const void* request_payload(const Request& request) const {
        return wire::payload(server.request_frame(request.arrival.slot));
    }
    u8* response_payload(const Request& request) const {
        return static_cast<u8*>(wire::payload(server.response_frame(request.arrival.slot)));
    }

    void enqueue(const Request& request) {
        newest_id_ = std::max(*newest_id_, request.id);
        waiting.push_back(request);
    }
    void sort_waiting() {
        const auto by_id = [](const Request& a, const Request& b) { return a.id < b.id; };
        if (!std::is_sorted(waiting.begin(), waiting.end(), by_id))
            std::stable_sort(waiting.begin(), waiting.end(), by_id);
    }
    bool has_ids() const { return newest_id_.has_value(); }
    void start_ids(u64 first_id) { newest_id_ = first_id; }
    u64 id_of(u32 request_id) const { return wire::unwrap_id(request_id, *newest_id_); }

    /// The one way an accepted request leaves: header into the slot, then the commit word.
    void answer(const Request& request, wire::Status status, u32 result_len) {
        wire::write_response(server.response_frame(request.arrival.slot), request.header, status, result_len);
        server.publish(request.arrival.slot, request.arrival.generation);
    }

  private:
    std::shared_ptr<void> owner_;
    std::optional<u64> newest_id_;
    std::vector<link::Arrival> arrivals_;
};

}  // namespace photonlink::qsc
