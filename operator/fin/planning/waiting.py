"""What requests that arrive at random wait for each other."""


def poisson_waiting(utilisation: float) -> float:
    """Return the mean time in a segment over its time on an idle server, at most.

    A segment is taken for a queue with one server and a service time S that does not vary. By
    Pollaczek and Khinchine (Kleinrock, Queueing Systems I, 1975, section 5.6) the mean wait is
    S load / (2 (1 - load)), which grows with the load. No reservation is loaded by more than
    ``utilisation`` (rho), so that 1 + rho / (2 (1 - rho)) holds for each, whatever is reserved in
    the end: the latency stays linear in the work, and the certificate one of this latency.

    Parameters
    ----------
    utilisation
        Share of a reservation that load may fill (rho), from 0 to below 1.
    """
    return 1.0 + utilisation / (2.0 * (1.0 - utilisation))
