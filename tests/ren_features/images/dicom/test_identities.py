"""Words that tell who a patient is, and words that do not."""

import pytest

from ren_features.images.dicom.identities import Identities, Identity

ERIKA = Identity.of(ids=["HOSP-4711", "90210"], names=["Müller^Erika"], birth_dates=["19450518"])
LI = Identity.of(ids=["1", "4712"], names=["Li^Jo"], birth_dates=[""])
EVERYONE = Identities({"P1": ERIKA, "P2": LI})


@pytest.mark.parametrize(
    "text",
    [
        "HOSP4711",
        "see hosp 4711.",
        "90210",
        "Muller",
        "MUELLER",
        "erikamueller2",
        "18.05.1945",
        "1945/5/18",
        "18 May 1945",
        "450518",
    ],
)
def test_ids_names_and_birth_dates_are_found_in_any_spelling(text):
    assert EVERYONE.stand_in(text)


@pytest.mark.parametrize("text", ["/data/1/li/ct", "hospital", "902101", "1.2.840.113619.4", "2045-05-18", "label_1", ""])
def test_short_words_and_parts_of_numbers_tell_nothing(text):
    assert not EVERYONE.stand_in(text)


def test_a_short_name_tells_who_its_own_patient_is():
    assert EVERYONE.stand_in("/data/li/ct", "P2")
    assert not EVERYONE.stand_in("/data/lingula/1", "P2")


def test_a_number_is_compared_with_the_ids_of_its_own_patient_alone():
    assert EVERYONE.stand_in("4712", "P2")
    assert not EVERYONE.stand_in("4712", "P1")
    assert not EVERYONE.stand_in("1", "P2")
