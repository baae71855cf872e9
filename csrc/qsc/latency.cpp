#include "photonlink/qsc/latency.hpp"

#include <linux/capability.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace photonlink::qsc {

namespace {

constexpr u32 kMostCpus = CPU_SETSIZE;

std::string join(const std::vector<u32>& numbers) {
    std::string text;
    for (const u32 number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
    return text;
}

/// Empty if it was done, else why not.
std::string pin(const std::vector<u32>& cpus) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const u32 cpu : cpus) CPU_SET(cpu, &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0)
        return std::string(std::strerror(errno)) + ": none of these CPUs may be used by this process";
    // The system takes those CPUs of the list that exist, and says nothing about the others.
    cpu_set_t got;
    if (::sched_getaffinity(0, sizeof got, &got) != 0) return std::strerror(errno);
    if (!CPU_EQUAL(&set, &got)) return "some of these CPUs may not be used by this process; pinned to the others";
    return {};
}

std::string raise_priority(u32 priority) {
    sched_param parameters{};
    parameters.sched_priority = static_cast<int>(priority);
    if (::sched_setscheduler(0, SCHED_FIFO, &parameters) == 0) return {};
    return std::string(std::strerror(errno)) +
           ": needs CAP_SYS_NICE, or a limit RLIMIT_RTPRIO (LimitRTPRIO= of a systemd unit) of " +
           std::to_string(priority) + " or more";
}

bool may_lock_without_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY) return true;
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
    if (::syscall(SYS_capget, &header, sets) != 0) return false;
    return (sets[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK)) != 0;
}

std::string lock_memory() {
    // Below a limit, memory that is locked in advance would make later allocations fail, far from here.
    if (!may_lock_without_limit())
        return "needs CAP_IPC_LOCK, or no limit RLIMIT_MEMLOCK (LimitMEMLOCK=infinity of a systemd unit)";
    // On first touch: what a library maps and never uses stays out of the memory.
    if (::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0) return {};
    return std::strerror(errno);
}

/// The node that all of these CPUs belong to, if there is one.
std::optional<u32> node_of(const std::vector<u32>& cpus) {
    std::optional<u32> common;
    constexpr u32 kMostNodes = MemoryPolicy::kMostNodes;
    for (const u32 cpu : cpus) {
        std::optional<u32> found;
        const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/node";
        for (u32 node = 0; node < kMostNodes && !found; ++node)
            if (::access((folder + std::to_string(node)).c_str(), F_OK) == 0) found = node;
        if (!found || (common && *common != *found)) return std::nullopt;
        common = found;
    }
    return common;
}

MemoryPolicy preferring(u32 node) {
    constexpr u32 kBits = 8 * sizeof(unsigned long);
    MemoryPolicy policy;
    policy.mode = MPOL_PREFERRED;
    policy.nodes[node / kBits] |= 1UL << (node % kBits);
    return policy;
}

// By number: the C library leaves these two calls to libnuma.
bool set_policy(const MemoryPolicy& policy) {
    const bool named = policy.mode != MPOL_DEFAULT;
    return ::syscall(SYS_set_mempolicy, policy.mode, named ? policy.nodes : nullptr,
                     named ? MemoryPolicy::kMostNodes : 0) == 0;
}

std::optional<MemoryPolicy> policy_of_thread() {
    MemoryPolicy policy;
    if (::syscall(SYS_get_mempolicy, &policy.mode, policy.nodes, MemoryPolicy::kMostNodes, nullptr, 0) != 0)
        return std::nullopt;
    return policy;
}

bool has_one_node() {
    std::ifstream file("/sys/devices/system/node/online");
    std::string nodes;
    return file >> nodes && nodes == "0";
}

}  // namespace

LatencySetup::LatencySetup(LatencyOptions options) : options_(std::move(options)) {
    for (const auto* cpus : {&options_.dispatcher_cpus, &options_.transport_cpus})
        for (const u32 cpu : *cpus)
            if (cpu >= kMostCpus)
                throw std::invalid_argument("CPU " + std::to_string(cpu) + " does not exist, expected 0 to " +
                                            std::to_string(kMostCpus - 1));
    if (options_.realtime_priority > 99)
        throw std::invalid_argument("realtime priority is " + std::to_string(options_.realtime_priority) +
                                    ", expected 1 to 99, or 0 for none");
    std::thread([this] { try_on_thread(); }).join();
    if (options_.lock_memory) {
        const std::string refusal = lock_memory();
        note("lock memory", "all pages, once touched", refusal.empty() ? "mlockall" : refusal, refusal.empty());
    }
}

void LatencySetup::note(std::string measure, std::string asked, std::string detail, bool granted) {
    report_.push_back({std::move(measure), std::move(asked), granted, std::move(detail)});
}

void LatencySetup::try_on_thread() {
    const auto tried = [this](const char* measure, const std::string& asked, const std::string& refusal,
                              const char* done) {
        note(measure, asked, refusal.empty() ? done : refusal, refusal.empty());
    };
    if (!options_.transport_cpus.empty())
        tried("transport CPUs", join(options_.transport_cpus), pin(options_.transport_cpus), "sched_setaffinity");
    if (!options_.dispatcher_cpus.empty())
        tried("dispatcher CPUs", join(options_.dispatcher_cpus), pin(options_.dispatcher_cpus), "sched_setaffinity");
    if (options_.realtime_priority != 0)
        tried("dispatcher priority", "SCHED_FIFO " + std::to_string(options_.realtime_priority),
              raise_priority(options_.realtime_priority), "sched_setscheduler");
    if (options_.local_memory) try_local_memory();
}

void LatencySetup::try_local_memory() {
    const auto node = node_of(options_.dispatcher_cpus);
    const std::string asked = node ? "node " + std::to_string(*node) : "the dispatcher's node";
    if (!node)
        return note("local memory", asked, "not available: the dispatcher is not pinned to CPUs of one node", false);
    if (has_one_node()) return note("local memory", asked, "this machine has one node: all memory is local", true);
    const MemoryPolicy policy = preferring(*node);
    if (!set_policy(policy))
        return note("local memory", asked, std::string("not available: ") + std::strerror(errno), false);
    local_ = policy;
    note("local memory", asked, "set_mempolicy while a ring is made", true);
}

void LatencySetup::settle_dispatcher() const {
    if (!options_.dispatcher_cpus.empty()) static_cast<void>(pin(options_.dispatcher_cpus));
    if (options_.realtime_priority != 0) static_cast<void>(raise_priority(options_.realtime_priority));
    if (local_) static_cast<void>(set_policy(*local_));  // the gateway's rings may be made here
}

void LatencySetup::settle_transport() const {
    if (!options_.transport_cpus.empty()) static_cast<void>(pin(options_.transport_cpus));
    if (local_) static_cast<void>(set_policy(*local_));
}

LocalMemory::LocalMemory(const LatencySetup* setup) {
    if (setup == nullptr || !setup->local_) return;
    before_ = policy_of_thread();
    if (before_ && !set_policy(*setup->local_)) before_.reset();
}

LocalMemory::~LocalMemory() {
    if (before_) static_cast<void>(set_policy(*before_));
}

}  // namespace photonlink::qsc
