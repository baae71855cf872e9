// The single steps of the link, compiled to PTX and never run: rules.py says what must and must not be in each.
#include "photonlink/link/client.hpp"
#include "photonlink/link/server.hpp"
#include "photonlink/wire/frame.hpp"

using namespace photonlink;
using namespace photonlink::link;

extern "C" __global__ void probe_submit(ClientHandle client, Ticket ticket) { client.submit(ticket); }

extern "C" __global__ void probe_poll(ClientHandle client, Ticket ticket, u32* out) {
    *out = static_cast<u32>(client.poll(ticket));
}

extern "C" __global__ void probe_wait(ClientHandle client, Ticket ticket, u64 deadline, Backoff limits, u32* out) {
    *out = static_cast<u32>(client.wait(ticket, deadline, limits));
}

extern "C" __global__ void probe_claim(ClientHandle client, Ticket* ticket, u32* out) {
    *out = static_cast<u32>(client.try_claim(ticket));
}

extern "C" __global__ void probe_release(ClientHandle client, Ticket ticket) { client.release(ticket); }

extern "C" __global__ void probe_reap(ClientHandle client, u32* out) { *out = client.reap(); }

extern "C" __global__ void probe_close(ClientHandle client) { client.close(); }

// Reads one word of link memory twice with a poll between: both loads must be there.
extern "C" __global__ void probe_reread(ClientHandle client, Ticket ticket, u64* out) {
    const u64* const words = static_cast<const u64*>(client.response_frame(ticket));
    const u64 before = words[3];
    while (client.poll(ticket) == LinkStatus::Pending) platform::pause();
    *out = before + words[3];
}

// What link memory would suffer if it were read through const __restrict__: check.py must find the load it forbids
// everywhere else.
extern "C" __global__ void probe_control(const u64* __restrict__ words, u64* __restrict__ out) { *out = words[3]; }

extern "C" __global__ void probe_serve(ServerHandle server) {
    Arrival arrival;
    if (server.poll(&arrival, 1) == 0) return;
    wire::RequestHeader header;
    if (wire::parse_request(server.request_frame(arrival.slot), server.geometry().slot_bytes, &header) ==
        wire::ParseError::None)
        wire::write_response(server.response_frame(arrival.slot), header, wire::Status::Ok, 0);
    server.beat();
    server.publish(arrival.slot, arrival.generation);
}
