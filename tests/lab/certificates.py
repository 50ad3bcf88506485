"""A certificate for names that are not ours, and the one authority that vouches for it.

Made anew for a test and trusted by nobody but the Home Assistant of that test.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIFETIME = timedelta(days=1)


def make(names: Sequence[str], folder: Path) -> tuple[Path, Path]:
    """Return the files of the authority, and of certificate and key for `names`."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    authority = _signed("The lab's authority", authority_key, authority_key)
    certificate = _signed(names[0], key, authority_key, names=names)
    authority_file = folder / "authority.pem"
    authority_file.write_bytes(_pem(authority))
    certificate_file = folder / "certificate.pem"
    certificate_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + _pem(certificate)
    )
    return authority_file, certificate_file


def _signed(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    authority_key: ec.EllipticCurvePrivateKey,
    *,
    names: Sequence[str] = (),
) -> x509.Certificate:
    """Return a certificate; without `names` the authority's own."""
    now = datetime.now(UTC)
    common_name = NameOID.COMMON_NAME
    issuer = x509.Name([x509.NameAttribute(common_name, "The lab's authority")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(common_name, subject)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - LIFETIME)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(not names, None), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(
                authority_key.public_key()
            ),
            critical=False,
        )
        .add_extension(_usage(is_authority=not names), critical=True)
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(it) for it in names])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(authority_key, hashes.SHA256())


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
