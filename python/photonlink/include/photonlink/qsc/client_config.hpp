// What a session's client is told of its session, whichever way it reaches it.
#pragma once

#include <algorithm>

#include "photonlink/qsc/client.hpp"
#include "photonlink/qsc/session.hpp"

namespace photonlink::qsc {

/// What a client in another process must be told about its session by the control plane.
struct SessionTerms {
    u64 output_size = 0;
    u64 max_counts = 0;  // most distinct states in one report: min(shots, basis size)
    optics::Precision precision = optics::Precision::Float64;
};

/// Datapoint ids begin at 0: the controller adds the high bits, since it knows which range the port was given.
inline ClientConfig client_config(u64 key, const SessionTerms& terms, const EncodingView& encoding) {
    ClientConfig config;
    config.key = key;
    config.output_size = terms.output_size;
    config.max_counts = terms.max_counts;
    config.precision = terms.precision;
    config.encoding = encoding;
    return config;
}

inline ClientConfig client_config(const SessionGrant& grant, const SessionOptions& options,
                                  const EncodingView& encoding) {
    const u64 most_counts = std::min<u64>(options.shots, grant.basis_size);
    ClientConfig config = client_config(grant.key, {grant.output_size, most_counts, options.precision}, encoding);
    config.sample_bytes = grant.sample_bytes;
    return config;
}

}  // namespace photonlink::qsc
