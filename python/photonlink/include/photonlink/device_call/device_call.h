/* Runtime of cudaq::device_call: the C interface of libphotonlink_device_call.so.
 *
 * A kernel that CUDA-Q lowered with its realtime-device-call pass calls three C symbols: acquire a frame, dispatch it,
 * release it. The library defines them, and finds the link of each call by its device id in a table. It depends on
 * nothing: whoever owns a link (a session, a UDP client, an interpreter with callbacks) fills in a table of two
 * functions and opens a device with it. All functions are thread-safe; none throws.
 */
#ifndef PHOTONLINK_DEVICE_CALL_H
#define PHOTONLINK_DEVICE_CALL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PHOTONLINK_DEVICE_CALL_ABI 1u

/* A link may write so many bytes in front of the arguments: a 24-byte header and an 8-byte session key. */
#define PHOTONLINK_DEVICE_HEADROOM 32u

/* Arguments and results of one call, each; what CUDA-Q's own frames hold is far less. */
#define PHOTONLINK_DEVICE_MOST_BYTES (1ull << 30)

/* What the three symbols return; the numbers of CUDA-Q's own runtime. */
enum photonlink_device_status {
    PHOTONLINK_DEVICE_OK = 0,
    PHOTONLINK_DEVICE_INVALID_ARGUMENT = 1,
    PHOTONLINK_DEVICE_NOT_INITIALIZED = 2, /* no such device, or its link is closed */
    PHOTONLINK_DEVICE_TIMEOUT = 4,
    PHOTONLINK_DEVICE_RESPONSE_TOO_LARGE = 5,
    PHOTONLINK_DEVICE_REMOTE_ERROR = 6 /* the other side refused or failed, or its answer has the wrong length */
};

/* One call, as a link sees it. */
typedef struct photonlink_device_call {
    uint32_t function_id; /* FNV-1a of the function's name */
    uint32_t device;
    uint8_t* request; /* encoded arguments, holes zeroed; 8-aligned, behind the headroom */
    uint64_t request_bytes;
    uint8_t* response;       /* 8-aligned; null if the function returns nothing */
    uint64_t response_bytes; /* in: what the caller expects, exactly; out: what came */

    /* Filled in by the link when it fails, for whoever reads the error. */
    uint32_t call_status;  /* photonlink::CallStatus of a session's call; 0 from links without a session */
    int32_t remote_status; /* status word of the answer, if there was one */
    uint32_t request_id;
    uint64_t close_reason;
    char cause[200]; /* one line, zero-terminated */
} photonlink_device_call;

/* A link. `call` sends one call, waits for its answer no longer than a bound of its own, and returns a status; any
 * number of threads may be in it at a time. It need not wait when response_bytes is 0. `drop` is called once, when the
 * device was closed and no frame uses the link any more; never in a forked child. It may be null. */
typedef struct photonlink_device_link {
    uint32_t abi; /* PHOTONLINK_DEVICE_CALL_ABI */
    void* context;
    int32_t (*call)(void* context, photonlink_device_call* call);
    void (*drop)(void* context);
} photonlink_device_link;

/* Why a call failed. */
typedef struct photonlink_device_error {
    uint64_t sequence; /* counts the failures of this process from 1; 0: none */
    uint32_t device;
    uint32_t function_id;
    int32_t status;
    uint32_t call_status;
    int32_t remote_status;
    uint32_t request_id;
    uint64_t close_reason;
    uint64_t elapsed_ns;
    char cause[200];
} photonlink_device_error;

uint32_t photonlink_device_abi(void);

/* Copies `link` and lets calls to `device` go there. INVALID_ARGUMENT: another ABI, no function, or the id is taken. */
int32_t photonlink_device_open(uint32_t device, const photonlink_device_link* link);

/* Lets calls to `device` go to a CUDA-Q realtime service over UDP, those of several threads together, in slots of
 * `slot_bytes` (what the service uses; 256 is NVIDIA's default); each ends within `timeout_ns`. INVALID_ARGUMENT: the
 * host is unknown, the slot holds no header, or the id is taken. UDP does not tell whether anybody listens. */
int32_t photonlink_device_open_udp(uint32_t device, const char* host, uint16_t port, uint32_t slot_bytes,
                                   uint64_t timeout_ns);

/* Takes the device away; calls under way end as the link sees fit. NOT_INITIALIZED if there is none. */
int32_t photonlink_device_close(uint32_t device);

int photonlink_device_is_open(uint32_t device);

/* The last failure of the calling thread, and that of any thread: CUDA-Q may run kernels on threads of its own. */
void photonlink_device_last_error(photonlink_device_error* error);
void photonlink_device_latest_error(photonlink_device_error* error);

/* Path of the file whose symbols kernels would call instead of this library's, because it was loaded earlier (NVIDIA's
 * own runtime); null if there is none. */
const char* photonlink_device_shadowed_by(void);

/* What generated code calls. */
int32_t __cudaq_device_call_acquire_realtime_frame(uint32_t device, uint32_t function_id, uint64_t request_bytes,
                                                   uint64_t response_bytes, void** frame, void** request,
                                                   void** response);
int32_t __cudaq_device_call_dispatch_realtime_frame(void* frame, uint64_t* response_bytes);
void __cudaq_device_call_safely_release_realtime_frame(void* frame);

#ifdef __cplusplus
}
#endif

#endif
