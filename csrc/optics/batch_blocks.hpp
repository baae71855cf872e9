// A batch in blocks, which the workers of several threads take one after the other.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>

#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {

struct BatchBlocks {
    const SimulationBatch& batch;
    std::size_t rows;  // per block
    std::atomic<std::size_t> next{0};
    std::mutex mutex;  // guards the two below
    std::size_t failed_row;
    std::exception_ptr failure;

    explicit BatchBlocks(const SimulationBatch& all, std::size_t block_rows)
        : batch(all), rows(block_rows), failed_row(all.rows) {}

    template <class Worker>
    void work(Worker& worker) {
        for (;;) {
            // Relaxed: a number to count with; the pool orders everything else.
            const std::size_t first = next.fetch_add(1, std::memory_order_relaxed) * rows;
            if (first >= batch.rows) return;
            try {
                worker.run(batch, first, std::min(rows, batch.rows - first));
            } catch (...) {
                fail(first);
            }
        }
    }

    /// Keeps the failure of the first rows, and lets nobody begin another block.
    void fail(std::size_t first) {
        next.store(batch.rows / rows + 1, std::memory_order_relaxed);
        const std::lock_guard<std::mutex> lock(mutex);
        if (first >= failed_row) return;
        failed_row = first;
        failure = std::current_exception();
    }
};

}  // namespace photonlink::optics
