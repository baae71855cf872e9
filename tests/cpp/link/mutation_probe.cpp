// Runs every ordering site of the link so that weakening any one of them is a data race, or breaks a check. Built once
// per site by mutation.py, under ThreadSanitizer. Needs nothing but the portable headers.
#include "in_turn.hpp"
#include "photonlink/link/client.hpp"
#include "photonlink/link/server.hpp"

namespace {

using namespace photonlink;
using namespace photonlink::link;
using namespace photonlink::probe;

constexpr u64 kBytes = 64;
const Backoff kBackoff{50, 50, 0};

/// One slot, so that every claim meets the traces of the last owner.
struct Port {
    static constexpr Geometry kGeometry{1, kBytes + wire::kHeaderBytes, 0};
    std::vector<u64> requests = std::vector<u64>(layout_of(kGeometry).request_bytes / 8);
    std::vector<u64> responses = std::vector<u64>(layout_of(kGeometry).response_bytes / 8);
    u64 state = 0;
    Sink sink{};
    ClientWords client_words{};
    u64 accepted = 0;
    SlotMemory memory{};
    ServerWords server_words{};

    ClientHandle client() { return {kGeometry, requests.data(), responses.data(), &state, &sink, &client_words}; }
    ServerHandle server() {
        return {kGeometry, requests.data(), responses.data(), &sink, &accepted, &memory, &server_words};
    }
};

// Volatile, or the compiler may lawfully read before a release store what the program reads after it. The sanitizer
// treats such accesses as the plain ones they stand for.
void fill(void* to, u64 value) {
    auto* const words = static_cast<volatile u64*>(to);
    for (u64 i = 0; i < kBytes / 8; ++i) words[i] = value;
}
u64 sum(const void* from) {
    const auto* const words = static_cast<const volatile u64*>(from);
    u64 total = 0;
    for (u64 i = 0; i < kBytes / 8; ++i) total += words[i];
    return total;
}

/// Reads the request, writes request + 1 into frame and sink.
void serve_one(ServerHandle& server, const Arrival& arrival) {
    const u64 value = sum(server.request_frame(arrival.slot)) / (kBytes / 8);
    u64 capacity = 0;
    if (void* const sink = server.result_area(arrival.slot, &capacity); sink != nullptr) fill(sink, value + 1);
    fill(server.response_frame(arrival.slot), value + 1);
    server.publish(arrival.slot, arrival.generation);
}

void serve_until_stopped(ServerHandle server, const std::atomic<bool>& stop) {
    Arrival arrival{};
    while (!stop.load(std::memory_order_relaxed)) {
        if (server.poll(&arrival, 1) == 1) serve_one(server, arrival);
        std::this_thread::yield();
    }
}

Ticket claim(ClientHandle& client) {
    Ticket ticket{};
    const u64 limit = platform::clock_ns() + kDeadlineNs;
    while (client.try_claim(&ticket) != LinkStatus::Ok) {
        check(platform::clock_ns() < limit, "a slot never came back");
        std::this_thread::yield();
    }
    return ticket;
}

void call(ClientHandle& client, u64 value) {
    const Ticket ticket = claim(client);
    u64 out[kBytes / 8] = {};
    client.set_sink(ticket, out, kBytes);
    fill(client.request_frame(ticket), value);
    client.submit(ticket);
    check(client.wait(ticket, platform::clock_ns() + kDeadlineNs, kBackoff) == LinkStatus::Ok, "no answer");
    check(sum(client.response_frame(ticket)) == (value + 1) * (kBytes / 8), "wrong answer");
    check(sum(out) == (value + 1) * (kBytes / 8), "wrong result in the sink");
    client.release(ticket);
}

void submit_and_abandon(ClientHandle& client, u64 value) {
    const Ticket ticket = claim(client);
    fill(client.request_frame(ticket), value);
    client.submit(ticket);
    check(sum(client.request_frame(ticket)) == value * (kBytes / 8), "own request changed");
    client.abandon(ticket);
}

void claim_and_cancel(ClientHandle& client) {
    const Ticket ticket = claim(client);
    fill(client.request_frame(ticket), 99);
    client.cancel(ticket);
}

void reap_one(ClientHandle& client) {
    const u64 limit = platform::clock_ns() + kDeadlineNs;
    while (client.reap() != 1) {
        check(platform::clock_ns() < limit, "an abandoned slot never finished");
        std::this_thread::yield();
    }
}

/// One thread per step, a server beside them.
void with_server(const std::vector<std::function<void(ClientHandle&, u64)>>& calls) {
    Port port;
    std::atomic<bool> stop{false};
    std::thread server(serve_until_stopped, port.server(), std::cref(stop));
    std::vector<Step> steps;
    for (u32 thread = 0; thread < calls.size(); ++thread)
        steps.push_back(
            {thread, [client = port.client(), call = calls[thread]](u32 number) mutable { call(client, number); }});
    in_turn(static_cast<u32>(steps.size()), steps);
    stop = true;
    server.join();
    check(port.server().violations() == 0, "the link broke its own rules");
}

const auto kCall = [](ClientHandle& client, u64 value) { call(client, value); };
const auto kAbandon = [](ClientHandle& client, u64 value) { submit_and_abandon(client, value); };
const auto kCancel = [](ClientHandle& client, u64) { claim_and_cancel(client); };
const auto kReap = [](ClientHandle& client, u64) { reap_one(client); };

/// The server closes after an answer and leaves a plain note; then the client closes and leaves one.
void closing() {
    for (u32 round = 0; round < kRounds; ++round) {
        Port port;
        u64 server_note = 0;
        u64 client_note = 0;
        turn = 0;
        std::thread server_thread([&] {
            ServerHandle server = port.server();
            Arrival arrival{};
            await_turn(1);
            check(server.poll(&arrival, 1) == 1, "the request is not there");
            serve_one(server, arrival);
            server_note = 7;
            server.close(7);
            pass_turn(2);
            await_turn(3);
            check(server.client_closed(), "the client's close is not there");
            check(client_note == 8, "the client's note is not there");
        });
        ClientHandle client = port.client();
        const Ticket ticket = claim(client);
        fill(client.request_frame(ticket), round);
        client.submit(ticket);
        pass_turn(1);
        await_turn(2);
        Ticket refused{};
        check(client.try_claim(&refused) == LinkStatus::Closed, "the close is not there");
        check(server_note == 7, "the server's note is not there");
        check(client.poll(ticket) == LinkStatus::Ok, "the close erased an answer");
        check(client.server_close_reason() == 7, "the reason changed");
        client_note = 8;
        client.close();
        pass_turn(3);
        server_thread.join();
    }
}

}  // namespace

int main() {
    with_server({kCall, kCall});              // commit words, claim after release
    with_server({kCancel, kCall});            // claim after cancel
    with_server({kAbandon, kCall});           // claim of an abandoned slot
    with_server({kAbandon, kAbandon});        // the same, again and again
    with_server({kAbandon, kReap, kCall});    // claim after reap
    with_server({kAbandon, kReap, kCancel});  // a reaped slot that is only looked at
    closing();
    return 0;
}
