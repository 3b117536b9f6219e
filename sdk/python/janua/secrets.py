"""Signatures, and values that are sealed for the client to keep, with secrets that the policy never
sees. For the world ``policy-with-secrets``.

Each secret must be declared: ``uses = [uses.secret("session")]``. Texts are signed and sealed as
UTF-8. What the gateway refuses is a ``CallError``.
"""

from wit_world.imports import seal as _seal
from wit_world.imports import signatures as _signatures

from janua._calls import CallError, call, encoded  # noqa: F401: for authors

Validity = _signatures.Validity


def verify(secret, algorithm, message, signature, key_id=None):
    """Whether a signature is valid: ``Validity.VALID``, ``INVALID``, or ``UNKNOWN_KEY`` if the
    secret has no key with this identifier. The algorithm is named as in JOSE."""
    given = (secret, algorithm, key_id, encoded(message), signature)
    return call("verify", _signatures.verify, *given)


def sign(secret, algorithm, message):
    """Signs a message by HMAC. Returns the bytes of the signature."""
    return call("sign", _signatures.sign, secret, algorithm, encoded(message))


def seal(secret, purpose, plain):
    """Seals a text or bytes. The result fits into a cookie, a field or a query."""
    return call("seal", _seal.seal, secret, purpose, encoded(plain))


def open(secret, purpose, sealed):
    """Opens what ``seal`` returned: bytes, or None if it does not open."""
    return call("open", _seal.open, secret, purpose, sealed)
