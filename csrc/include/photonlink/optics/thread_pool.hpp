// A few threads that help one caller through a job, for simulators. Nothing is started before it is needed, a waiting
// helper sleeps, and everything ends with the pool.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "photonlink/platform.hpp"

namespace photonlink::optics {

/// Threads that a simulator may use: `asked`, or if 0 the environment variable PHOTONLINK_THREADS, or else the CPUs of
/// the process's affinity mask. Throws ProgramError for a variable that is no number from 1 to 1024.
u32 usable_threads(u32 asked);

/// How many of `most` threads pay for work that takes one of them `work_ns`; at least one.
u32 threads_worth(double work_ns, u32 most);

class ThreadPool {
  public:
    ThreadPool();
    ~ThreadPool();  // waits for helpers, which have nothing to do then; leaves them alone in a forked child
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    /// Runs job(0) here and job(1) .. job(threads - 1) on helpers, or here, one after the other, where no helper came
    /// in time: the parts must not wait for each other. Returns when all are done. The job must not throw. One call at
    /// a time. A forked child gets helpers of its own.
    void run(u32 threads, const std::function<void(u32)>& job);

    /// Calls task(thread, index) once for every index below `tasks`, on up to `threads` threads, under the same rules.
    void share(u32 threads, std::size_t tasks, const std::function<void(u32, std::size_t)>& task);

  private:
    class Helpers;
    std::unique_ptr<Helpers> helpers_;
};

}  // namespace photonlink::optics
