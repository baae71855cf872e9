"""Decoded frames as a table for people, and as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from sys import stdin

from photonlink import _checks
from photonlink.errors import ProgramError
from photonlink.realtime.captures import Capture, read_capture
from photonlink.realtime.decoder import DecodedFrame, Decoder
from photonlink.realtime.encoding import Encoding
from photonlink.realtime.frames import has_magic
from photonlink.realtime.packets import Datagram

__all__ = ["decode_file", "table"]

_MOST_BYTES = 2**30
_HEAD = ("#", "time [s]", "from", "to", "id", "latency", "frame")


def decode_file(
    path: str, functions: Sequence[str], *, encoding: Encoding, port: int | None = None, as_json: bool = False
) -> str:
    """What ``photonlink decode`` prints.

    Args:
        path: A capture (pcap, pcapng, hexadecimal text), or ``-`` for standard input.
        functions: Signatures.
        encoding: Theirs.
        port: Decode every datagram from and to this UDP port; without it, those that begin with a magic.
        as_json: Whether to give one JSON object instead of a table.

    Raises:
        ProgramError: The file cannot be read or breaks its format, or a signature is none.
    """
    if port is not None:
        _checks.integer("port", port, 1, 65535)
    data = _read(path)
    decoder = Decoder(functions, encoding=encoding)
    capture = read_capture(data)
    chosen = [datagram for datagram in capture.datagrams if _wanted(datagram, port)]
    left_out = capture.left_out + len(capture.datagrams) - len(chosen)
    frames = decoder.decode(Capture(tuple(chosen)))
    if not as_json:
        return table(frames, left_out)
    return json.dumps({"frames": [frame.as_dict() for frame in frames], **_totals(frames), "left_out": left_out})


def _read(path: str) -> bytes:
    try:
        if path == "-":
            data = stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with _checks.path("file", path).open("rb") as file:
                data = file.read(_MOST_BYTES + 1)  # a device has no end
    except OSError as error:
        raise ProgramError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > _MOST_BYTES:
        raise ProgramError(f"{path} has more than {_MOST_BYTES} bytes: cut the capture into smaller ones")
    return data


def table(frames: Sequence[DecodedFrame], left_out: int = 0) -> str:
    """A line for each frame, and one with the totals."""
    frames = _checks.listed("frames", frames, "decoded frames")
    for frame in frames:
        _checks.instance("an entry of frames", frame, DecodedFrame, "what Decoder.decode returns")
    _checks.integer("left_out", left_out, 0, None)
    times = [frame.datagram.time_ns for frame in frames if frame.datagram.time_ns is not None]
    rows = [_HEAD, *(_row(index, frame, min(times, default=0)) for index, frame in enumerate(frames))]
    used = [column for column in range(len(_HEAD)) if any(row[column] for row in rows[1:]) or column == 0]
    widths = [max(len(row[column]) for row in rows) for column in used]
    lines = [
        "  ".join(row[column].ljust(width) for column, width in zip(used, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([*lines, "", _summary(frames, left_out)])


def _wanted(datagram: Datagram, port: int | None) -> bool:
    if port is None and datagram.source:
        return has_magic(datagram.data)
    ports = (address.rpartition(":")[2] for address in (datagram.source, datagram.destination))
    return port is None or str(port) in ports


def _row(index: int, frame: DecodedFrame, begun: int) -> tuple[str, ...]:
    datagram = frame.datagram
    return (
        str(index),
        "" if datagram.time_ns is None else f"{(datagram.time_ns - begun) * 1e-9:.6f}",
        datagram.source,
        datagram.destination,
        "" if frame.frame is None else str(frame.frame.request_id),
        "" if frame.latency_ns is None else _time(frame.latency_ns),
        frame.text + (f"   ! {frame.problem}" if frame.problem else ""),
    )


def _time(nanoseconds: float) -> str:
    return f"{nanoseconds * 1e-3:.3g} us" if nanoseconds < 1e6 else f"{nanoseconds * 1e-6:.3g} ms"


def _totals(frames: Sequence[DecodedFrame]) -> dict[str, int]:
    return {
        "requests": sum(frame.kind == "request" for frame in frames),
        "responses": sum(frame.kind == "response" for frame in frames),
        "unanswered": sum(frame.kind == "request" and not frame.answered for frame in frames),
        "problems": sum(frame.problem is not None for frame in frames),
    }


def _summary(frames: Sequence[DecodedFrame], left_out: int) -> str:
    parts = [f"{number} {name}" for name, number in _totals(frames).items()]
    latencies = [frame.latency_ns for frame in frames if frame.latency_ns is not None]
    if latencies:
        parts.append(f"latency median {_time(statistics.median(latencies))}, worst {_time(max(latencies))}")
    if left_out:
        parts.append(f"{left_out} packets that are no frames left out")
    return "; ".join(parts)
