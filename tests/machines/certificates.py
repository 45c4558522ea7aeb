"""Certificates of a test's own, for servers of its own that end TLS."""

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Authority:
    """A private certificate authority of the test, and a server's certificate of it."""

    def __init__(self, directory: Path, server_name: str) -> None:
        self.key, self.name = ec.generate_private_key(ec.SECP256R1()), named("Private authority")
        self.certificates = directory / "ca.pem"
        own = self._signed(self.name, self.key, x509.BasicConstraints(ca=True, path_length=None))
        self.certificates.write_bytes(own.public_bytes(Encoding.PEM))
        server_key = ec.generate_private_key(ec.SECP256R1())
        alternative = x509.SubjectAlternativeName([x509.DNSName(server_name)])
        server = self._signed(named(server_name), server_key, alternative)
        pem = server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.server = directory / "server.pem"
        self.server.write_bytes(pem + server.public_bytes(Encoding.PEM))

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(extension, critical=False)
        )
        return builder.sign(self.key, hashes.SHA256())


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
