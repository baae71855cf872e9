"""HTTP to Quandela's cloud: Perceval's own handler, made to wait no longer than told and to try again what may be."""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from photonlink.errors import TargetUnavailable, Unavailable

__all__ = ["connect", "scrubbed"]

_TRANSIENT = (429, 500, 502, 503, 504)
_REFUSED = (429, 503)  # says that nothing was taken in: safe to send again
_TRIES = 4
_BACKOFF_SECONDS = 0.2  # 0.2, 0.4, .. between tries


def scrubbed(error: object, token: str) -> str:
    """The text of an error without the token, should it be in there."""
    return str(error).replace(token, "<token>")


def _session(retry: Retry) -> requests.Session:
    session = requests.Session()
    session.mount("https://", HTTPAdapter(max_retries=retry))
    session.mount("http://", HTTPAdapter(max_retries=retry))
    return session


def _asking() -> requests.Session:
    """Questions may be repeated as they like."""
    retry = Retry(
        total=_TRIES,
        backoff_factor=_BACKOFF_SECONDS,
        status_forcelist=_TRANSIENT,
        allowed_methods={"GET"},
        raise_on_status=False,
        respect_retry_after_header=False,  # it may ask for hours
    )
    return _session(retry)


def _sending() -> requests.Session:
    """A job is sent again only if it was certainly not taken in: it would run, and cost, twice."""
    retry = Retry(
        total=_TRIES,
        read=0,
        other=0,
        backoff_factor=_BACKOFF_SECONDS,
        status_forcelist=_REFUSED,
        allowed_methods={"POST"},
        raise_on_status=False,
        respect_retry_after_header=False,
    )
    return _session(retry)


def connect(platform: str, token: str, url: str | None, timeout: float) -> tuple[Handler, dict[str, Any]]:
    """Ask a platform for its details.

    Args:
        platform: Its name.
        token: Access token.
        url: Of the cloud, or ``None`` for Perceval's setting.
        timeout: Seconds that one answer may take.

    Returns:
        A handler for ``perceval.RemoteProcessor``, and what the platform says of itself.

    Raises:
        TargetUnavailable: No answer (``UNREACHABLE``), the token is refused (``NO_TOKEN``), no such platform
            (``UNKNOWN``), or an answer that is none of a platform (``UNSUPPORTED``).
    """
    target = f"quandela:{platform}"
    rpc = _rpc_class()(platform, url or default_url(), token)
    rpc.request_timeout = timeout
    try:
        details = rpc.fetch_platform_details()
    except requests.HTTPError as error:
        code = 0 if error.response is None else error.response.status_code
        raise _unavailable(target, code, scrubbed(error, token)) from None
    except requests.RequestException as error:
        raise TargetUnavailable(
            f"Quandela's cloud at {rpc.url} cannot be reached: {scrubbed(error, token)}; check network and proxies",
            reason=Unavailable.UNREACHABLE,
            target=target,
        ) from None
    except (AttributeError, TypeError, KeyError):  # Perceval looks into what it takes for specifications
        details = None
    if not isinstance(details, dict) or not isinstance(details.get("specs"), dict):
        raise TargetUnavailable(
            f"{rpc.url} does not answer as Quandela's cloud does: no specifications of {platform!r}",
            reason=Unavailable.UNSUPPORTED,
            target=target,
        )
    return Handler(rpc, details), details


def _unavailable(target: str, code: int, text: str) -> TargetUnavailable:
    if code in (401, 403):
        return TargetUnavailable(
            f"Quandela's cloud refuses the token for {target!r}: {text}; make a new one, or ask for access",
            reason=Unavailable.NO_TOKEN,
            target=target,
        )
    if code == 404:
        return TargetUnavailable(
            f"Quandela's cloud knows no platform of the name in {target!r}: {text}",
            reason=Unavailable.UNKNOWN,
            target=target,
        )
    return TargetUnavailable(
        f"Quandela's cloud gives no details of {target!r}: {text}; try again later",
        reason=Unavailable.UNREACHABLE,
        target=target,
    )


def default_url() -> str:
    """Where Perceval is set to look for the cloud."""
    try:
        from perceval.providers.quandela.remote_config import RemoteConfig
    except ImportError:  # before Perceval 1.3
        from perceval.runtime.remote_config import RemoteConfig
    return str(RemoteConfig().get_url())


class Handler:
    """What Perceval speaks to the cloud through: requests as ours, and a platform that has been asked already.

    It only looks like Perceval's own handler: one of that type is replaced by Perceval (1.3) with another that knows
    neither our limits nor our tries, and asks for the details of the platform again.

    Args:
        rpc: Perceval's handler, which all else goes to.
        details: What the platform says of itself.
    """

    def __init__(self, rpc: Any, details: dict[str, Any]) -> None:
        self._rpc = rpc
        self._details = details

    def __repr__(self) -> str:
        return f"<cloud handler of {self.name!r} at {self.url}>"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rpc, name)

    def fetch_platform_details(self) -> dict[str, Any]:
        """What the platform said when it was asked first."""
        return self._details


def _rpc_class() -> Any:
    try:
        from perceval.providers.quandela.rpc_handler import RPCHandler
    except ImportError:  # before Perceval 1.3
        from perceval.runtime.rpc_handler import RPCHandler

    class Rpc(RPCHandler):  # type: ignore[misc]
        """Perceval's handler with tries and limits of its own."""

        def __init__(self, name: str, url: str, token: str) -> None:
            super().__init__(name, url, token)
            self._asking = _asking()
            self._sending = _sending()

        def get_request(self, endpoint: str) -> Any:
            answer = self._asking.get(
                endpoint, headers=self.headers, timeout=self.request_timeout, proxies=self.proxies
            )
            return _accepted(answer)

        def post_request(self, endpoint: str, payload: Any, *_: Any) -> Any:
            answer = self._sending.post(
                endpoint, headers=self.headers, json=payload, timeout=self.request_timeout, proxies=self.proxies
            )
            return _accepted(answer, if_empty={})  # a cancelled job has nothing to say

        def close(self) -> None:
            """Close the connections."""
            self._asking.close()
            self._sending.close()

    return Rpc


def _accepted(answer: requests.Response, *, if_empty: Any = None) -> Any:
    """What was answered, unless it is a refusal; nothing at all only where it stands for something."""
    if not answer.ok:
        reason = f"{answer.status_code} {answer.reason}: {answer.text[:500]}"
        raise requests.HTTPError(f"{answer.url} answered {reason}", response=answer)
    if if_empty is not None and not answer.content:
        return if_empty
    try:
        return answer.json()
    except ValueError:
        raise requests.HTTPError(f"{answer.url} answered with no JSON", response=answer) from None
