"""Looking for patients' ids, names and birth dates in text that is about to be written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import permutations

LEAST_OF_ALL = 4
"""Characters that a word needs to be looked for in what is written of other patients: `1` and `Li` stand in any path."""

LEAST_WITHIN = 5
"""Letters that a name needs to be looked for within a longer word, as in `mustermannerika`."""

LEAST = 2
"""Characters that a word needs to be looked for at all; so short a word must stand alone."""

BIRTH_DATES = ("%Y%m%d", "%d%m%Y", "%m%d%Y", "%y%m%d", "%d%m%y", "%m%d%y", "%d%b%Y", "%d%B%Y", "%B%d%Y")
"""Forms of a birth date, without what stands between day, month and year."""

PLACEHOLDERS = frozenset(("anon", "anonymous", "anonymized", "anonymised", "unknown", "patient", "none", "phantom", "noname"))
"""Words that stand in place of a name."""

UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


@dataclass(frozen=True)
class Identity:
    """Identity of a patient as words without capitals, accents and separators.

    Parameters
    ----------
    words : frozenset of str
        Ids, names, each part of a name, and birth dates.
    """

    words: frozenset[str]

    @classmethod
    def of(cls, *, ids: Collection[str], names: Collection[str], birth_dates: Collection[str]) -> Identity:
        """The identity that headers give; birth dates are YYYYMMDD.

        Examples
        --------
        >>> who = Identity.of(ids=["HOSP-4711"], names=["MUSTERMANN^ERIKA"], birth_dates=["19450518"])
        >>> who.stands_in("seen by hosp4711"), who.stands_in("born 18.5.1945"), who.stands_in("a muster")
        (True, True, False)
        """
        words = {"".join(_parts(form)) for text in ids for form in _spellings(text)}
        for text in names:
            for form in _spellings(text):
                parts = _parts(form)
                words |= {*parts, *("".join(pair) for pair in permutations(parts, 2)), "".join(parts)}
        words |= {form for text in birth_dates for form in _date_forms(text)}
        return cls(frozenset(word for word in words - PLACEHOLDERS if len(word) >= LEAST or not word.isascii()))

    def stands_in(self, text: str) -> bool:
        """True when a text holds a word of this patient, of any length."""
        return any(not self.words.isdisjoint(_candidates(form, self.longest)) for form in _spellings(text))

    @property
    def longest(self) -> int:
        """Characters of the longest word."""
        return max(map(len, self.words), default=0)


class Identities:
    """Everyone in an export.

    Parameters
    ----------
    patients : mapping of str to Identity
        By pseudonym.
    """

    def __init__(self, patients: Mapping[str, Identity]) -> None:
        self._patients = patients
        everyone = (word for identity in patients.values() for word in identity.words)
        self._everyone = Identity(
            frozenset(word for word in everyone if len(word) >= (LEAST_OF_ALL if word.isascii() else LEAST))
        )

    def stand_in(self, text: str, patient: str | None = None) -> bool:
        """True when a text reveals a patient; given the patient it belongs to, also by short words.

        A number tells this only if it is an id or a birth date of that patient as it stands: volumes would be ids of others.
        """
        identity = self._patients.get(patient or "")
        if re.fullmatch(r"[+-]?\d+(\.\d+)?", text) and identity:
            return len(text) >= LEAST_OF_ALL and text in identity.words
        return self._everyone.stands_in(text) or (identity is not None and identity.stands_in(text))


def _spellings(text: str) -> set[str]:
    """A text in small letters without marks: `ü` as `u` and as `ue`."""
    small = unicodedata.normalize("NFC", text).casefold()
    return {_without_marks(small), _without_marks(small.translate(UMLAUTS))}


def _without_marks(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


def _parts(text: str) -> list[str]:
    """Runs of letters and runs of digits."""
    return re.findall(r"\d+|[^\W\d_]+", text)


def _candidates(text: str, longest: int) -> Iterator[str]:
    """Every run of neighbouring parts joined, and every piece of a word that is long enough to be a name."""
    parts = _parts(text)
    for start in range(len(parts)):
        joined = ""
        for part in parts[start:]:
            joined += part
            if len(joined) > longest:
                break
            yield joined
    for token in re.findall(r"[^\W_]+", text):
        if not token.isdigit():
            yield from _pieces(token, longest)


def _pieces(token: str, longest: int) -> Iterator[str]:
    """Pieces of a word that are long enough; digits alone would be found within any longer number."""
    for start in range(len(token) - LEAST_WITHIN + 1):
        for end in range(start + LEAST_WITHIN, min(len(token), start + longest) + 1):
            if not token[start:end].isdigit():
                yield token[start:end]


def _date_forms(text: str) -> Iterator[str]:
    """A date as people write it, also without zeros before day and month."""
    digits = re.sub(r"\D", "", text)
    try:
        day = datetime.strptime(digits, "%Y%m%d")
    except ValueError:
        yield digits
        return
    yield from (day.strftime(form).casefold() for form in BIRTH_DATES)
    yield from (f"{day.day}{day.month}{day.year}", f"{day.month}{day.day}{day.year}", f"{day.year}{day.month}{day.day}")
