// A program of somebody who has only the installed headers: one echo over a port in plain memory.
#include <cstdio>
#include <cstring>
#include <vector>

#include "photonlink/encode.hpp"
#include "photonlink/link/client.hpp"
#include "photonlink/link/server.hpp"
#include "photonlink/wire/codec.hpp"
#include "photonlink/wire/functions.hpp"

using namespace photonlink;

int main() {
    const link::Geometry geometry{4, 248, 0};
    const link::PortLayout layout = link::layout_of(geometry);
    std::vector<u64> requests(layout.request_bytes / 8), responses(layout.response_bytes / 8), states(4), accepted(4);
    std::vector<link::SlotMemory> memories(4);
    link::ClientWords client_words{};
    link::ServerWords server_words{};
    link::ClientHandle client(geometry, requests.data(), responses.data(), states.data(), nullptr, &client_words);
    link::ServerHandle server(geometry, requests.data(), responses.data(), nullptr, accepted.data(), memories.data(),
                              &server_words);
    link::Ticket ticket{};
    if (client.try_claim(&ticket) != link::LinkStatus::Ok) return 1;
    const u64 word = 0x1122334455667788ULL;
    wire::write_request(client.request_frame(ticket), wire::kEcho, 8, 7, 0);
    std::memcpy(wire::payload(client.request_frame(ticket)), &word, 8);
    client.submit(ticket);

    link::Arrival arrival{};
    wire::RequestHeader header{};
    if (server.poll(&arrival, 1) != 1) return 2;
    if (wire::parse_request(server.request_frame(arrival.slot), 248, &header) != wire::ParseError::None) return 3;
    std::memcpy(wire::payload(server.response_frame(arrival.slot)), wire::payload(server.request_frame(arrival.slot)),
                8);
    wire::write_response(server.response_frame(arrival.slot), header, wire::Status::Ok, 8);
    server.publish(arrival.slot, arrival.generation);

    if (client.wait(ticket, platform::clock_ns() + 1000000000ULL, link::Backoff{}) != link::LinkStatus::Ok) return 4;
    u64 answer = 0;
    std::memcpy(&answer, wire::payload(client.response_frame(ticket)), 8);
    client.release(ticket);
    std::printf("%llx\n", answer);
    return answer == word && client.in_use() == 0 ? 0 : 5;
}
