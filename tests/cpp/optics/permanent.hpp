// Permanents as they are defined, which know nothing of any fast way to them.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

namespace photonlink::optics::test {

/// Permanent of the matrix entry(row, column) by summing over all permutations.
template <class Value, class Entry>
Value permanent(std::size_t n, const Entry& entry) {
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    Value sum = 0;
    do {
        Value product = 1;
        for (std::size_t k = 0; k < n; ++k) product *= entry(order[k], k);
        sum += product;
    } while (std::next_permutation(order.begin(), order.end()));
    return sum;
}

}  // namespace photonlink::optics::test
