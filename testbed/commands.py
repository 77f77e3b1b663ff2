"""Runs kubectl and helm so that nothing of the user's settings counts, and no file is left."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from testbed.errors import CommandError


def run(
    argv: Sequence[str],
    *,
    kubeconfig: Path,
    directory: Path,
    stdin: str | None,
    check: bool,
    timeout: float,
) -> subprocess.CompletedProcess[str]:
    """Run a command against a control plane.

    Parameters
    ----------
    argv
        The program and its arguments.
    kubeconfig
        Who runs it.
    directory
        Where it may keep its caches.
    stdin
        Text for its standard input, if any.
    check
        Whether a non-zero status is an error.
    timeout
        Seconds after which it is killed.

    Raises
    ------
    CommandError
        It ended with a non-zero status.
    subprocess.TimeoutExpired
        It did not end in time.
    """
    result = subprocess.run(
        argv,
        env=os.environ | environment(kubeconfig, directory),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if check and result.returncode:
        raise CommandError(result)
    return result


def environment(kubeconfig: Path, directory: Path) -> dict[str, str]:
    """Give the variables that turn kubectl and helm to a control plane, and their files to it."""
    return {
        "KUBECONFIG": str(kubeconfig),
        "KUBECACHEDIR": str(directory / "kubectl-cache"),
        "KUBERC": "off",
        "HELM_CACHE_HOME": str(directory / "helm" / "cache"),
        "HELM_CONFIG_HOME": str(directory / "helm" / "config"),
        "HELM_DATA_HOME": str(directory / "helm" / "data"),
    }
