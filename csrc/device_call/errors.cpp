#include "errors.hpp"

#include <pthread.h>

#include <mutex>

namespace photonlink::device_call {

namespace {

struct Latest {
    std::mutex mutex;
    photonlink_device_error error{};
};

Latest& latest_of_all();

void before_fork() { latest_of_all().mutex.lock(); }
void after_fork() { latest_of_all().mutex.unlock(); }

Latest& latest_of_all() {
    static Latest* const made = [] {
        auto* fresh = new Latest;  // never destroyed, as the registry
        pthread_atfork(before_fork, after_fork, after_fork);
        return fresh;
    }();
    return *made;
}

thread_local photonlink_device_error last{};

}  // namespace

void record(photonlink_device_error error) {
    Latest& all = latest_of_all();
    const std::lock_guard<std::mutex> lock(all.mutex);
    error.sequence = all.error.sequence + 1;
    all.error = error;
    last = error;
}

const photonlink_device_error& last_of_thread() { return last; }

photonlink_device_error latest() {
    Latest& all = latest_of_all();
    const std::lock_guard<std::mutex> lock(all.mutex);
    return all.error;
}

}  // namespace photonlink::device_call
