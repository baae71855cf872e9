// Compiled to PTX and never run: check.py reads the instructions of each kernel. A test on the CPU cannot see a wrong
// scope, nor a load through the cache for constant data, which may return what lay there before.
#include "photonlink/encode.hpp"
#include "photonlink/link/client.hpp"
#include "photonlink/link/server.hpp"
#include "photonlink/wire/codec.hpp"
#include "photonlink/wire/functions.hpp"

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

// A whole call in a kernel whose own arguments are const __restrict__: the compiler may read those through the constant
// cache, but link memory never. Own arguments are f64 here, link reads are not, so that check.py can tell them apart.
extern "C" __global__ void probe_infer(ClientHandle client, EncodingView map, const double* __restrict__ features,
                                       u32* __restrict__ out, u64 key, u64 deadline) {
    Ticket ticket;
    if (client.try_claim(&ticket) != LinkStatus::Ok) return;
    void* const frame = client.request_frame(ticket);
    wire::PayloadWriter writer(wire::payload(frame), client.geometry().slot_bytes - wire::kHeaderBytes);
    writer.i64_arg(static_cast<i64>(key));
    void* const phases = writer.sequence_in_place<double>(map.phases);
    if (phases == nullptr) {
        client.cancel(ticket);
        return;
    }
    for (u32 row = 0; row < map.phases; ++row) static_cast<double*>(phases)[row] = encode_phase(map, features, row);
    writer.output(4);
    wire::write_request(frame, wire::kInfer, writer.size(), 1, 0);
    client.submit(ticket);
    if (client.wait(ticket, deadline, Backoff{}) != LinkStatus::Ok) {
        client.abandon(ticket);
        return;
    }
    wire::ResponseHeader header;
    const void* const answer = client.response_frame(ticket);
    if (wire::parse_response(answer, client.geometry().slot_bytes, &header) == wire::ParseError::None) {
        wire::PayloadReader reader(wire::payload(answer), header.result_len);
        *out = static_cast<u32>(reader.i32_arg());
    }
    client.release(ticket);
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
