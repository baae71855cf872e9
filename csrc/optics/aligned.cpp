#include "photonlink/optics/aligned.hpp"

#include <sys/mman.h>

#include <new>

namespace photonlink::optics {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kSpansHugePages = 2 * kHugePage;  // smaller memory fits what a processor remembers of small pages

std::align_val_t alignment_of(std::size_t bytes) { return std::align_val_t{bytes < kSpansHugePages ? 64 : kHugePage}; }

}  // namespace

void* allocate_aligned(std::size_t bytes) {
    void* const memory = ::operator new(bytes, alignment_of(bytes));
#ifdef MADV_HUGEPAGE
    if (bytes >= kSpansHugePages) ::madvise(memory, bytes, MADV_HUGEPAGE);  // a hint: where it fails, pages stay small
#endif
    return memory;
}

void free_aligned(void* at, std::size_t bytes) { ::operator delete(at, alignment_of(bytes)); }

}  // namespace photonlink::optics
