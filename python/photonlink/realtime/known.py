"""Functions of services that are in use, so that their frames can be read without describing them first.

Examples:
    >>> from photonlink.realtime.known import QEC_FUNCTIONS
    >>> for function in QEC_FUNCTIONS:
    ...     print(f"0x{function.function_id:08x}", function)
    0x7ed8be82 enqueue_syndromes(i64 decoder, i64 counter, i64 mapping, bool[] syndromes)
    0x882d5ba1 get_corrections(i64 decoder, out bool[] corrections, u8 reset)
    0x977a59cf reset_decoder(i64 decoder)
"""

from __future__ import annotations

from typing import Final

from photonlink.realtime.signature import Signature
from photonlink.realtime.status import PHOTONLINK, QEC_DECODER, StatusLayer

__all__ = ["FETCH", "KNOWN_FUNCTIONS", "PHOTONLINK_FUNCTIONS", "QEC_FUNCTIONS"]


def _functions(statuses: StatusLayer, *texts: str) -> tuple[Signature, ...]:
    return tuple(Signature.parse(text, statuses=statuses) for text in texts)


QEC_FUNCTIONS: Final = _functions(
    QEC_DECODER,
    "enqueue_syndromes(i64 decoder, i64 counter, i64 mapping, bool[] syndromes)",
    "get_corrections(i64 decoder, out bool[] corrections, u8 reset)",
    "reset_decoder(i64 decoder)",
)
"""NVIDIA's QEC decoding server (cudaqx); one call carries 1 to 2**20 syndromes."""

(FETCH,) = _functions(PHOTONLINK, "photonlink_fetch(i64 key, i64 id, i64 offset, out i8[] bytes)")
"""A piece of a result that fits no slot, by the request id of its call; no bytes at its end: it has arrived."""

PHOTONLINK_FUNCTIONS: Final = (
    # An echo answers with the very bytes behind the key, whatever they encode.
    Signature.parse("photonlink_echo(i64 key, u8[] data) -> u8[]", encoding="A", statuses=PHOTONLINK),
    *_functions(
        PHOTONLINK,
        "photonlink_infer(i64 key, f64[] phases, out f64[] observables)",
        "photonlink_infer_f32(i64 key, f32[] phases, out f32[] observables)",
        "photonlink_infer_mixed(i64 key, f64[] phases, out f32[] observables)",
        "photonlink_infer_rows(i64 key, f64[] phases, out f64[] observables)",
        "photonlink_infer_rows_mixed(i64 key, f64[] phases, out f32[] observables)",
        "photonlink_report(i64 key, f64[] phases) -> u8[]",
        "photonlink_samples(i64 key, f64[] phases, out i8[] photons)",
        "photonlink_status(i64 key) -> i64[8]",
        "photonlink_ping(i64 key) -> i64[4]",
    ),
    FETCH,
)
"""This package's controller."""

KNOWN_FUNCTIONS: Final = QEC_FUNCTIONS + PHOTONLINK_FUNCTIONS
