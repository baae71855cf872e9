// Memory of the host in the place of a GPU's: copies of what is uploaded, watched by the address sanitizer.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "photonlink/platform.hpp"

namespace photonlink::optics::gpu::test {

class HostMemory {
  public:
    /// Zeroed, as on the device.
    template <class T>
    T* take(u64 count) {
        auto values = std::shared_ptr<T[]>(new T[std::max<u64>(count, 1)]());
        T* const place = values.get();
        kept_.push_back(std::move(values));
        bytes_ += count * sizeof(T);
        return place;
    }
    template <class T>
    T* upload(const T* values, u64 count) {
        T* const place = take<T>(count);
        std::copy(values, values + count, place);
        return place;
    }

    /// Of everything that was taken.
    u64 bytes() const { return bytes_; }

  private:
    std::vector<std::shared_ptr<void>> kept_;
    u64 bytes_ = 0;
};

}  // namespace photonlink::optics::gpu::test
