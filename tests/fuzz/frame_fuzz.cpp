// Any bytes as a request or an answer: no byte behind them is read, and what passes is what the parsers promise. The
// first two bytes of the input are the shape of the program that a datapoint is compared with.
#include <cmath>
#include <vector>

#include "fuzzing.hpp"
#include "photonlink/wire/datagram.hpp"
#include "photonlink/wire/tag.hpp"
#include "qsc/request.hpp"

namespace photonlink::fuzz {
namespace {

constexpr wire::TagKey kKey{1, 2};

qsc::SessionPlan plan_of(u8 phases, u8 outputs) {
    qsc::SessionPlan plan;
    plan.phases = phases;
    plan.output_size = outputs;
    plan.options.shots = outputs;
    plan.sample_bytes = outputs;
    return plan;
}

void read_datapoints(const wire::RequestHeader& header, const void* payload, const qsc::SessionPlan& plan) {
    const u64 rows = qsc::rows_of(header, plan);
    require(rows <= 1 || wire::takes_rows(header.function_id));
    std::vector<double> phases(rows * plan.phases, NAN);
    if (qsc::read_datapoints(payload, header, plan, phases.data()) != wire::Status::Ok) return;
    require(rows >= 1);
    for (const double phase : phases) require(std::isfinite(phase));
    const u32 phase_bytes = qsc::phase_bytes_of(header.function_id);
    require(header.arg_len >= wire::kKeyBytes + wire::kCountBytes + rows * plan.phases * phase_bytes);
}

void as_request(const u8* frame, u64 size, const qsc::SessionPlan& plan) {
    wire::RequestHeader header;
    if (wire::parse_request(frame, size, &header) != wire::ParseError::None) return;
    require(header.magic == wire::kRequestMagic && header.arg_len <= size - wire::kHeaderBytes);
    const void* payload = wire::payload(frame);
    if (qsc::check_key(payload, header.arg_len, 0) == wire::Status::BadLength) {
        require(header.arg_len < wire::kKeyBytes);
        return;
    }
    wire::RequestHeader other = header;
    other.request_id ^= 1;
    require(wire::request_tag(kKey, header, payload) != wire::request_tag(kKey, other, payload));
    if (wire::is_datapoint(header.function_id)) read_datapoints(header, payload, plan);
}

void as_answer(const u8* frame, u64 size) {
    wire::ResponseHeader header;
    if (wire::parse_response(frame, size, &header) != wire::ParseError::None) return;
    require(header.magic == wire::kResponseMagic && header.result_len <= size - wire::kHeaderBytes);
    wire::ResponseHeader other = header;
    other.status ^= 1;
    const void* result = wire::payload(frame);
    require(wire::response_tag(kKey, header, result) != wire::response_tag(kKey, other, result));
}

}  // namespace
}  // namespace photonlink::fuzz

extern "C" int LLVMFuzzerTestOneInput(const photonlink::u8* data, size_t size) {
    using namespace photonlink::fuzz;
    if (size < 2) return 0;
    const auto frame = exact_copy(data + 2, size - 2);
    as_request(frame.get(), size - 2, plan_of(data[0], data[1]));
    as_answer(frame.get(), size - 2);
    return 0;
}
