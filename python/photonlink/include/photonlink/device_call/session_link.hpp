// The link between a device id and a session: what a kernel's device_call comes to on a photonlink controller.
//
// These functions speak of features, which never cross the wire, and of photons; they are made of the controller's own:
//   photonic_infer       (f64[] features, out f64[] observables)   one datapoint
//   photonic_expectation (i64 k) -> f64          observable k of the calling thread's latest datapoint; nothing is sent
//   photonic_sample      (f64[] features) -> i64 one datapoint of one shot; position of the detected state
//   photonic_photons     (i64 mode) -> i64       photons that the latest sample showed in a mode; nothing is sent
//   photonic_samples     (f64[] features, out i8[] photons)        one datapoint: photons per shot and mode
// Every other function goes to the controller as it is, behind the session's key.
#pragma once

#include <memory>

#include "photonlink/device_call/device_call.h"
#include "photonlink/optics/noise_basis.hpp"
#include "photonlink/optics/program.hpp"
#include "photonlink/qsc/client.hpp"

namespace photonlink::device_call {

inline constexpr u32 kPhotonicInfer = wire::function_id("photonic_infer");
inline constexpr u32 kPhotonicExpectation = wire::function_id("photonic_expectation");
inline constexpr u32 kPhotonicSample = wire::function_id("photonic_sample");
inline constexpr u32 kPhotonicSamples = wire::function_id("photonic_samples");
inline constexpr u32 kPhotonicPhotons = wire::function_id("photonic_photons");

struct Latest;  // session_latest.hpp: internal

class SessionLink {
  public:
    /// `keep` owns `client`, whose session has `shots` (0 if it is exact). Each call ends within `timeout_ns`.
    SessionLink(qsc::SessionClient& client, std::shared_ptr<const void> keep, const optics::ProgramSpec& program,
                u32 shots, u64 timeout_ns);

    /// Answers `call`: a photonlink_device_status, and on failure the reason in the call.
    i32 answer(photonlink_device_call& call) noexcept;

    /// The C form of a link, which owns it until it is dropped.
    static photonlink_device_link table(std::shared_ptr<SessionLink> link);

  private:
    i32 infer(photonlink_device_call& call);
    i32 expectation(photonlink_device_call& call);
    i32 sample(photonlink_device_call& call);
    i32 samples(photonlink_device_call& call);
    i32 report(Latest& latest, qsc::Reports* reports, photonlink_device_call& call);
    i32 photons(photonlink_device_call& call);
    i32 forward(photonlink_device_call& call);

    static i32 ended(const qsc::CallResult& result, photonlink_device_call& call);
    static i32 ended(const qsc::CallResult& result, Latest& latest, photonlink_device_call& call);
    Latest& latest_of_thread() const;
    qsc::CallOptions options() const;

    qsc::SessionClient& client_;
    const std::shared_ptr<const void> keep_;
    const u32 shots_;
    const u64 timeout_ns_;
    const u64 identity_;                // never the same for two links of a process
    const optics::SectorOrder states_;  // what a sample's position refers to
};

}  // namespace photonlink::device_call
