#include "session_latest.hpp"

namespace photonlink::device_call {

bool Latest::take_features(wire::SequenceView<double> sent, const qsc::ClientConfig& config,
                           photonlink_device_call& call) {
    if (sent.count != config.encoding.features) {
        std::snprintf(call.cause, sizeof call.cause, "the program has %u features and the list holds %llu",
                      config.encoding.features, static_cast<unsigned long long>(sent.count));
        return false;
    }
    features.resize(sent.count);
    sent.copy_to(features.data());
    return true;
}

qsc::Output Latest::output(const qsc::ClientConfig& config) {
    const u64 bytes = config.output_size * sizeof(double);
    if (row == nullptr) row = std::shared_ptr<u64>(new u64[config.output_size + 1], std::default_delete<u64[]>());
    return {row.get(), static_cast<i64>(bytes), row};
}

void Latest::keep_observables(const qsc::ClientConfig& config) {
    observables.resize(config.output_size);
    const auto* bytes = reinterpret_cast<const u8*>(row.get());
    if (config.precision == optics::Precision::Float64)
        return wire::SequenceView<double>{bytes, config.output_size}.copy_to(observables.data());
    const wire::SequenceView<float> values{bytes, config.output_size};
    for (u64 i = 0; i < values.count; ++i) observables[i] = static_cast<double>(values[i]);
}

Latest& Latest::of_thread(u64 identity) {
    constexpr std::size_t kLinksRemembered = 16;
    thread_local std::map<u64, Latest> of_links;  // identities ascend: the first is the oldest link
    const auto [entry, fresh] = of_links.try_emplace(identity);
    if (fresh && of_links.size() > kLinksRemembered) of_links.erase(of_links.begin());
    return entry->second;
}

}  // namespace photonlink::device_call
