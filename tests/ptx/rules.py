"""What the PTX of a kernel over the link must and must not contain.

A test on the CPU cannot see a wrong scope, nor a load through the cache for constant data, which may return what lay
there before. Words that cross the link need system scope; words of one device need device scope, which is cheaper.
"""

from __future__ import annotations

import dataclasses
import re

ACQUIRE_SYS = r"ld\.acquire\.sys\.global\.[bu]64"
RELAXED_SYS = r"ld\.relaxed\.sys\.global\.[bu]64"
RELEASE_SYS = r"st\.release\.sys\.global\.[bu]64"
ACQUIRE_GPU = r"ld\.acquire\.gpu\.global\.[bu]64"
RELEASE_GPU = r"st\.release\.gpu\.global\.[bu]64"
CAS_GPU = r"atom\.acquire\.gpu\.global\.cas\.b64"
COUNT_GPU = r"atom\.relaxed\.gpu\.global\.add\.u64"
LEAVE_GPU = r"atom\.acq_rel\.gpu\.global\.add\.u64"
ANY_SYS = r"\S+\.sys\b\S*"
ANY_NC = r"ld\.\S*\bnc\b\S*"
# Loads through the cache for constant data, but for those of 16 bits: see infer_restrict in device.cu.
NC_BUT_16 = r"ld\.\S*\bnc\b(?!\S*\.[bus]16\b)\S*"
# A fused product gives other bits than the host's two roundings.
FUSED = r"fma\.\S*\.f64"

# Nothing may read-modify-write at system scope, which PCIe does not promise, and no order comes from fences.
FORBIDDEN_EVERYWHERE = (r"\batom\S*\.sys\b", r"\bred\S*\.sys\b", r"\bmembar\b", r"\bfence\b")


@dataclasses.dataclass(frozen=True)
class Rule:
    """Regular expressions of instructions that a kernel must have, and must not have."""

    required: tuple[str, ...]
    forbidden: tuple[str, ...] = (ANY_NC,)


# Claim, publish, wait and look at the close words, give back or give up, with the deadline's clock.
CALL = (CAS_GPU, RELEASE_SYS, ACQUIRE_SYS, RELAXED_SYS, RELEASE_GPU, "globaltimer")
LATCH = (CAS_GPU, ACQUIRE_SYS, RELEASE_SYS, RELEASE_GPU, COUNT_GPU)

PORTABLE_CU: dict[str, Rule] = {
    "probe_submit": Rule((RELEASE_SYS,), (ANY_NC, RELEASE_GPU)),
    "probe_poll": Rule((ACQUIRE_SYS,)),
    "probe_wait": Rule((ACQUIRE_SYS, "globaltimer", "nanosleep")),
    "probe_claim": Rule((CAS_GPU, ACQUIRE_SYS), (ANY_NC, RELEASE_SYS)),
    "probe_release": Rule((RELEASE_GPU,), (ANY_NC, RELEASE_SYS)),
    "probe_reap": Rule((CAS_GPU, RELEASE_GPU, ACQUIRE_SYS), (ANY_NC, RELEASE_SYS)),
    "probe_close": Rule((RELEASE_SYS,), (ANY_NC, RELEASE_GPU)),
    "probe_reread": Rule((ACQUIRE_SYS,)),
    "probe_serve": Rule((ACQUIRE_SYS, RELEASE_SYS), (ANY_NC, CAS_GPU)),
    # The control: here the compiler does use the cache for constant data, and these rules must see it.
    "probe_control": Rule((ANY_NC,), ()),
}
DEVICE_CU: dict[str, Rule] = {
    "infer_thread": Rule((*CALL, COUNT_GPU)),
    "infer_warp": Rule((*CALL, COUNT_GPU, "shfl")),
    "infer_block": Rule((*CALL, COUNT_GPU, r"bar(rier)?(\.cta)?\.sync|barrier\.sync")),
    "infer_restrict": Rule((*CALL, ANY_NC), (NC_BUT_16,)),
    "infer_batch": Rule((*CALL, *LATCH, ACQUIRE_GPU, LEAVE_GPU)),
    "submit_batch": Rule((CAS_GPU, RELEASE_SYS, RELEASE_GPU, *LATCH, "globaltimer")),
    "collect_batch": Rule((ACQUIRE_SYS, RELAXED_SYS, RELEASE_GPU, *LATCH, "globaltimer")),
    "take_launch_ids": Rule((COUNT_GPU, RELEASE_GPU, ACQUIRE_GPU, LEAVE_GPU), (ANY_NC, ANY_SYS)),
    "latch": Rule(LATCH),
    "encode": Rule((r"mul\.rn\.f64",), (ANY_SYS, FUSED)),
}


def kernels_of(ptx: str) -> dict[str, str]:
    """Splits PTX into kernel name -> text up to the next kernel."""
    parts = re.split(r"\.visible \.entry (\w+)\(", ptx)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def complaints(ptx: str, rules: dict[str, Rule]) -> list[str]:
    """Returns every disagreement between the kernels of `ptx` and their rules; each kernel must have one."""
    kernels = kernels_of(ptx)
    found = [f"{name}: kernel is missing" for name in rules if name not in kernels]
    found += [f"{name}: nothing is expected of this kernel" for name in kernels if name not in rules]
    for name in rules.keys() & kernels.keys():
        body = kernels[name]
        found += [
            f"{name}: no instruction matches {rule}" for rule in rules[name].required if not re.search(rule, body)
        ]
        forbidden = (*rules[name].forbidden, *FORBIDDEN_EVERYWHERE)
        hits = {match.group(0) for rule in forbidden for match in re.finditer(rule, body)}
        found += [f"{name}: must not contain {hit}" for hit in sorted(hits)]
        if re.search(r"\bcall\b", body):
            found.append(f"{name}: calls a function, whose instructions these rules do not see")
    return found
