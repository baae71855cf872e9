"""Arguments of the target ``photonlink``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from photonlink._checks import integer
from photonlink.cudaq.arguments import Argument, checked, choice
from photonlink.noise import Detectors, Noise
from photonlink.presets import preset, presets
from photonlink.program import Precision
from photonlink.reservation import Clock

__all__ = ["ARGUMENTS", "Method", "Options", "checked_with_chip", "parse"]

Method = Literal["auto", "fock", "dual_rail_vector"]


@dataclass(frozen=True, slots=True)
class Options:
    """Checked arguments; :data:`ARGUMENTS` says what they mean."""

    qsc: str
    noise: Noise | None
    detectors: Detectors
    method: Method
    precision: Precision
    seed: int | None
    clock: Clock | None
    preset: str | None


def parse(given: Mapping[str, Any]) -> Options:
    """The options that arguments of ``cudaq.set_target("photonlink", ...)`` mean.

    Raises:
        ProgramError: One is unknown, or of a wrong type or value; the message lists the valid ones.
    """
    values = checked_with_chip("photonlink", ARGUMENTS, given)
    del values["encoding"]  # there is one; the argument keeps programs valid when there are more
    return Options(**values)


def checked_with_chip(target: str, known: Mapping[str, Argument], given: Mapping[str, Any]) -> dict[str, Any]:
    """As :func:`photonlink.cudaq.arguments.checked`; a chip's noise comes with that chip's clock, unless one is given.

    Raises:
        ProgramError: One is unknown, missing, or of a wrong type or value; the message lists the valid ones.
    """
    values = checked(target, known, given)
    named = given.get("noise")
    if values["preset"] is None and isinstance(named, str):
        values["preset"] = named
    return values


def _target(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _noise(value: Any) -> Noise | None:
    if value is None or isinstance(value, Noise):
        return value
    return Noise.preset(value) if isinstance(value, str) else Noise.from_perceval(value)


def _preset(value: Any) -> str | None:
    return None if value is None else preset(value).name


def _seed(value: Any) -> int | None:
    return None if value is None else integer("seed", value, 0, 2**64 - 1)


_NAMES = ", ".join(repr(one.name) for one in presets())
_CHIPS = ", ".join(repr(one.name) for one in presets() if one.transmittance is not None)

ARGUMENTS: Mapping[str, Argument] = {
    "qsc": Argument("name of a target of photonlink.reserve, such as 'sim' or 'qsc://host:port'", _target, "sim"),
    "encoding": Argument("'dual_rail'", choice("dual_rail"), "dual_rail"),
    "noise": Argument(f"a photonlink.Noise, a perceval.NoiseModel, {_CHIPS} or None", _noise, None),
    "detectors": Argument("'pnr' or 'threshold'", choice("pnr", "threshold"), "pnr"),
    "method": Argument(
        "'fock' (photons), 'dual_rail_vector' (qubits) or 'auto'", choice("auto", "fock", "dual_rail_vector"), "auto"
    ),
    "precision": Argument("'float64' or 'float32'", choice("float64", "float32"), "float64"),
    "seed": Argument("an integer from 0 to 2**64 - 1, or None for that of cudaq.set_random_seed", _seed, None),
    "clock": Argument(
        "'virtual', 'realtime', 'none' or None for the controller's own",
        choice("virtual", "realtime", "none", None),
        None,
    ),
    "preset": Argument(f"timing figures: {_NAMES}, or None for those of the noise or the controller", _preset, None),
}
