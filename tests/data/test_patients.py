from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.data.patients import join_patients, patient_of


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("person63_bacteria_306.jpeg", "person63"),
        ("train/PNEUMONIA/person63_virus_121.jpeg", "person63"),
        ("person1179_virus_2000_1.jpeg", "person1179"),
        ("IM-0115-0001.jpeg", "IM-0115"),
        ("NORMAL2-IM-0115-0001.jpeg", "IM-0115"),
        ("IM-0439-0001-0002.jpeg", "IM-0439"),
        ("personal_3.jpeg", None),
        ("IM-0115.jpeg", None),
        ("00001280_004.jpeg", "1280"),
        ("images_003/images/00000013_005.png", "13"),
        ("CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg", "patient00001"),
        ("files/p10/p10000032/s50414267/02aa804e-bde0afdd.jpg", "p10000032"),
        ("sub-S03044_ses-E06164_run-1_bp-chest_vp-pa_cr.png", "sub-S03044"),
        ("sub-S03044/ses-E06164/mod-rx/scan.png", "sub-S03044"),
        ("NORMAL-1003233-0001.jpeg", "guangzhou-1003233"),
        ("VIRUS-1003233-0002.jpeg", "guangzhou-1003233"),
        ("20536686640136348236148679891455886468_k6ga29.png", "study-20536686640136348236148679891455886468"),
        ("CXR1_1_IM-0001-4001.png", "CXR1"),
        ("CHNCXR_0001_0.png", "CHNCXR_0001"),
        ("patient_12_pa.png", "patient_12"),
        ("COVID-12.png", None),
        ("2019_001.png", None),
        ("scan_0001.png", None),
        ("case.png", None),
    ],
)
def test_what_a_name_tells(name: str, patient: str | None) -> None:
    assert patient_of(name) == patient


def test_unknown_films_are_patients_of_their_own() -> None:
    assert len(set(join_patients([("a.png", None, "1"), ("b.png", None, "2")]))) == 2


def test_a_shared_film_joins_two_patients_with_all_their_films() -> None:
    joined = join_patients(
        [("a", "p1", "1"), ("b", "p1", "2"), ("c", "p2", "2"), ("d", "p2", "3"), ("e", "p3", "4"), ("f", None, "3")]
    )
    assert joined == ["p1", "p1", "p1", "p1", "p3", "p1"]


FILMS = st.lists(
    st.tuples(st.none() | st.sampled_from("pqrst"), st.sampled_from("123456789")).map(list), min_size=1, max_size=30
)


@given(FILMS, st.randoms(use_true_random=False))
def test_joining_is_the_least_equivalence_and_knows_no_order(rows: list[list[str | None]], random: object) -> None:
    films = [(str(number), name, str(digest)) for number, (name, digest) in enumerate(rows)]
    joined = dict(zip([path for path, _, _ in films], join_patients(films), strict=True))
    # Brute force: spread over shared names and shared bytes until nothing changes.
    group = {path: {path} for path, _, _ in films}
    for _ in films:
        for path, name, digest in films:
            for other, other_name, other_digest in films:
                if digest == other_digest or (name is not None and name == other_name):
                    group[path] = group[other] = group[path] | group[other]
    for path, patient in joined.items():
        assert {other for other in joined if joined[other] == patient} == group[path]
    shuffled = list(films)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert dict(zip([path for path, _, _ in shuffled], join_patients(shuffled), strict=True)) == joined
