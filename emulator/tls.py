"""A certificate authority for one day and for this machine alone.

It is constrained to loopback and the names that the emulator was started with, and its key is
forgotten as soon as the one certificate is signed: whoever trusts it trusts nothing else by it.
"""

import ipaddress
import os
import ssl
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY = "proself-mail embedded tenant, authority for one day"
_LIFETIME = timedelta(days=1)
_CLOCK_SKEW = timedelta(minutes=5)


class CertificateName(StrEnum):
    """The certificates that can be served: the right one, and wrong ones for clients to refuse."""

    GOOD = "good"
    OTHER_NAME = "other-name"
    """Of the same authority, for a name that nobody asked for."""
    EXPIRED = "expired"
    UNTRUSTED = "untrusted"
    """Of an authority that nobody trusts."""


class Identity:
    """The server's certificates, ready for use, and the authority's, for clients to trust."""

    def __init__(self, hostnames: Sequence[str], proself: Sequence[str]) -> None:
        """Make them for the names of the tenant and of Proself's servers."""
        now = datetime.now(UTC)
        authority = _Authority([*hostnames, *proself], now)
        names = _loopback_names(hostnames)
        self.authority_pem = authority.certificate.public_bytes(Encoding.PEM)
        self._contexts = {
            CertificateName.GOOD: authority.context(names, now),
            CertificateName.OTHER_NAME: authority.context([x509.DNSName("other.localhost")], now),
            CertificateName.EXPIRED: authority.context(names, now - 2 * _LIFETIME),
            CertificateName.UNTRUSTED: _Authority(hostnames, now).context(names, now),
        }
        self.proself = authority.context([x509.DNSName(name) for name in proself], now)
        """Serves with a certificate for Proself's names alone."""

    def server_context(self, name: CertificateName = CertificateName.GOOD) -> ssl.SSLContext:
        """Return a context that serves TLS 1.2 and later with one of the certificates."""
        return self._contexts[name]

    def client_context(self) -> ssl.SSLContext:
        """Return a context that trusts this authority and no other."""
        return ssl.create_default_context(cadata=self.authority_pem.decode())

    def bundle(self) -> bytes:
        """PEM of this authority and of those that the system trusts anyway.

        Clients read one file instead of the system's (SSL_CERT_FILE), and must not lose the rest of
        the world by it.
        """
        return self.authority_pem + system_roots()


def is_bundle(content: bytes) -> bool:
    """Say whether PEM begins with an authority as an `Identity` makes one."""
    try:
        first = x509.load_pem_x509_certificate(content)
    except ValueError:
        return False
    return first.subject == _name(_AUTHORITY)


def system_roots() -> bytes:
    """PEM of the certificates that the system trusts; Mozilla's where it keeps no file of them."""
    path = ssl.get_default_verify_paths().cafile
    if path:
        return Path(path).read_bytes()
    # Windows keeps a store instead of a file, and macOS' Python may have neither.
    roots = ssl.create_default_context().get_ca_certs(binary_form=True)
    if roots:
        return "".join(ssl.DER_cert_to_PEM_cert(root) for root in roots).encode()
    return Path(certifi.where()).read_bytes()


class _Authority:
    """One authority, which lives as long as it takes to sign what it is asked for."""

    def __init__(self, hostnames: Sequence[str], now: datetime) -> None:
        name = _name(_AUTHORITY)
        allowed: list[x509.GeneralName] = [
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_network("127.0.0.0/8")),
            x509.IPAddress(ipaddress.ip_network("::1/128")),
            *(x509.DNSName(host) for host in hostnames if not _is_known_loopback(host)),
        ]
        key = self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = (
            _builder(name, name, key, now)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(key_cert_sign=True), critical=True)
            .add_extension(x509.NameConstraints(allowed, None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA256())
        )

    def context(self, names: list[x509.GeneralName], now: datetime) -> ssl.SSLContext:
        """Make a certificate for these names, good for a day from `now`, and a context with it."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(_name("proself-mail embedded tenant"), self.certificate.subject, key, now)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        chain = certificate.public_bytes(Encoding.PEM)
        return _context(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), chain)


def _context(key: bytes, chain: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The ssl module loads keys from files only; this one is private and gone at once.
    descriptor, path = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key + chain)
        context.load_cert_chain(path)
    finally:
        Path(path).unlink()
    return context


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _LIFETIME)
    )


def _loopback_names(hostnames: Sequence[str]) -> list[x509.GeneralName]:
    names = dict.fromkeys(["localhost", "127.0.0.1", "::1", *hostnames])
    return [
        x509.IPAddress(ipaddress.ip_address(name)) if _is_address(name) else x509.DNSName(name)
        for name in names
    ]


def _is_known_loopback(host: str) -> bool:
    """Whether the constraint to loopback lets a name in: addresses, and names below localhost."""
    return _is_address(host) or host.endswith(".localhost")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
