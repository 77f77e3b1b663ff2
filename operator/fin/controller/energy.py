"""The modelled energy of each app so far: power over the time in which it serves."""

from collections.abc import Callable, Collection, Iterable, Mapping

from fin.cluster.revision import Share
from fin.controller.report import AppReport
from fin.planning.problem import AppKey


class EnergyMeter:
    """Integrates power over time, share by share; forgets apps that are gone.

    ``clock`` gives seconds.
    """

    Reading = Mapping[AppKey, Mapping[Share, float]]

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._joules: dict[AppKey, dict[Share, float]] = {}
        self._watts: dict[AppKey, dict[Share, float]] = {}
        self._at = clock()

    def run(self, apps: Iterable[AppReport], known: Collection[AppKey]) -> None:
        """Note what apps take from now on, and forget all that are not known any more.

        A share that an app had stays, and stands still.
        """
        self._advance()
        self._watts = {
            (app.namespace, app.name): {
                share: app.rate * joules if app.ready else 0.0
                for share, joules in app.energy.items()
            }
            for app in apps
        }
        self._joules = {key: shares for key, shares in self._joules.items() if key in known}
        for key, watts in self._watts.items():
            shares = self._joules.setdefault(key, {})
            for share in watts:
                shares.setdefault(share, 0.0)

    def read(self) -> "EnergyMeter.Reading":
        """Joules of each app so far."""
        self._advance()
        return {key: dict(shares) for key, shares in self._joules.items()}

    def _advance(self) -> None:
        now = self._clock()
        seconds, self._at = now - self._at, now
        for key, watts in self._watts.items():
            for share, power in watts.items():
                self._joules[key][share] += power * seconds
