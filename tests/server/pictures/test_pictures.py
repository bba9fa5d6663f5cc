"""Pictures of films and evidence: right pixels, right sizes, and asked for once."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from pneumoscope.films.load import load
from pneumoscope.reports.overlay import thumbnail_jpeg
from pneumoscope.server.pictures import Thumbnails, size_as_read
from pneumoscope.types.correction import Correction, Crop, Invert, Rotate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from starlette.testclient import TestClient

    from pneumoscope.server.context import Context


def _opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.fixture
def read(asked: TestClient) -> Callable[[bytes], tuple[str, str]]:
    """Send a film: its sha256, and its reading's id."""

    def sent(data: bytes) -> tuple[str, str]:
        answer = asked.post("/api/v1/read", content=data)
        return answer.json()["film"]["sha256"], answer.headers["x-pneumoscope-reading"]

    return sent


def test_every_picture_has_a_tag_and_is_sent_once(
    asked: TestClient, read: Callable[[bytes], tuple[str, str]], picture: Callable[..., bytes]
) -> None:
    film, reading = read(picture(1, size=(300, 400)))
    for path in (
        f"films/{film}/thumbnail",
        f"films/{film}/picture",
        f"films/{film}/picture?size=64",
        f"readings/{reading}/picture",
        f"readings/{reading}/pixels",
        f"readings/{reading}/evidence",
    ):
        first = asked.get(f"/api/v1/{path}")
        assert first.status_code == 200, path
        assert first.headers["cache-control"] == "private, max-age=31536000, immutable"
        _opened(first.content).load()
        tag = first.headers["etag"]
        again = asked.get(f"/api/v1/{path}", headers={"If-None-Match": f'"other", W/{tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert asked.get(f"/api/v1/{path}", headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_picture_of_a_deleted_film_is_not_even_unchanged(
    asked: TestClient, read: Callable[[bytes], tuple[str, str]], picture: Callable[..., bytes], inside: Context
) -> None:
    film, reading = read(picture(1))
    tag = asked.get(f"/api/v1/films/{film}/thumbnail").headers["etag"]
    study = asked.get("/api/v1/studies").json()["items"][0]["id"]
    assert inside.thumbnails.get(film) is not None
    assert asked.delete(f"/api/v1/studies/{study}").status_code == 204
    assert inside.thumbnails.get(film) is None
    assert asked.get(f"/api/v1/films/{film}/thumbnail", headers={"If-None-Match": tag}).status_code == 404
    assert asked.get(f"/api/v1/readings/{reading}/pixels").status_code == 404


@pytest.mark.parametrize("deep", [False, True])
def test_pixels_are_lossless(
    asked: TestClient,
    read: Callable[[bytes], tuple[str, str]],
    smooth_film: Callable[..., NDArray[Any]],
    *,
    deep: bool,
) -> None:
    wanted = smooth_film(3, deep=deep)
    file = io.BytesIO()
    Image.fromarray(wanted).save(file, "PNG")
    _, reading = read(file.getvalue())
    answer = asked.get(f"/api/v1/readings/{reading}/pixels")
    pixels = np.asarray(_opened(answer.content)).astype(np.int64)
    assert answer.headers["x-white"] == ("65535" if deep else "255")
    if deep:
        assert not pixels[..., 2].any()
        pixels = pixels[..., 0] * 256 + pixels[..., 1]
    np.testing.assert_array_equal(pixels, wanted)


def test_the_evidence_has_the_films_aspect(
    asked: TestClient, read: Callable[[bytes], tuple[str, str]], picture: Callable[..., bytes]
) -> None:
    _, reading = read(picture(4, size=(300, 200)))
    answer = asked.get(f"/api/v1/readings/{reading}/evidence")
    layer = _opened(answer.content)
    assert (layer.mode, layer.size) == ("RGBA", (341, 512))
    assert float(answer.headers["x-limit"]) >= 1.0
    pixels = np.asarray(layer)
    contour = (pixels == (255, 244, 214, 200)).all(axis=-1)  # the line round the leading place
    opacity = pixels[..., 3][~contour]
    assert opacity.max() <= 0.68 * 255 + 1
    assert opacity.any(), "something speaks for or against"


def test_a_refused_film_has_no_evidence(asked: TestClient) -> None:
    answer = asked.post("/api/v1/read", content=b"no film at all, but words")
    reading = answer.headers["x-pneumoscope-reading"]
    assert asked.get(f"/api/v1/readings/{reading}/evidence").status_code == 404
    assert asked.get(f"/api/v1/readings/{reading}/pixels").status_code == 404


@pytest.mark.parametrize("path", ["films/../../etc/passwd/thumbnail", "films/ABC/thumbnail", "readings/nix/pixels"])
def test_odd_addresses(asked: TestClient, path: str) -> None:
    answer = asked.get(f"/api/v1/{path}")
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("corrections", "size"),
    [
        ([], (100, 60)),
        ([Rotate(90)], (60, 100)),
        ([Rotate(180)], (100, 60)),
        ([Crop(10, 5, 90, 45)], (80, 40)),
        ([Crop(10, 5, 90, 45), Rotate(270), Invert()], (40, 80)),
    ],
)
def test_sizes_after_mending(corrections: list[Correction], size: tuple[int, int]) -> None:
    assert size_as_read(100, 60, corrections) == size


@pytest.mark.parametrize("size", [(70, 90), (900, 300), (33, 4000), (160, 160)])
@pytest.mark.parametrize("deep", [False, True])
def test_thumbnails(smooth_film: Callable[..., NDArray[Any]], size: tuple[int, int], *, deep: bool) -> None:
    small = _opened(thumbnail_jpeg(load(smooth_film(5, size, deep=deep))))
    assert (small.format, small.mode) == ("JPEG", "L")
    assert max(small.size) == min(160, max(size))
    assert abs(small.width / small.height - size[1] / size[0]) < 0.6 * size[1] / size[0]
    values = np.asarray(small)
    assert values.min() < 30
    assert values.max() > 225


def test_thumbnails_are_swept(tmp_path: Path) -> None:
    kept, gone = "a" * 64, "b" * 64
    small = Thumbnails(tmp_path)
    for sha256 in (kept, gone):
        small.put(sha256, b"picture")
    (tmp_path / "aa" / ".left.part").write_bytes(b"half a picture")
    assert small.sweep(lambda sha256: sha256 == kept) == 0, "what is young may be being written just now"
    assert small.sweep(lambda sha256: sha256 == kept, older_than=0) == 2
    assert (small.get(kept), small.get(gone)) == (b"picture", None)
    small.forget([kept, kept])
    assert small.get(kept) is None
    with pytest.raises(ValueError, match="sha256"):
        small.put("../../evil", b"x")


def test_drawn_pictures_are_held_up_to_a_size_and_the_oldest_forgotten() -> None:
    from pneumoscope.server.pictures import PictureCache

    drawn: list[str] = []
    cache = PictureCache(most_bytes=25)

    def ask(name: str, size: int = 10) -> bytes:
        def draw() -> tuple[bytes, dict[str, str]]:
            drawn.append(name)
            return name.encode() * size, {"X-White": "255"}

        return cache.get(name, draw)[0]

    for name in ("a", "b", "a", "c", "a", "b"):
        assert ask(name) == name.encode() * 10
    assert drawn == ["a", "b", "c", "b"]
    ask("d", 30)
    ask("d", 30)
    assert drawn[-2:] == ["d", "d"]  # too large to be held
