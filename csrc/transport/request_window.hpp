// What a gateway remembers of one client's requests, so that none is executed twice: the latest requests with their
// answers, and of those before them the ids. Private to transport/. Allocates in its constructors only.
#pragma once

#include <algorithm>
#include <vector>

#include "photonlink/link/memory.hpp"

namespace photonlink::transport {

/// A request from its arrival until its place is needed for another.
struct RequestRecord {
    enum class Stage : u8 {
        Free,
        Waiting,    // for a slot; `frame` holds the request
        Executing,  // in the slot of `ticket`
        Held,       // answered, in `frame`; the result stays in the slot until it was fetched
        Done        // answered, in `frame`
    };

    Stage stage = Stage::Free;
    bool fetched = false;  // Held: its last byte was sent once
    u32 next = 0;          // in its bucket
    u32 place = 0;         // where the transport has it from
    u64 id = 0;
    u64 hash = 0;
    wire::RequestHeader header{};
    link::Ticket ticket{};
    const u8* result = nullptr;
    u64 result_bytes = 0;
    u8* frame = nullptr;
};

/// A set of ids as ranges; a session's ids lie close together, so that a few ranges hold them all. When there are too
/// many, the two with the smallest gap become one: ids between them then count as members, which only ever refuses.
class IdRanges {
  public:
    explicit IdRanges(std::size_t most) : most_(most) { ranges_.reserve(most + 1); }

    bool contains(u64 id) const {
        const auto after = behind(id);
        return after != ranges_.begin() && id <= (after - 1)->last;
    }

    void add(u64 id) {
        auto after = ranges_.begin() + (behind(id) - ranges_.begin());
        const bool joins_before = after != ranges_.begin() && id <= (after - 1)->last + 1;
        const bool joins_after = after != ranges_.end() && id + 1 == after->first;
        if (joins_before && joins_after) {
            (after - 1)->last = after->last;
            ranges_.erase(after);
        } else if (joins_before) {
            (after - 1)->last = std::max((after - 1)->last, id);
        } else if (joins_after) {
            after->first = id;
        } else {
            ranges_.insert(after, {id, id});
            if (ranges_.size() > most_) join_nearest();
        }
    }

    std::size_t ranges() const { return ranges_.size(); }

  private:
    struct Range {
        u64 first;
        u64 last;
    };

    std::vector<Range>::const_iterator behind(u64 id) const {
        return std::upper_bound(ranges_.begin(), ranges_.end(), id,
                                [](u64 wanted, const Range& range) { return wanted < range.first; });
    }

    void join_nearest() {
        std::size_t best = 0;
        for (std::size_t i = 1; i + 1 < ranges_.size(); ++i)
            if (ranges_[i + 1].first - ranges_[i].last < ranges_[best + 1].first - ranges_[best].last) best = i;
        ranges_[best].last = ranges_[best + 1].last;
        ranges_.erase(ranges_.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }

    const std::size_t most_;
    std::vector<Range> ranges_;
};

/// The latest requests in order of arrival, found by id.
class RequestWindow {
  public:
    RequestWindow(u32 records, u32 frame_bytes)
        : memory_(link::Mapping::anonymous(u64{records} * frame_bytes)), records_(records), forgotten_(kMostRanges) {
        u32 buckets = 1;
        while (buckets < records) buckets *= 2;
        buckets_.assign(buckets, kNone);
        for (u32 i = 0; i < records; ++i) records_[i].frame = memory_.data() + u64{i} * frame_bytes;
    }

    /// The request that came under `id`, if it is still remembered.
    RequestRecord* find(u64 id) {
        for (u32 at = buckets_[bucket(id)]; at != kNone; at = records_[at].next)
            if (records_[at].id == id) return &records_[at];
        return nullptr;
    }

    /// True if a request under `id` was answered and forgotten, or may have been.
    bool is_below(u64 id) const { return forgotten_.contains(id); }

    /// The place of the next request, which still holds the oldest one.
    RequestRecord& oldest() { return records_[next_]; }

    /// Puts a new request into that place. The oldest must be free or done; it is forgotten.
    RequestRecord& take(u64 id) {
        RequestRecord& record = records_[next_];
        if (record.stage != RequestRecord::Stage::Free) {
            unlink(next_);
            forgotten_.add(record.id);
        }
        record.id = id;
        record.next = buckets_[bucket(id)];
        buckets_[bucket(id)] = next_;
        next_ = next_ + 1 == records_.size() ? 0 : next_ + 1;
        return record;
    }

    /// Calls `visit` for every record.
    template <class Visit>
    void each(Visit visit) {
        for (RequestRecord& record : records_) visit(record);
    }

  private:
    static constexpr u32 kNone = ~0u;
    static constexpr std::size_t kMostRanges = 1024;

    std::size_t bucket(u64 id) const { return id & (buckets_.size() - 1); }

    void unlink(u32 index) {
        u32* link = &buckets_[bucket(records_[index].id)];
        while (*link != index) link = &records_[*link].next;
        *link = records_[index].next;
    }

    link::Mapping memory_;  // touched as it is used
    std::vector<RequestRecord> records_;
    std::vector<u32> buckets_;
    IdRanges forgotten_;
    u32 next_ = 0;
};

}  // namespace photonlink::transport
