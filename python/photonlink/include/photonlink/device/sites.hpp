// The ordering sites of device/, numbered on from those of the link (link/sites.hpp says what the numbers are for).
#pragma once

#include "photonlink/link/sites.hpp"

namespace photonlink::device::site {

/// Takes the latch: the last failure that a thread of this device wrote there comes before this one. Pairs with
/// LatchFree.
inline constexpr int kLatchClaim = link::site::kLastSite + 1;
/// Device asks whether the host has read the last failure, before it overwrites it. Pairs with LatchSeenStore.
inline constexpr int kLatchSeenLoad = link::site::kLastSite + 2;
/// Device publishes a failure. Pairs with LatchLoad.
inline constexpr int kLatchStore = link::site::kLastSite + 3;
/// Gives the latch back, with what was written there. Pairs with LatchClaim.
inline constexpr int kLatchFree = link::site::kLastSite + 4;
/// Host finds a failure. Pairs with LatchStore.
inline constexpr int kLatchLoad = link::site::kLastSite + 5;
/// Host has read it. Pairs with LatchSeenLoad.
inline constexpr int kLatchSeenStore = link::site::kLastSite + 6;
/// First block of a launch publishes the ids that the launch took. Pairs with IdsLoad.
inline constexpr int kIdsStore = link::site::kLastSite + 7;
/// The other blocks read them. Pairs with IdsStore.
inline constexpr int kIdsLoad = link::site::kLastSite + 8;
/// A block leaves: it has read (or published) the ids, and the last one to leave may reset the words. Pairs with
/// itself in the other blocks.
inline constexpr int kLeave = link::site::kLastSite + 9;

inline constexpr int kLastSite = link::site::kLastSite + 9;

}  // namespace photonlink::device::site
