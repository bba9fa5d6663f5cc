from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from pneumoscope.phantom.draw import draw_phantom
from pneumoscope.training.augment import add_grain, coarsen, compress_jpeg, equalize_locally, gaussian_blur, sharpen


@pytest.fixture(scope="module")
def films() -> torch.Tensor:
    drawn = [draw_phantom(seed, "normal", rows=128, columns=128).pixels for seed in range(3)]
    return torch.from_numpy(np.stack(drawn))[:, None].float() / 255


@pytest.mark.parametrize("quality", [20, 50, 90])
def test_jpeg_loses_what_jpeg_loses(films: torch.Tensor, quality: int) -> None:
    """Against a real encoder: our loss is the encoder's loss, not just some noise of its size."""
    ours = compress_jpeg(films, torch.full((3,), float(quality)))
    for film, our in zip(films[:, 0], ours[:, 0], strict=True):
        pixels = (film * 255).round().to(torch.uint8).numpy()
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, format="JPEG", quality=quality)
        theirs = np.asarray(Image.open(file), dtype=np.float32)
        lost_by_them = np.abs(theirs - pixels).mean()
        apart = np.abs(theirs - our.numpy() * 255).mean()
        assert apart < 0.3 * lost_by_them  # what is left is rounding, at different places


def test_neutral_strengths_change_nothing(films: torch.Tensor) -> None:
    zero, one = torch.zeros(3), torch.ones(3)
    for out in (
        gaussian_blur(films, zero),
        sharpen(films, zero),
        equalize_locally(films, zero),
        coarsen(films, one),
        add_grain(films, zero, one, 1),
        compress_jpeg(films, 100 * one),
    ):
        assert torch.equal(out, films)


def test_only_the_films_that_are_meant_change(films: torch.Tensor) -> None:
    out = gaussian_blur(films, torch.tensor([0.0, 2.0, 0.0]))
    assert torch.equal(out[0], films[0])
    assert torch.equal(out[2], films[2])
    assert not torch.equal(out[1], films[1])


def test_blur_keeps_flat_films_and_spreads_a_point_by_its_sigma() -> None:
    flat = torch.full((1, 1, 33, 33), 0.5)
    torch.testing.assert_close(gaussian_blur(flat, torch.tensor([2.0])), flat)
    point = torch.zeros(1, 1, 33, 33)
    point[0, 0, 16, 16] = 1
    out = gaussian_blur(point, torch.tensor([2.0]))[0, 0]
    place = torch.arange(33.0) - 16
    spread = float((out.sum(0) * place**2).sum() / out.sum())
    assert float(out.sum()) == pytest.approx(1, abs=1e-5)
    assert spread == pytest.approx(4, rel=0.08)  # the kernel ends at 2.5 sigma


def test_grain_has_its_strength_whatever_its_clumps() -> None:
    gray = torch.full((2, 1, 128, 128), 0.5)
    out = add_grain(gray, torch.tensor([0.05, 0.05]), torch.tensor([0.0, 1.0]), seed=4)
    for film in out:
        assert float(film.std()) == pytest.approx(0.05, rel=0.08)
    # Clumped grain is alike from pixel to pixel; white grain is not.
    white, clumped = (float((f[0, :, 1:] * f[0, :, :-1]).mean() - f.mean() ** 2) for f in out)
    assert clumped > 5 * abs(white)


def test_coarse_films_lose_fine_detail_and_keep_their_mean() -> None:
    fine = torch.zeros(1, 1, 64, 64)
    fine[..., ::2] = 1
    out = coarsen(fine, torch.tensor([4.0]))
    assert float(out.std()) < 0.1
    assert float(out.mean()) == pytest.approx(0.5, abs=0.02)


def test_local_contrast_takes_a_slow_shade_away() -> None:
    shade = torch.linspace(0.2, 0.8, 64).expand(1, 1, 64, 64)
    out = equalize_locally(shade, torch.tensor([0.8]))
    assert float(out.std()) < 0.35 * float(shade.std())
