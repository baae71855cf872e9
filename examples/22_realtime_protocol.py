"""A decoder of quantum errors as a CUDA-Q realtime service, its caller, and the frames between them. No photonics.

The service answers the functions of NVIDIA's QEC decoding server, for the repetition code; anything that speaks the
protocol can call it, a CUDA-Q kernel too. Capture the frames with `tcpdump -i lo -w frames.pcap udp`, then read them
with `photonlink decode frames.pcap`.
"""

import numpy as np

from photonlink.errors import ServiceError
from photonlink.realtime import HEADER_BYTES, QEC_FUNCTIONS, Client, Decoder, Refusal, Service, read_hex, table

DISTANCE, SHOTS, ERROR_RATE = 7, 200, 0.12
BAD_REQUEST = 2
enqueue_syndromes, get_corrections, reset_decoder = QEC_FUNCTIONS

service = Service()
corrections = np.zeros(DISTANCE, np.bool_)


@service.function(enqueue_syndromes)
def decode(_decoder: int, _counter: int, _mapping: int, syndromes: np.ndarray) -> None:
    """Of the two error patterns with these syndromes, the one with fewer errors is the likelier."""
    if syndromes.size != DISTANCE - 1:
        raise Refusal(BAD_REQUEST)
    pattern = np.append(False, np.logical_xor.accumulate(syndromes))
    corrections[:] ^= pattern if 2 * pattern.sum() < DISTANCE else ~pattern


@service.function(get_corrections)
def collect(_decoder: int, size: int, reset: int) -> np.ndarray:
    result = corrections[:size].copy()
    if reset:
        corrections[:] = False
    return result


@service.function(reset_decoder)
def clear(_decoder: int) -> None:
    corrections[:] = False


with service.serve() as server, Client(server.address) as client:
    enqueue, get = client.function(enqueue_syndromes), client.function(get_corrections)
    client.function(reset_decoder)(0)
    random = np.random.default_rng(1)
    failures = 0
    for shot in range(SHOTS):
        errors = random.random(DISTANCE) < ERROR_RATE
        sent = enqueue.submit(0, shot, 0, errors[:-1] ^ errors[1:])  # both in flight at once
        answer = get.submit(0, DISTANCE, 1)
        sent.result()
        failures += bool((errors ^ answer.result())[0])
    print(f"{SHOTS} shots, {ERROR_RATE:.0%} errors per bit, {failures / SHOTS:.1%} after decoding at {server.address}")
    try:
        enqueue(0, SHOTS, 0, [True])
    except ServiceError as error:
        print("refused:", error)

# Without a network: the bytes of one call, and what they say.
request = enqueue_syndromes.request(0, 1, 0, errors[:-1] ^ errors[1:], request_id=7).encode()
response = service.answer(request)
lines = [frame.hex(" ", -4) for frame in (request, response[:HEADER_BYTES])]
print(*lines, table(Decoder().decode(read_hex("\n".join(lines)))), sep="\n")
