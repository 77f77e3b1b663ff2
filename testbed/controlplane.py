"""A whole control plane as a context manager."""

import itertools
import re
import ssl
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

from kubernetes.client import ApiClient, ApiException, Configuration, CoreV1Api
from kubernetes.config import load_kube_config
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from testbed import commands, components, kwok
from testbed.binaries import ensure
from testbed.components import ADDRESS, SERVICE_ADDRESS, Credentials, Ports
from testbed.errors import TestbedError, TestbedTimeoutError
from testbed.pki import Authority, KeyPair, write_kubeconfig
from testbed.ports import free_ports
from testbed.process import ProcessGroup, wait_for
from testbed.progress import Reporter

_PREFIX = "fin-testbed-"
_START_TIMEOUT = 90.0
_ATTEMPTS = 3


class _PortTakenError(TestbedError):
    """Another process was quicker to use a port that had been free."""


class ControlPlane:
    """etcd, API server, controller manager, scheduler and kwok on free loopback ports.

    ```python
    with ControlPlane() as cp:
        cp.kwok.create_node("edge-0", cpu="4", memory="8Gi")
        cp.kubectl("get", "nodes")
    ```

    Start-up takes seconds. Several can run at once. When the context ends, or this process ends or
    is killed, all processes are killed and the directory with all files is removed.

    Parameters
    ----------
    address
        Where the API server listens; by default on loopback.
    kwok
        Whether kwok plays nodes.
    fast_node_loss
        Notice a lost node after 8 s instead of 50 s, and evict its pods 5 s later instead of 300 s.
    reporter
        Is told about downloads and builds of missing programs.

    Raises
    ------
    TestbedError
        On entering: a program is missing and can't be had, or a component did not start; the text
        ends with the component's log.
    """

    kubeconfig: Path
    """Kubeconfig of an administrator (group `system:masters`)."""
    url: str
    """The API server's URL, such as `https://127.0.0.1:12345`."""
    ca: Path
    """The certificate of the authority that signed the API server's."""
    directory: Path
    """The temporary directory; free to be used for files that shall go with the testbed."""
    core: CoreV1Api
    """Client of the core API, as the administrator."""
    kwok: kwok.Kwok
    """The nodes."""
    processes: ProcessGroup
    """Starts further processes that go with the testbed, such as the operator."""

    def __init__(
        self,
        *,
        address: str = ADDRESS,
        kwok: bool = True,
        fast_node_loss: bool = False,
        reporter: Reporter | None = None,
    ) -> None:
        self._address, self._with_kwok = address, kwok
        self._fast_node_loss = fast_node_loss
        self._reporter = reporter
        self._kubeconfigs = itertools.count()
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        self._programs = ensure(reporter=self._reporter)
        attempts = Retrying(
            retry=retry_if_exception_type(_PortTakenError),
            stop=stop_after_attempt(_ATTEMPTS),
            reraise=True,
        )
        attempts(self._start_or_clean_up)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._cleanup.close()

    def make_client(self, kubeconfig: Path | None = None) -> ApiClient:
        """Make a client of the API, as the administrator or with another kubeconfig."""
        configuration = Configuration()
        configuration.retries = False  # a request to a stopped API server fails at once
        configuration.proxy = None  # one that the user's environment names is not for loopback
        load_kube_config(str(kubeconfig or self.kubeconfig), client_configuration=configuration)
        return ApiClient(configuration)

    def kubectl(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002 - as subprocess.run calls it
        check: bool = True,
        kubeconfig: Path | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl, as the administrator or with another kubeconfig.

        Parameters
        ----------
        args
            Arguments of kubectl.
        input
            Its standard input, for `-f -`.
        check
            Whether a non-zero status is an error.
        kubeconfig
            Who runs it; the administrator by default.
        timeout
            Seconds after which it is killed.

        Raises
        ------
        CommandError
            It ended with a non-zero status.
        subprocess.TimeoutExpired
            It did not end in time.
        """
        return self._run("kubectl", args, input, kubeconfig, check=check, timeout=timeout)

    def helm(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002 - as subprocess.run calls it
        check: bool = True,
        kubeconfig: Path | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run helm; parameters and errors as those of `kubectl`."""
        return self._run("helm", args, input, kubeconfig, check=check, timeout=timeout)

    @property
    def kubectl_path(self) -> Path:
        """The kubectl that fits the API server."""
        return self._programs["kubectl"].path

    def kubeconfig_for_user(self, name: str, groups: Sequence[str] = ()) -> Path:
        """Write a kubeconfig for a user with a client certificate; RBAC knows name and groups."""
        pair = self._authority.issue_client(name, groups)
        return self._write_kubeconfig(name, pair)

    def kubeconfig_for_service_account(self, namespace: str, name: str) -> Path:
        """Write a kubeconfig for a ServiceAccount that exists, with a token for a day."""
        token = self.kubectl("create", "token", name, "-n", namespace, "--duration=24h")
        return self._write_kubeconfig(f"{namespace}.{name}", token.stdout.strip())

    def restart_apiserver(self) -> None:
        """Kill the API server, start it again on the same port, and wait until it is ready."""
        self.stop_apiserver()
        self.start_apiserver()

    def stop_apiserver(self) -> None:
        """Kill the API server; nothing that it stored is lost."""
        self.processes.stop("kube-apiserver")

    def start_apiserver(self) -> None:
        """Start the API server after `stop_apiserver`, and wait until it is ready."""
        self.processes.start("kube-apiserver", self._api_server_argv)
        self._await("kube-apiserver", self._is_ready)

    def _run(
        self,
        program: str,
        args: Sequence[str],
        stdin: str | None,
        kubeconfig: Path | None,
        *,
        check: bool,
        timeout: float,
    ) -> subprocess.CompletedProcess[str]:
        return commands.run(
            [str(self._programs[program].path), *args],
            kubeconfig=kubeconfig or self.kubeconfig,
            directory=self.directory,
            stdin=stdin,
            check=check,
            timeout=timeout,
        )

    def _start_or_clean_up(self) -> None:
        try:
            self._start()
        except BaseException:
            self._cleanup.close()
            raise

    def _start(self) -> None:
        (port,) = free_ports(self._address, 1)
        etcd, etcd_peer = free_ports(ADDRESS, 2)
        ports = Ports(etcd, etcd_peer, port)
        self.url = f"https://{self._address}:{ports.api_server}"
        self.processes = self._cleanup.enter_context(closing(ProcessGroup(_PREFIX)))
        self.directory = self.processes.directory
        self.processes.start("etcd", components.etcd(self._programs, ports, self.directory))
        credentials = self._make_credentials()
        self._api_server_argv = components.api_server(
            self._programs,
            self._address,
            ports,
            credentials,
            fast_eviction=self._fast_node_loss,
        )
        self.start_apiserver()
        fast = self._fast_node_loss
        components_of = {
            "kube-controller-manager": components.controller_manager(
                self._programs, credentials, fast_node_loss=fast
            ),
            "kube-scheduler": components.scheduler(self._programs, credentials),
        }
        if self._with_kwok:
            program = self._programs["kwok"].path
            components_of["kwok"] = kwok.command(program, self.kubeconfig, fast_node_loss=fast)
        for name, argv in components_of.items():
            self.processes.start(name, argv)
        client = self._cleanup.enter_context(self.make_client())
        self.core = CoreV1Api(client)
        self.kwok = kwok.Kwok(self.core)
        self._await("kube-controller-manager", self._has_service_account)

    def _make_credentials(self) -> Credentials:
        pki = self.directory / "pki"
        self._authority = Authority(pki)
        # Proxies that the user's environment names are not for loopback.
        tls = ssl.create_default_context(cafile=self._authority.certificate)
        self._opener = build_opener(ProxyHandler({}), HTTPSHandler(context=tls))
        front_proxy = Authority(self.directory / "front-proxy-pki", "front-proxy-ca")
        self.ca = self._authority.certificate
        self.kubeconfig = self.kubeconfig_for_user("admin", ["system:masters"])
        return Credentials(
            ca=self._authority.pair,
            server=self._authority.issue_server(self._address, SERVICE_ADDRESS),
            kubelet_client=self._authority.issue_client("kubelet-client", ["system:masters"]),
            front_proxy_ca=front_proxy.certificate,
            front_proxy=front_proxy.issue_client("front-proxy-client"),
            service_account_key=self._authority.write_signing_key("service-account"),
            controller_manager=self.kubeconfig_for_user("system:kube-controller-manager"),
            scheduler=self.kubeconfig_for_user("system:kube-scheduler"),
        )

    def _write_kubeconfig(self, user: str, credentials: KeyPair | str) -> Path:
        directory = self.directory / "kubeconfigs"
        directory.mkdir(exist_ok=True)
        stem = re.sub(r"[^A-Za-z0-9.-]", "_", user)
        path = directory / f"{next(self._kubeconfigs):03}-{stem}.yaml"
        return write_kubeconfig(path, self.url, self.ca, user, credentials)

    def _await(self, component: str, condition: Callable[[], bool]) -> None:
        """Wait for a condition that a component brings about, for as long as it runs."""

        def holds() -> bool:
            self._check_running(component)
            return condition()

        try:
            wait_for(holds, _START_TIMEOUT, f"{component} to be ready")
        except TestbedTimeoutError as error:
            raise TestbedTimeoutError(f"{error}; {self._log_of(component)}") from error

    def _check_running(self, component: str) -> None:
        status = self.processes.status(component)
        if status is not None:
            log = self._log_of(component)
            kind = _PortTakenError if "address already in use" in log else TestbedError
            raise kind(f"{component} ended with status {status}; {log}")

    def _log_of(self, component: str) -> str:
        return f"its log ends with:\n{self.processes.log_tail(component)}"

    def _is_ready(self) -> bool:
        self._check_running("etcd")
        try:
            with self._opener.open(f"{self.url}/readyz", timeout=5):
                return True
        except OSError:  # not there yet, or 500 for as long as something is not ready
            return False

    def _has_service_account(self) -> bool:
        """Tell whether pods can be made in the default namespace: the last thing to come up."""
        try:
            self.core.read_namespaced_service_account("default", "default")
        except ApiException as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return False
        return True
