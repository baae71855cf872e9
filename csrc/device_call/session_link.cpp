#include "photonlink/device_call/session_link.hpp"

#include <atomic>
#include <cstdio>
#include <exception>
#include <vector>

#include "photonlink/optics/noise_plan.hpp"
#include "session_latest.hpp"

namespace photonlink::device_call {

namespace {

std::atomic<u64> links_made{0};  // relaxed: a number carries nothing with it

constexpr char kNeedsOneShot[] = "photonic_sample needs a session of one shot per datapoint: reserve it with shots=1";

i32 device_status(qsc::CallStatus status) {
    switch (status) {
        case qsc::CallStatus::Ok:
            return PHOTONLINK_DEVICE_OK;
        case qsc::CallStatus::Timeout:
            return PHOTONLINK_DEVICE_TIMEOUT;
        case qsc::CallStatus::Closed:
        case qsc::CallStatus::PeerLost:
            return PHOTONLINK_DEVICE_NOT_INITIALIZED;
        case qsc::CallStatus::BadFeature:
        case qsc::CallStatus::BadPhase:
            return PHOTONLINK_DEVICE_INVALID_ARGUMENT;
        default:
            return PHOTONLINK_DEVICE_REMOTE_ERROR;
    }
}

optics::SectorOrder detected_states(const optics::ProgramSpec& program) {
    const optics::NoisePlan plan = optics::plan_noise(program);
    return {plan.space, program.modes, plan.least, plan.most};
}

template <class... Values>
i32 refuse(photonlink_device_call& call, const char* format, Values... values) {
    std::snprintf(call.cause, sizeof call.cause, format, values...);
    return PHOTONLINK_DEVICE_INVALID_ARGUMENT;
}

template <class T>
i32 give(photonlink_device_call& call, T value) {
    if (call.response_bytes != sizeof value) return refuse(call, "the function returns one value of 8 bytes");
    platform::copy_bytes(call.response, &value, sizeof value);
    return PHOTONLINK_DEVICE_OK;
}

qsc::Features one_row(const std::vector<double>& features) {
    return {features.data(), optics::Precision::Float64, 1, 0};
}

}  // namespace

SessionLink::SessionLink(qsc::SessionClient& client, std::shared_ptr<const void> keep,
                         std::shared_ptr<const optics::ProgramSpec> program, u64 timeout_ns)
    : client_(client),
      keep_(std::move(keep)),
      program_(std::move(program)),
      timeout_ns_(timeout_ns),
      identity_(links_made.fetch_add(1, std::memory_order_relaxed) + 1),
      states_(detected_states(*program_)) {}

photonlink_device_link SessionLink::table(std::shared_ptr<SessionLink> link) {
    using Held = std::shared_ptr<SessionLink>;
    photonlink_device_link table{};
    table.abi = PHOTONLINK_DEVICE_CALL_ABI;
    table.context = new Held(std::move(link));
    table.call = [](void* context, photonlink_device_call* call) {
        return (*static_cast<Held*>(context))->answer(*call);
    };
    table.drop = [](void* context) { delete static_cast<Held*>(context); };
    return table;
}

i32 SessionLink::answer(photonlink_device_call& call) noexcept {
    try {
        switch (call.function_id) {
            case kPhotonicInfer:
                return infer(call);
            case kPhotonicExpectation:
                return expectation(call);
            case kPhotonicSample:
                return sample(call);
            case kPhotonicPhotons:
                return photons(call);
            default:
                return forward(call);
        }
    } catch (const std::exception& error) {  // memory
        return refuse(call, "%s", error.what());
    }
}

i32 SessionLink::infer(photonlink_device_call& call) {
    wire::PayloadReader reader(call.request, call.request_bytes);
    const auto features = reader.sequence<double>();
    const u64 outputs = reader.output();
    if (!reader.done()) return refuse(call, "photonic_infer takes (list[float] features, list[float] observables)");
    const u64 size = client_.config().output_size;
    if (outputs != size || call.response_bytes != size * sizeof(double))
        return refuse(call, "the session has %llu observables and the list holds %llu",
                      static_cast<unsigned long long>(size), static_cast<unsigned long long>(outputs));
    Latest& latest = latest_of_thread();
    if (!latest.take_features(features, client_.config(), call)) return PHOTONLINK_DEVICE_INVALID_ARGUMENT;
    const auto result = client_.infer(one_row(latest.features), latest.output(client_.config()), options());
    if (result.status != qsc::CallStatus::Ok) return ended(result, latest, call);
    latest.keep_observables(client_.config());
    if (size != 0) platform::copy_bytes(call.response, latest.observables.data(), size * sizeof(double));
    return PHOTONLINK_DEVICE_OK;
}

i32 SessionLink::sample(photonlink_device_call& call) {
    wire::PayloadReader reader(call.request, call.request_bytes);
    const auto features = reader.sequence<double>();
    if (!reader.done()) return refuse(call, "photonic_sample takes (list[float] features)");
    Latest& latest = latest_of_thread();
    if (!latest.take_features(features, client_.config(), call)) return PHOTONLINK_DEVICE_INVALID_ARGUMENT;
    if (client_.config().max_counts != 1) return refuse(call, "%s", kNeedsOneShot);
    qsc::Reports reports;
    const auto result = client_.report(one_row(latest.features), latest.output(client_.config()), &reports, options());
    if (result.status != qsc::CallStatus::Ok) return ended(result, latest, call);
    // Where the basis has one state only, any number of shots shows it: then the answer tells.
    if (reports.counts.size() != 1 || reports.counts[0] != 1) return refuse(call, "%s", kNeedsOneShot);
    latest.keep_observables(client_.config());
    const u64 state = reports.state_index[0];
    latest.photons.resize(program_->modes);
    states_.unrank(state, latest.photons.data());
    return give(call, static_cast<i64>(state));
}

i32 SessionLink::expectation(photonlink_device_call& call) {
    wire::PayloadReader reader(call.request, call.request_bytes);
    const i64 index = reader.i64_arg();
    if (!reader.done()) return refuse(call, "photonic_expectation takes (int index)");
    const std::vector<double>& values = latest_of_thread().observables;
    if (values.empty()) return refuse(call, "this thread has run no datapoint yet: call photonic_infer first");
    if (index < 0 || static_cast<u64>(index) >= values.size())
        return refuse(call, "observable %lld does not exist: the session has %zu", static_cast<long long>(index),
                      values.size());
    return give(call, values[static_cast<std::size_t>(index)]);
}

i32 SessionLink::photons(photonlink_device_call& call) {
    wire::PayloadReader reader(call.request, call.request_bytes);
    const i64 mode = reader.i64_arg();
    if (!reader.done()) return refuse(call, "photonic_photons takes (int mode)");
    const std::vector<u8>& seen = latest_of_thread().photons;
    if (seen.empty()) return refuse(call, "this thread has no sample yet: call photonic_sample first");
    if (mode < 0 || static_cast<u64>(mode) >= seen.size())
        return refuse(call, "mode %lld does not exist: the program has %zu", static_cast<long long>(mode), seen.size());
    return give(call, static_cast<i64>(seen[static_cast<std::size_t>(mode)]));
}

i32 SessionLink::forward(photonlink_device_call& call) {
    if (call.request_bytes > client_.most_arg_bytes())
        return refuse(call, "the arguments take %llu bytes and a slot of the session holds %llu",
                      static_cast<unsigned long long>(call.request_bytes),
                      static_cast<unsigned long long>(client_.most_arg_bytes()));
    qsc::RawRequest request{call.function_id, call.request, call.request_bytes, call.response, call.response_bytes};
    const auto result = client_.call(&request, options());
    call.response_bytes = request.result_bytes;
    return result.status == qsc::CallStatus::Ok ? PHOTONLINK_DEVICE_OK : ended(result, call);
}

i32 SessionLink::ended(const qsc::CallResult& result, photonlink_device_call& call) {
    call.call_status = static_cast<u32>(result.status);
    call.remote_status = result.wire_status;
    call.request_id = result.request_id;
    call.close_reason = result.close_reason;
    if (result.status == qsc::CallStatus::BadFeature)
        std::snprintf(call.cause, sizeof call.cause, "feature %u is not finite; nothing was sent", result.column);
    return device_status(result.status);
}

i32 SessionLink::ended(const qsc::CallResult& result, Latest& latest, photonlink_device_call& call) {
    latest.row.reset();  // what was given up may still be written there
    return ended(result, call);
}

Latest& SessionLink::latest_of_thread() const { return Latest::of_thread(identity_); }

qsc::CallOptions SessionLink::options() const {
    qsc::CallOptions options;
    options.deadline_ns = platform::clock_ns() + timeout_ns_;
    return options;
}

}  // namespace photonlink::device_call
