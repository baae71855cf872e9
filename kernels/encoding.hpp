// The map from features to phases, as kernels read it.
#pragma once

#include "memory.hpp"
#include "photonlink/encode.hpp"

namespace photonlink::cuda {

/// A copy of `host`, which looks at host memory, in `arena`.
inline EncodingView upload_encoding(const EncodingView& host, Arena& arena) {
    EncodingView view = host;
    const u64 terms = host.row_begin[host.phases];
    view.row_begin = arena.upload(host.row_begin, host.phases + u64{1});
    view.term_feature = arena.upload(host.term_feature, terms);
    view.term_weight = arena.upload(host.term_weight, terms);
    view.offset = arena.upload(host.offset, host.phases);
    return view;
}

}  // namespace photonlink::cuda
