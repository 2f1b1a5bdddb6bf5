"""Pseudonyms: keyed digests, so that ids stay the same from one export to the next, and only the key's owner can link them."""

from __future__ import annotations

import hmac
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from ren_features.errors import CohortError

KEY_BYTES = 32
DIGITS = 12
"""Hexadecimal digits of a pseudonym: two of a million ids are the same with a chance of 1 in 500."""


def secret_file(path: Path, flags: int = 0) -> TextIO:
    """A text file to write, that only its owner can read, also when it was there before."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | flags, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "w", newline="", encoding="utf-8")


@dataclass(frozen=True)
class Pseudonyms:
    """Makes pseudonyms with one secret key (HMAC with SHA-256, RFC 2104)."""

    key: bytes = field(repr=False)

    @classmethod
    def from_file(cls, path: Path) -> Pseudonyms:
        """Read the key, or make the file with a new one that only its owner can read.

        Raises
        ------
        CohortError
            When the file holds something else, or cannot be made.
        """
        try:
            with suppress(FileExistsError), secret_file(path, os.O_EXCL) as file:
                file.write(f"{secrets.token_hex(KEY_BYTES)}\n")
            key = bytes.fromhex(path.read_text(encoding="ascii").strip())
        except (OSError, ValueError) as error:
            raise CohortError(
                f"{path}: expected a key of {2 * KEY_BYTES} hexadecimal digits, or a place to make one: {error}"
            ) from error
        if len(key) != KEY_BYTES:
            raise CohortError(f"{path}: expected a key of {2 * KEY_BYTES} hexadecimal digits, got {2 * len(key)}")
        return cls(key)

    def of(self, kind: str, identifier: str) -> str:
        """Pseudonym of a patient, study or scan: the letter of its kind and 12 digits."""
        digest = hmac.new(self.key, f"{kind}:{identifier}".encode(), "sha256").hexdigest()
        return f"{kind[0].upper()}{digest[:DIGITS]}"
