// What launches need beside their arguments, and whether they have ended: each stream's launches follow one another and
// share one set of words and one mark behind the last of them.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "launch.hpp"
#include "memory.hpp"

namespace photonlink::cuda {

/// Of one stream.
struct Flight {
    device::LaunchWords* words = nullptr;
    Event last;
};

/// What a submit leaves for its collect.
struct PendingRows {
    device::Pending* rows = nullptr;
    bool taken = false;
    Event submitted;
    Event finished;  // collected, or abandoned
};

class Flights {
  public:
    /// `slots`: rows that a PendingRows holds.
    Flights(Arena& arena, u32 slots) : arena_(arena), slots_(slots) {}

    /// The flight of a stream, which is not being captured.
    Flight& of_stream(cudaStream_t stream);
    /// Free ones, taken; the caller clears `taken` once it has marked `finished`.
    PendingRows& take_pending();
    /// True once nothing runs any more. Throws CudaError when something failed.
    bool all_done() const;

  private:
    Flight& of_new_stream(u64 id);

    Arena& arena_;
    const u32 slots_;
    std::unordered_map<u64, std::unique_ptr<Flight>> flights_;
    std::vector<std::unique_ptr<PendingRows>> pending_;
};

/// True while `stream` is being captured into a graph. Throws CudaError when its capture is broken, and for the default
/// stream while another one's capture forbids its use.
bool is_captured(cudaStream_t stream);

/// Waits until `stream`, of `device` and not being captured, has done what it was given; false if the timeout, in
/// seconds, is over before.
bool synchronize_stream(int device, cudaStream_t stream, double timeout);

}  // namespace photonlink::cuda
