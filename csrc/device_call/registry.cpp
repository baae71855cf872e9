#include "registry.hpp"

#include <pthread.h>

#include <atomic>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace photonlink::device_call {

namespace {

/// Never destroyed: kernels may run while static objects are going away.
struct Registry {
    std::mutex mutex;
    std::unordered_map<uint32_t, std::shared_ptr<const Link>> links;
    std::atomic<uint64_t> forks{0};  // relaxed: written by a child's only thread, right after the fork
};

Registry& registry();

// Held across the fork, so that the child finds the table whole.
void before_fork() { registry().mutex.lock(); }
void after_fork_in_parent() { registry().mutex.unlock(); }
void after_fork_in_child() {
    registry().forks.fetch_add(1, std::memory_order_relaxed);
    registry().mutex.unlock();
}

Registry& registry() {
    static Registry* const made = [] {
        auto* fresh = new Registry;
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
        return fresh;
    }();
    return *made;
}

uint64_t forks() { return registry().forks.load(std::memory_order_relaxed); }

}  // namespace

Link::Link(const photonlink_device_link& link) : link_(link), born_(forks()) {}

Link::~Link() {
    if (!inherited() && link_.drop != nullptr) link_.drop(link_.context);
}

bool Link::inherited() const { return born_ != forks(); }

Found find(uint32_t device) {
    Registry& all = registry();
    const std::lock_guard<std::mutex> lock(all.mutex);
    const auto entry = all.links.find(device);
    if (entry == all.links.end() || entry->second == nullptr) return {};
    if (entry->second->inherited()) return {nullptr, true};
    return {entry->second, false};
}

Status open(uint32_t device, const photonlink_device_link& link) {
    Registry& all = registry();
    std::shared_ptr<const Link> replaced;  // outlives the lock: nothing is destroyed under it
    const std::lock_guard<std::mutex> lock(all.mutex);
    std::shared_ptr<const Link>& entry = all.links[device];
    if (entry != nullptr && !entry->inherited()) return PHOTONLINK_DEVICE_INVALID_ARGUMENT;
    // Made only now: a link that is refused is still its owner's to drop.
    replaced = std::exchange(entry, std::make_shared<const Link>(link));
    return PHOTONLINK_DEVICE_OK;
}

Status close(uint32_t device) {
    Registry& all = registry();
    std::shared_ptr<const Link> closed;  // dropped after the lock: `drop` may take an interpreter's lock
    const std::lock_guard<std::mutex> lock(all.mutex);
    const auto entry = all.links.find(device);
    if (entry == all.links.end() || entry->second == nullptr) return PHOTONLINK_DEVICE_NOT_INITIALIZED;
    closed = std::move(entry->second);
    all.links.erase(entry);
    return PHOTONLINK_DEVICE_OK;
}

}  // namespace photonlink::device_call
