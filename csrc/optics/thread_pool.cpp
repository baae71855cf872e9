#include "photonlink/optics/thread_pool.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "photonlink/link/fork.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {
namespace {

constexpr u32 kMostThreads = 1024;

/// Work that a helper must have, to be worth waking: a sleeping thread takes some ten microseconds to come.
constexpr double kLeastHelperNs = 40e3;

u32 affinity_count() {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return std::max(1u, std::thread::hardware_concurrency());
    return static_cast<u32>(std::max(1, CPU_COUNT(&set)));
}

}  // namespace

u32 usable_threads(u32 asked) {
    if (asked > 0) return std::min(asked, kMostThreads);
    const char* const text = std::getenv("PHOTONLINK_THREADS");
    if (text == nullptr || *text == '\0') return std::min(affinity_count(), kMostThreads);
    char* end = nullptr;
    const unsigned long threads = std::strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || threads < 1 || threads > kMostThreads)
        throw ProgramError("environment variable PHOTONLINK_THREADS is \"" + std::string(text) +
                           "\"; expected a number of threads from 1 to " + std::to_string(kMostThreads) +
                           ". Unset it to use every CPU of the process's affinity mask.");
    return static_cast<u32>(threads);
}

u32 threads_worth(double work_ns, u32 most) {
    return std::clamp(static_cast<u32>(std::min(work_ns / kLeastHelperNs, 1e6)), 1u, most);
}

class ThreadPool::Helpers {
  public:
    ~Helpers() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }

    bool inherited() const { return guard_.inherited(); }

    void run(u32 threads, const std::function<void(u32)>& job) {
        while (threads_.size() + 1 < threads) threads_.emplace_back(&Helpers::help, this);
        std::unique_lock<std::mutex> lock(mutex_);
        job_ = &job;
        parts_ = threads;
        next_ = 1;
        lock.unlock();
        wake_.notify_all();
        job(0);
        lock.lock();
        // Parts that no helper came for in time: on a busy machine that may take longer than all the work.
        while (next_ < parts_) take_part(lock);
        done_.wait(lock, [&] { return helping_ == 0; });
    }

  private:
    void take_part(std::unique_lock<std::mutex>& lock) {
        const u32 part = next_++;
        const std::function<void(u32)>& job = *job_;
        lock.unlock();
        job(part);
        lock.lock();
    }

    void help() {
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
            wake_.wait(lock, [&] { return stopping_ || next_ < parts_; });
            if (stopping_) return;
            ++helping_;
            take_part(lock);
            if (--helping_ == 0) done_.notify_one();
        }
    }

    const link::ForkGuard guard_;
    std::vector<std::thread> threads_;
    std::mutex mutex_;  // guards all below
    std::condition_variable wake_, done_;
    const std::function<void(u32)>* job_ = nullptr;
    u32 parts_ = 0;
    u32 next_ = 0;     // part that nobody has taken yet
    u32 helping_ = 0;  // helpers at work
    bool stopping_ = false;
};

ThreadPool::ThreadPool() = default;

ThreadPool::~ThreadPool() {
    // In a forked child the threads do not exist: joining them would wait for ever, so their remains are left behind.
    if (helpers_ && helpers_->inherited()) helpers_.release();  // NOLINT(bugprone-unused-return-value)
}

void ThreadPool::run(u32 threads, const std::function<void(u32)>& job) {
    if (threads <= 1) return job(0);
    if (helpers_ && helpers_->inherited()) helpers_.release();  // NOLINT(bugprone-unused-return-value)
    if (!helpers_) helpers_ = std::make_unique<Helpers>();
    helpers_->run(threads, job);
}

void ThreadPool::share(u32 threads, std::size_t tasks, const std::function<void(u32, std::size_t)>& task) {
    std::atomic<std::size_t> next{0};
    run(static_cast<u32>(std::min<std::size_t>(threads, tasks)), [&](u32 thread) {
        for (;;) {
            // Relaxed: a number to count with; run() orders everything else.
            const std::size_t index = next.fetch_add(1, std::memory_order_relaxed);
            if (index >= tasks) return;
            task(thread, index);
        }
    });
}

}  // namespace photonlink::optics
