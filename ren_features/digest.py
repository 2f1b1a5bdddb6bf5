"""Short digests that identify settings, rows and files."""

from __future__ import annotations

from hashlib import sha256


def short_digest(*contents: str | bytes) -> str:
    """First 16 hexadecimal digits of the SHA-256 of contents, one after another.

    Examples
    --------
    >>> short_digest("abc") == short_digest("a", b"bc") == "ba7816bf8f01cfea"
    True
    """
    sha = sha256()
    for content in contents:
        sha.update(content if isinstance(content, bytes) else content.encode())
    return sha.hexdigest()[:16]
