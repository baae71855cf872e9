"""What estimators on a target have in common: a session that can stay open, and copies that do without it."""

from __future__ import annotations

import copy
from typing import Any, Self

from photonlink.info import SessionInfo, Usage
from photonlink.learn._sessions import Keeper, portable
from photonlink.session import Session

__all__ = ["OnTarget"]


class OnTarget:
    """Mixin, in front of scikit-learn's ``BaseEstimator``, of estimators with a parameter ``target``.

    Each call reserves a session and releases it, unless the estimator is used in a ``with`` statement, which keeps one
    open, or its target is an open session. Copies and pickles leave sessions behind and keep the target's name; clones
    share a given session.
    """

    target: Any  # a Target, or None

    @property
    def _keeper(self) -> Keeper:
        keeper: Keeper = self.__dict__.setdefault("_lender", Keeper(keep=False))
        return keeper

    @property
    def usage(self) -> Usage | None:
        """What the last session used so far; None before, and without sessions."""
        return self._keeper.usage

    @property
    def info(self) -> SessionInfo | None:
        """What the last session ran on; likewise."""
        return self._keeper.info

    def __enter__(self) -> Self:
        self.close()
        self.__dict__["_lender"] = Keeper(keep=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session that a ``with`` statement keeps open. May be repeated."""
        self._keeper.end()

    def __getstate__(self) -> dict[str, Any]:
        own: Any = super().__getstate__()  # BaseEstimator's
        state = dict(own)
        state.pop("_lender", None)
        if self.target is not None:
            state["target"] = portable(self.target)
        return state

    def __sklearn_clone__(self) -> Any:
        if not isinstance(self.target, Session):
            return super().__sklearn_clone__()  # type: ignore[misc]  # BaseEstimator's
        twin = copy.copy(self).__sklearn_clone__()  # a copy names the target
        twin.target = self.target
        return twin
