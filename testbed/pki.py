"""Keys and certificates of a throw-away control plane, and the kubeconfigs that use them."""

import datetime
import ipaddress
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = datetime.timedelta(days=365)
_CLOCK_SKEW = datetime.timedelta(hours=1)
_SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


@dataclass(frozen=True)
class KeyPair:
    """A private key and its certificate, as PEM files."""

    key: Path
    certificate: Path


class Authority:
    """A certificate authority in a directory of its own.

    Parameters
    ----------
    directory
        Where all keys and certificates are written; it is made.
    """

    def __init__(self, directory: Path, name: str = "kubernetes-ca") -> None:
        directory.mkdir()
        self._directory = directory
        self._count = itertools.count()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pair = self._write("ca", self._key, certificate)

    @property
    def certificate(self) -> Path:
        """The authority's own certificate."""
        return self.pair.certificate

    def issue_server(self, address: str, service_address: str) -> KeyPair:
        """Issue the API server's certificate, for its address and its names in the cluster."""
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in _SERVER_NAMES]
        names += [x509.IPAddress(ipaddress.ip_address(ip)) for ip in (address, service_address)]
        return self._issue(
            "kube-apiserver",
            (),
            ExtendedKeyUsageOID.SERVER_AUTH,
            x509.SubjectAlternativeName(names),
        )

    def issue_client(self, name: str, groups: Sequence[str] = ()) -> KeyPair:
        """Issue a certificate for a user of the API server, who is in the given groups."""
        return self._issue(name, groups, ExtendedKeyUsageOID.CLIENT_AUTH)

    def write_signing_key(self, name: str) -> Path:
        """Write a new private key that signs tokens; its public half is in the file too."""
        path = self._directory / f"{name}.key"
        _write_key(path, ec.generate_private_key(ec.SECP256R1()))
        return path

    def _issue(
        self,
        name: str,
        groups: Sequence[str],
        usage: x509.ObjectIdentifier,
        extension: x509.SubjectAlternativeName | None = None,
    ) -> KeyPair:
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject.append(x509.NameAttribute(NameOID.COMMON_NAME, name))
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(x509.Name(subject), key.public_key()).add_extension(
            x509.ExtendedKeyUsage([usage]), critical=False
        )
        if extension:
            builder = builder.add_extension(extension, critical=False)
        return self._write(name, key, builder.sign(self._key, hashes.SHA256()))

    def _builder(
        self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCK_SKEW)
            .not_valid_after(now + _LIFETIME)
            # Python 3.13 and later refuse certificates without the two identifiers.
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )

    def _write(
        self, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
    ) -> KeyPair:
        # Numbered: one user may have several certificates, with different groups.
        stem = f"{next(self._count):03}-{re.sub(r'[^A-Za-z0-9.-]', '_', name)}"
        pair = KeyPair(self._directory / f"{stem}.key", self._directory / f"{stem}.crt")
        _write_key(pair.key, key)
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return pair


def write_kubeconfig(path: Path, url: str, ca: Path, user: str, credentials: KeyPair | str) -> Path:
    """Write a kubeconfig for a user with a client certificate, or with a bearer token.

    Certificates are named by path, not embedded: clients write embedded ones to temporary files
    and leave them behind when they are killed.
    """
    if isinstance(credentials, KeyPair):
        identity = {
            "client-certificate": str(credentials.certificate),
            "client-key": str(credentials.key),
        }
    else:
        identity = {"token": credentials}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "testbed", "cluster": {"server": url, "certificate-authority": str(ca)}}
        ],
        "users": [{"name": user, "user": identity}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": user}}],
        "current-context": "testbed",
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,  # its public half is read from it, too
            serialization.NoEncryption(),
        )
    )
