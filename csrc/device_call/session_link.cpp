#include "photonlink/device_call/session_link.hpp"

#include <atomic>
#include <cstdio>
#include <exception>
#include <vector>

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
                         const optics::ProgramSpec& program, u32 shots, u64 timeout_ns)
    : client_(client),
      keep_(std::move(keep)),
      shots_(shots),
      timeout_ns_(timeout_ns),
      identity_(links_made.fetch_add(1, std::memory_order_relaxed) + 1),
      states_(optics::kept_order(program)) {}

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
            case kPhotonicSamples:
                return samples(call);
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
    if (shots_ != 1) return refuse(call, "%s", kNeedsOneShot);
    qsc::Reports reports;
    const i32 status = report(latest, &reports, call);
    if (status != PHOTONLINK_DEVICE_OK) return status;
    latest.photons.resize(states_.modes());
    optics::list_samples(states_, reports.state_index, reports.counts, latest.photons.data());
    return give(call, static_cast<i64>(reports.state_index[0]));
}

i32 SessionLink::samples(photonlink_device_call& call) {
    wire::PayloadReader reader(call.request, call.request_bytes);
    const auto features = reader.sequence<double>();
    const u64 wanted = reader.output();
    if (!reader.done()) return refuse(call, "photonic_samples takes (list[float] features, list[np.int8] photons)");
    if (shots_ == 0) return refuse(call, "photonic_samples needs a session with shots: reserve it with shots=");
    const u64 bytes = u64{shots_} * states_.modes();
    if (wanted != bytes || call.response_bytes != bytes)
        return refuse(call, "%u shots of %u modes show %llu photon numbers and the list holds %llu", shots_,
                      states_.modes(), static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(wanted));
    Latest& latest = latest_of_thread();
    if (!latest.take_features(features, client_.config(), call)) return PHOTONLINK_DEVICE_INVALID_ARGUMENT;
    qsc::Reports reports;
    const i32 status = report(latest, &reports, call);
    if (status == PHOTONLINK_DEVICE_OK)
        optics::list_samples(states_, reports.state_index, reports.counts, static_cast<u8*>(call.response));
    return status;
}

/// Runs the datapoint of the latest features and asks for its counts, which must be as many as there are shots.
i32 SessionLink::report(Latest& latest, qsc::Reports* reports, photonlink_device_call& call) {
    const auto result = client_.report(one_row(latest.features), latest.output(client_.config()), reports, options());
    if (result.status != qsc::CallStatus::Ok) return ended(result, latest, call);
    u64 samples = 0;
    for (const u32 count : reports->counts) samples += count;
    for (const u32 state : reports->state_index)
        if (state >= states_.size()) samples = 0;
    if (samples != shots_) return refuse(call, "the controller's samples are not those of this session");
    latest.keep_observables(client_.config());
    return PHOTONLINK_DEVICE_OK;
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
