// Memory of the simulator's arrays.
#pragma once

#include <cstddef>
#include <vector>

namespace photonlink::optics {

/// Memory aligned for the widest vectors. From a few MiB on it lies in huge pages where the system has them: the
/// parents of a state are read along as many lines as there are modes, each far from the others.
void* allocate_aligned(std::size_t bytes);
void free_aligned(void* at, std::size_t bytes);

/// Such memory filled with zeros, so that a sweep never reads what was not written.
template <class T>
struct AlignedAllocator {
    using value_type = T;
    AlignedAllocator() = default;
    template <class U>
    AlignedAllocator(const AlignedAllocator<U>&) {}  // NOLINT: allocators convert
    T* allocate(std::size_t n) { return static_cast<T*>(allocate_aligned(n * sizeof(T))); }
    void deallocate(T* at, std::size_t n) { free_aligned(at, n * sizeof(T)); }
    bool operator==(const AlignedAllocator&) const { return true; }
    bool operator!=(const AlignedAllocator&) const { return false; }
};

template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

}  // namespace photonlink::optics
