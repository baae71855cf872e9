// The one place that knows whether code runs on a CPU or on a GPU: integer types, ordered loads and stores, pause,
// clock and copy. Every other header of wire/ and link/ is plain C++ on top of these few functions, so that the text
// that a CPU test exercises under ThreadSanitizer is the text that a kernel runs.
//
// Scopes follow the owner of a word. A word that crosses the link (commit words, close words, heartbeats) is only
// ever loaded and stored, at system scope: read-modify-write across PCIe is not covered by the CUDA memory model.
// A word that never leaves its domain (slot states, counters) may be compared and swapped, at device scope on a GPU.
#pragma once

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define PHL_HD __host__ __device__ inline
#else
#define PHL_HD inline
#endif

#if defined(__CUDA_ARCH__)
#define PHL_DEVICE_CODE 1
#else
#define PHL_DEVICE_CODE 0
#endif

#if !PHL_DEVICE_CODE && !defined(__CUDACC_RTC__)
#include <sched.h>
#include <time.h>

#include <cstring>
#endif

// The mutation test (tests/cpp/link) builds the link once per ordering site with that site weakened to relaxed and
// expects ThreadSanitizer to object. 0 weakens nothing.
#ifndef PHL_MUTATED_SITE
#define PHL_MUTATED_SITE 0
#endif

