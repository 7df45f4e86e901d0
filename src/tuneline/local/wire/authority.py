"""A certificate authority of the service's own, made on first use and never installed anywhere.

Clients trust it by environment variables alone (`redirect.py`). Its key is in the data folder, readable by the user
only. One leaf certificate a host is made on demand, since no wildcard covers every host of Google's
(`aiplatform.us.rep.googleapis.com`, `us-kfp.pkg.dev`).
"""

from __future__ import annotations

import fcntl
import os
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

LIFETIME = timedelta(days=3650)
LEAF_LIFETIME = timedelta(days=365)
"""Some clients refuse leaves of more than 398 days."""
LOCAL = "localhost"


class Authority:
    """The CA in `folder` and the TLS contexts made with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificate = folder / "ca.pem"
        self._contexts: dict[str, ssl.SSLContext] = {}

    def ensure(self) -> Path:
        """The path of the CA's certificate, made if it is not there."""
        if not self.certificate.exists():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (self.folder / "lock").open("w") as lock:
                # The service and a command that prints the environment may both be the first.
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not self.certificate.exists():
                    _make_authority(self.folder / "ca.key", self.certificate)
        return self.certificate

    def context(self, host: str) -> ssl.SSLContext:
        """What serves TLS for a host: a leaf of its own, HTTP/2 and HTTP/1.1 offered."""
        host = host.lower()
        found = self._contexts.get(host)
        if found is None:
            self.ensure()
            found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            found.set_alpn_protocols(["h2", "http/1.1"])
            found.minimum_version = ssl.TLSVersion.TLSv1_2
            # ssl reads certificates from files only; this one lives as long as the call.
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".pem") as leaf:
                leaf.write(_make_leaf(self.folder / "ca.key", self.certificate, host))
                leaf.flush()
                found.load_cert_chain(leaf.name)
            self._contexts[host] = found
        return found

    def local_context(self, accepts: Any) -> ssl.SSLContext:
        """TLS for a connection straight to the port: the leaf follows the name the client asks for, if accepted."""
        context = self.context(LOCAL)

        def choose(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
            if name and name != LOCAL and accepts(name):
                connection.context = self.context(name)

        context.sni_callback = choose
        return context


def _make_authority(key_path: Path, certificate_path: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("tuneline local Vertex AI (this machine only)")
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(name, name, key.public_key(), LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(key_path, secret, 0o600)
    _write(certificate_path, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _make_leaf(key_path: Path, certificate_path: Path, host: str) -> bytes:
    """Certificate and key of a leaf, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    authority = x509.load_pem_x509_certificate(certificate_path.read_bytes())
    signer = serialization.load_pem_private_key(key_path.read_bytes(), None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{key_path} is not the key that this service made")
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [x509.DNSName(host)]
    if host == LOCAL:
        names.append(x509.IPAddress(ip_address("127.0.0.1")))
    certificate = (
        _builder(_name(host[:64]), authority.subject, key.public_key(), LEAF_LIFETIME)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + secret


def _name(text: str) -> Any:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject: Any, issuer: Any, public_key: Any, lifetime: timedelta) -> Any:
    from cryptography import x509

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + lifetime)
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    temporary = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
