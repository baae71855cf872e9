// What a session's client is told of its session, whichever way it reaches it.
#pragma once

#include <algorithm>

#include "photonlink/qsc/client.hpp"
#include "photonlink/qsc/session.hpp"

namespace photonlink::qsc {

inline ClientConfig client_config(const SessionGrant& grant, const SessionOptions& options,
                                  const EncodingView& encoding) {
    ClientConfig config;
    config.key = grant.key;
    config.output_size = grant.output_size;
    config.max_counts = std::min<u64>(options.shots, grant.basis_size);
    config.precision = options.precision;
    config.encoding = encoding;
    return config;
}

}  // namespace photonlink::qsc