namespace photonlink {

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using i8 = signed char;
using i16 = short;
using i32 = int;
using i64 = long long;

static_assert(sizeof(u16) == 2 && sizeof(u32) == 4 && sizeof(u64) == 8, "the wire needs these exact sizes");

inline constexpr u32 kCacheLine = 64;

#if defined(__BYTE_ORDER__)
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are copied as they lie in memory");
#endif  // run-time compilation of kernels does not say; every GPU is little-endian

namespace platform {

/// Load of a word that another domain writes; pairs with store_release_system on the other side of the link.
template <int Site>
PHL_HD u64 load_acquire_system(const u64* word) {
#if PHL_DEVICE_CODE
    u64 value;
    asm volatile("ld.acquire.sys.global.u64 %0, [%1];" : "=l"(value) : "l"(word) : "memory");
    return value;
#else
    return __atomic_load_n(word, Site == PHL_MUTATED_SITE ? __ATOMIC_RELAXED : __ATOMIC_ACQUIRE);
#endif
}

/// Store of a word that another domain reads; everything stored before it is visible to the matching acquire.
template <int Site>
PHL_HD void store_release_system(u64* word, u64 value) {
#if PHL_DEVICE_CODE
    asm volatile("st.release.sys.global.u64 [%0], %1;" ::"l"(word), "l"(value) : "memory");
#else
    __atomic_store_n(word, value, Site == PHL_MUTATED_SITE ? __ATOMIC_RELAXED : __ATOMIC_RELEASE);
#endif
}

/// Load of a shared word that carries no payload with it (heartbeats).
PHL_HD u64 load_relaxed_system(const u64* word) {
#if PHL_DEVICE_CODE
    u64 value;
    asm volatile("ld.relaxed.sys.global.u64 %0, [%1];" : "=l"(value) : "l"(word) : "memory");
    return value;
#else
    return __atomic_load_n(word, __ATOMIC_RELAXED);
#endif
}

PHL_HD void store_relaxed_system(u64* word, u64 value) {
#if PHL_DEVICE_CODE
    asm volatile("st.relaxed.sys.global.u64 [%0], %1;" ::"l"(word), "l"(value) : "memory");
#else
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
#endif
}

/// Load of a word of one domain that carries no payload with it (hints, first looks before a compare-and-swap).
PHL_HD u64 load_relaxed_domain(const u64* word) {
#if PHL_DEVICE_CODE
    u64 value;
    asm volatile("ld.relaxed.gpu.global.u64 %0, [%1];" : "=l"(value) : "l"(word) : "memory");
    return value;
#else
    return __atomic_load_n(word, __ATOMIC_RELAXED);
#endif
}

PHL_HD void store_relaxed_domain(u64* word, u64 value) {
#if PHL_DEVICE_CODE
    asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" ::"l"(word), "l"(value) : "memory");
#else
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
#endif
}

/// Acquire load of a word that stays inside one domain (a process, or one GPU).
template <int Site>
PHL_HD u64 load_acquire_domain(const u64* word) {
#if PHL_DEVICE_CODE
    u64 value;
    asm volatile("ld.acquire.gpu.global.u64 %0, [%1];" : "=l"(value) : "l"(word) : "memory");
    return value;
#else
    return __atomic_load_n(word, Site == PHL_MUTATED_SITE ? __ATOMIC_RELAXED : __ATOMIC_ACQUIRE);
#endif
}

template <int Site>
PHL_HD void store_release_domain(u64* word, u64 value) {
#if PHL_DEVICE_CODE
    asm volatile("st.release.gpu.global.u64 [%0], %1;" ::"l"(word), "l"(value) : "memory");
#else
    __atomic_store_n(word, value, Site == PHL_MUTATED_SITE ? __ATOMIC_RELAXED : __ATOMIC_RELEASE);
#endif
}

/// Compare-and-swap inside one domain, acquire on success. True if `word` held `expected` and now holds `desired`.
/// Its release half is not needed: a claim publishes nothing, the later commit does.
template <int Site>
PHL_HD bool compare_swap_acquire_domain(u64* word, u64 expected, u64 desired) {
#if PHL_DEVICE_CODE
    u64 seen;
    asm volatile("atom.acquire.gpu.global.cas.b64 %0, [%1], %2, %3;"
                 : "=l"(seen)
                 : "l"(word), "l"(expected), "l"(desired)
                 : "memory");
    return seen == expected;
#else
    return __atomic_compare_exchange_n(word, &expected, desired, false,
                                       Site == PHL_MUTATED_SITE ? __ATOMIC_RELAXED : __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
#endif
}

/// Counter inside one domain; orders nothing.
PHL_HD u64 fetch_add_relaxed_domain(u64* word, u64 value) {
#if PHL_DEVICE_CODE
    u64 before;
    asm volatile("atom.relaxed.gpu.global.add.u64 %0, [%1], %2;" : "=l"(before) : "l"(word), "l"(value) : "memory");
    return before;
#else
    return __atomic_fetch_add(word, value, __ATOMIC_RELAXED);
#endif
}

PHL_HD u32 fetch_add_relaxed_domain(u32* word, u32 value) {
#if PHL_DEVICE_CODE
    u32 before;
    asm volatile("atom.relaxed.gpu.global.add.u32 %0, [%1], %2;" : "=r"(before) : "l"(word), "r"(value) : "memory");
    return before;
#else
    return __atomic_fetch_add(word, value, __ATOMIC_RELAXED);
#endif
}

/// Counter inside one domain that also hands on everything done before it to whoever counts after it.
template <int Site>
PHL_HD u64 fetch_add_ordered_domain(u64* word, u64 value) {
#if PHL_DEVICE_CODE
    u64 before;
    asm volatile("atom.acq_rel.gpu.global.add.u64 %0, [%1], %2;" : "=l"(before) : "l"(word), "l"(value) : "memory");
    return before;
#else
    return __atomic_fetch_add(word, value, Site == PHL_MUTATED_SITE ? __ATOMIC_RELAXED : __ATOMIC_ACQ_REL);
#endif
}

/// A copy whose size the compiler knows: becomes loads and stores. Run-time compilation has no __builtin_memcpy.
template <u64 Bytes>
PHL_HD void copy_fixed(void* to, const void* from) {
#if PHL_DEVICE_CODE
    memcpy(to, from, Bytes);
#else
    __builtin_memcpy(to, from, Bytes);
#endif
}

/// A copy between two places that are 8-aligned, in words of 8 bytes: left to itself, a device compiler stores bytes.
template <u64 Bytes>
PHL_HD void copy_words(void* to, const void* from) {
    static_assert(Bytes % 8 == 0, "whole words");
#if PHL_DEVICE_CODE
    for (u64 i = 0; i < Bytes / 8; ++i) static_cast<u64*>(to)[i] = static_cast<const u64*>(from)[i];
#else
    __builtin_memcpy(to, from, Bytes);
#endif
}

PHL_HD double round_down(double value) {
#if PHL_DEVICE_CODE
    return ::floor(value);
#else
    return __builtin_floor(value);
#endif
}

PHL_HD double quiet_nan() {
    const u64 bits = 0x7FF8000000000000ULL;
    double value;
    copy_fixed<sizeof value>(&value, &bits);
    return value;
}

/// a * b, rounded on its own: a device compiler would fuse it with a following sum and give other bits than the host.
PHL_HD double product(double a, double b) {
#if PHL_DEVICE_CODE
    return __dmul_rn(a, b);
#else
    return a * b;
#endif
}

/// Tells the core that this is a spin loop.
PHL_HD void pause() {
#if PHL_DEVICE_CODE
    asm volatile("nanosleep.u32 20;");
#elif defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield" ::: "memory");
#endif
}

/// Gives the core away for a moment: without it, nine threads on two cores take milliseconds per call.
PHL_HD void yield() {
#if PHL_DEVICE_CODE
    asm volatile("nanosleep.u32 200;");
#elif !defined(__CUDACC_RTC__)
    sched_yield();
#endif
}

/// Sleeps for about `ns` (< 1 s); the end of a long back-off, where wasting a core is worse than a late wake-up.
PHL_HD void sleep_ns(u32 ns) {
#if PHL_DEVICE_CODE
    asm volatile("nanosleep.u32 %0;" ::"r"(ns));
#elif !defined(__CUDACC_RTC__)
    const timespec span{0, static_cast<long>(ns)};
    nanosleep(&span, nullptr);
#else
    (void)ns;
#endif
}

/// Nanoseconds on a clock that never goes back; only differences mean anything.
PHL_HD u64 clock_ns() {
#if PHL_DEVICE_CODE
    u64 now;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
    return now;
#elif !defined(__CUDACC_RTC__)
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<u64>(now.tv_sec) * 1000000000ULL + static_cast<u64>(now.tv_nsec);
#else
    return 0;
#endif
}

/// Plain copy; ordering comes from the commit word stored after it or loaded before it.
PHL_HD void copy_bytes(void* to, const void* from, u64 bytes) {
#if !PHL_DEVICE_CODE && !defined(__CUDACC_RTC__)
    std::memcpy(to, from, bytes);
#else
    // In the largest steps that both ends allow: a load from mapped memory is a trip over the bus, whatever its size.
    u8* const target = static_cast<u8*>(to);
    const u8* const source = static_cast<const u8*>(from);
    const u64 misaligned = reinterpret_cast<u64>(to) | reinterpret_cast<u64>(from);
    u64 done = 0;
    if (misaligned % 8 == 0)
        for (; done + 8 <= bytes; done += 8)
            copy_fixed<8>(__builtin_assume_aligned(target + done, 8), __builtin_assume_aligned(source + done, 8));
    if (misaligned % 4 == 0)
        for (; done + 4 <= bytes; done += 4)
            copy_fixed<4>(__builtin_assume_aligned(target + done, 4), __builtin_assume_aligned(source + done, 4));
    for (; done < bytes; ++done) target[done] = source[done];
#endif
}

}  // namespace platform
}  // namespace photonlink
