// Every place in link/ where memory order matters has a number here and names its partner. The number travels as the
// template argument of the ordered functions of platform.hpp; the mutation test (tests/cpp/link/mutation.py) builds
// the link once per number with that one place weakened to relaxed and requires that its test program notices.
//
// What the pairs protect, read as one life of a slot:
//   claim -> write request -> [RequestCommitStore => RequestCommitLoad] -> serve, write response ->
//   [ResponseCommitStore => ResponseCommitLoad] -> read response -> [FreeStore => FreeClaim] -> next claim.
#pragma once

namespace photonlink::link::site {

/// Client submits: request frame and sink before it. Pairs with RequestCommitLoad.
inline constexpr int kRequestCommitStore = 1;
/// Server polls. Pairs with RequestCommitStore.
inline constexpr int kRequestCommitLoad = 2;
/// Server publishes: response frame, result bytes, and its last look at the request before it.
/// Pairs with ResponseCommitLoad and ZombieCommitLoad.
inline constexpr int kResponseCommitStore = 3;
/// Waiting client. Pairs with ResponseCommitStore.
inline constexpr int kResponseCommitLoad = 4;
/// Recycler of an abandoned slot, which must not overwrite a request that the server still reads.
/// Pairs with ResponseCommitStore.
inline constexpr int kZombieCommitLoad = 5;
/// Server closes: every answer published before it is visible to whoever sees it. Pairs with ServerCloseLoad.
inline constexpr int kServerCloseStore = 6;
/// Client on its slow path. Pairs with ServerCloseStore.
inline constexpr int kServerCloseLoad = 7;
/// Client closes: every request submitted before it is visible to whoever sees it. Pairs with ClientCloseLoad.
inline constexpr int kClientCloseStore = 8;
/// Server asks whether its client is gone. Pairs with ClientCloseStore.
inline constexpr int kClientCloseLoad = 9;
/// Claim of a free slot: the last owner's reads of the response come before our request, and so before the next
/// response. Pairs with FreeStore, CancelStore and ReapStore.
inline constexpr int kFreeClaim = 10;
/// Claim of an abandoned slot whose answer has come. Pairs with ZombieStore.
inline constexpr int kZombieClaim = 11;
/// Owner has read its answer. Pairs with FreeClaim.
inline constexpr int kFreeStore = 12;
/// Owner gives up; it may have read its request frame until now. Pairs with ZombieClaim and ReapClaim.
inline constexpr int kZombieStore = 13;
/// Owner never submitted; it may have written into the request frame. Pairs with FreeClaim.
inline constexpr int kCancelStore = 14;
/// Reaper takes an abandoned slot. Pairs with ZombieStore.
inline constexpr int kReapClaim = 15;
/// Reaper frees it again and hands on what ZombieCommitLoad and ReapClaim told it. Pairs with FreeClaim.
inline constexpr int kReapStore = 16;

inline constexpr int kLastSite = 16;

}  // namespace photonlink::link::site
