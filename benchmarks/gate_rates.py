"""What the gate lets through, mends and refuses: false refusals by source, refusals by kind, time, and a gallery.

    PYTHONPATH=tools python benchmarks/gate_rates.py --data DATA [--real NAME=FOLDER ...]
        [--each 25] [--gallery OUT.png]

DATA holds chest_xray, nih_sample and lung_masks. Each --real folder holds pictures that are no chest films (files that
cannot be decoded are passed over; one of each picture that is there many times is taken). Kinds that the gate has
learned from and kinds that it has not are told apart. It asks the gate that comes with the package, whatever the
bundle; films of the public set are those for validation and test of the split with seed 0. 2 CPU cores: 4 minutes.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from pneumoscope.data.scan import scan
from pneumoscope.data.split import make_split
from pneumoscope.errors import FilmError
from pneumoscope.films.load import load
from pneumoscope.model.bundle import find_bundle, read_bundle, write_bundle
from pneumoscope.model.reader import Reader
from pneumoscope.quality.checks import QualityResult, check_quality
from pneumoscope.quality.spec import shipped_quality_spec
from pneumoscope.reports.summary import correction_words
from pneumoscope.stats.proportions import wilson
from pneumoscope.types.radiograph import FilmInfo, Radiograph
from quality_head.kinds import KINDS, draw_kind
from quality_head.photographs import GROUNDS, as_photograph
from quality_head.train import deal_patients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SHOWN = 14  # pictures in a row of the gallery
SIDE = 96
TILTS = ((0, 1), (3, 10), (10, 20), (20, 44))  # degrees either way


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--real", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--each", type=int, default=25, help="pictures of each kind and films of each position")
    parser.add_argument("--most", type=int, default=0, help="films of each source; all without it")
    parser.add_argument("--gallery", type=Path)
    parser.add_argument("--model", default="standard", help="a bundle, for the time of a reading")
    asked = parser.parse_args()
    gallery: dict[str, list[tuple[str, Radiograph]]] = defaultdict(list)
    sources = {name: some(paths, asked.most) for name, paths in films(asked.data).items()}

    print(
        "## Films that must be read\n\n| source | refused | mended | warned | what |\n| --- | --- | --- | --- | --- |"
    )
    for name, paths in sources.items():
        said = [decided(load(path), gallery, f"{name}: ") for path in paths]
        refused, mended = (sum(done == what for done, _, _ in said) for what in ("refused", "mended"))
        warned = sum(bool(warnings) for _, _, warnings in said)
        print(f"| {name} | {share(refused, len(said))} | {mended} | {warned} | {codes(said)} |")

    print("\n## Films put wrong\n\n| source | what | passed as it is | mended rightly | otherwise mended | refused |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in ("public set, test", "ChestX-ray14, other patients", "adults with masks"):
        chosen = some(sources[name], asked.each * 3)
        for what, (wrong, right) in WRONGS.items():
            said = [decided(wrong(load(path)), gallery, f"{what}: ") for path in chosen]
            count = Counter(done for done, _, _ in said)
            rightly = sum(done == "mended" and words.partition(" to rows")[0] in right for done, words, _ in said)
            print(
                f"| {name} | {what} | {count['read']} | {rightly} | {count['mended'] - rightly} "
                f"| {share(count['refused'], len(said))} | {codes(said)} |"
            )

    print(
        "\n## Films photographed aslant\n\n"
        "| ground | tilt | read as it is | mended rightly | otherwise mended | refused |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    aslant = [
        load(path)
        for name in ("public set, test", "ChestX-ray14, other patients", "adults with masks")
        for path in some(sources[name], asked.each)
    ]
    for ground in GROUNDS:
        for low, high in TILTS:
            rng = np.random.default_rng([low, len(ground)])
            count = Counter(laid(film, ground, rng.choice([-1, 1]) * rng.uniform(low, high), rng) for film in aslant)
            told = " | ".join(str(count[what]) for what in ("read", "rightly", "otherwise", "refused"))
            print(f"| {ground} | {low} to {high} | {told} |", flush=True)

    print("\n## Pictures that must not be read\n\n| kind | learned from | let through | refused | what |")
    print("| --- | --- | --- | --- | --- |")
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    of_films = [load(path) for path in some(sources["public set, test"], 60)]
    for kind in KINDS:
        rng = np.random.default_rng([7, len(kind.name), sum(map(ord, kind.name))])
        pictures = (as_film(draw_kind(kind, rng, nine(of_films, rng))) for _ in range(asked.each))
        told = "no" if kind.held_out else "yes"
        tally(kind.name, told, pictures, gallery, sums[f"{kind.family}, {'held out' if kind.held_out else 'learned'}"])
    for each in asked.real:
        name, _, folder = each.partition("=")
        tally(name, "no (real)", real(Path(folder)), gallery, sums["real pictures"])
    print("\n| family | refused |\n| --- | --- |")
    for name, (refused, total) in sums.items():
        print(f"| {name} | {share(refused, total)} |")
    print("\n## Time of a reading, ms of processor time\n\n| films | bundle | without | with | share of the gate |")
    print("| --- | --- | --- | --- | --- |")
    for each in ("public set, test", "ChestX-ray14, other patients", "adults with masks"):
        timed(asked.model, some(sources[each], 40))
    if asked.gallery:
        draw_gallery(gallery, asked.gallery)


def films(data: Path) -> dict[str, list[Path]]:
    manifest = scan(data / "chest_xray")
    parts = make_split(manifest, seed=0).parts
    found = {
        f"public set, {part}": [manifest.root / manifest.films[int(i)].path for i in parts[part]]
        for part in ("val", "test")
    }
    with (data / "nih_sample" / "labels.csv").open() as table:
        found["ChestX-ray14"] = [data / "nih_sample" / row["film"] for row in csv.DictReader(table)]
    adults = found.pop("ChestX-ray14")
    found["ChestX-ray14, learned from"], found["ChestX-ray14, other patients"] = deal_patients(adults)
    found["adults with masks"] = sorted((data / "lung_masks" / "films").glob("*.*"))
    return found


def some(paths: list[Path], most: int) -> list[Path]:
    return (
        paths
        if not most or len(paths) <= most
        else [paths[i] for i in np.linspace(0, len(paths) - 1, most).astype(int)]
    )


def decided(
    film: Radiograph, gallery: dict[str, list[tuple[str, Radiograph]]], title: str
) -> tuple[str, str, tuple[str, ...]]:
    passed: QualityResult = check_quality(film, shipped_quality_spec())
    if passed.refusal is not None:
        done = ("refused", passed.refusal.code)
    else:
        done = ("mended", " + ".join(map(correction_words, passed.corrections))) if passed.corrections else ("read", "")
    gallery[f"{title}{done[0]}"].append((done[1], passed.film))
    return (*done, passed.warnings)


def tally(
    name: str,
    told: str,
    pictures: Iterable[Radiograph],
    gallery: dict[str, list[tuple[str, Radiograph]]],
    total: list[int],
) -> None:
    said = [decided(picture, gallery, f"{name}: ") for picture in pictures]
    refused = sum(done == "refused" for done, _, _ in said)
    total[0] += refused
    total[1] += len(said)
    print(f"| {name} | {told} | {len(said) - refused} | {share(refused, len(said))} | {codes(said)} |", flush=True)


def codes(said: list[tuple[str, str, tuple[str, ...]]]) -> str:
    short = Counter(code.partition(" to rows")[0] for _, code, _ in said if code)
    return ", ".join(f"{code} {count}" for code, count in short.most_common(4))


def share(k: int, n: int) -> str:
    found = wilson(k, n)
    return f"{k} of {n}: {found.value:.1%} ({found.low:.1%} to {found.high:.1%})"


def as_film(pixels: np.ndarray) -> Radiograph:
    return Radiograph(np.ascontiguousarray(pixels), 255 if pixels.dtype == np.uint8 else 65535, FilmInfo("picture"))


def nine(found: list[Radiograph], rng: np.random.Generator) -> list[np.ndarray]:
    return [found[i].pixels.astype(np.float32) / found[i].white for i in rng.integers(0, len(found), 9)]


def real(folder: Path) -> Iterator[Radiograph]:
    known = set()
    for path in sorted(folder.rglob("*")):
        try:
            film = load(path)
        except FilmError:
            continue
        small = np.asarray(Image.fromarray((film.pixels // (film.white // 255 or 1)).astype(np.uint8)).resize((16, 16)))
        if min(film.rows, film.columns) < shipped_quality_spec().side or (small // 16).tobytes() in known:
            continue
        known.add((small // 16).tobytes())
        yield replace(film, facts={})  # what is seen, and not what the file tells


def changed(film: Radiograph, pixels: np.ndarray) -> Radiograph:
    kept: Any = np.ascontiguousarray(pixels, film.pixels.dtype)
    return replace(film, pixels=kept)


def laid(film: Radiograph, ground: Any, degrees: float, rng: np.random.Generator) -> str:
    """What the gate does with a photograph of a film; rightly mended is what looks like the film again."""
    flat = (film.pixels // (film.white // 255)).astype(np.uint8)
    passed = check_quality(as_film(as_photograph(flat, degrees, ground, rng)), shipped_quality_spec())
    if passed.refusal is not None:
        return "refused"
    if not passed.corrections:
        return "read"
    was, back = (
        np.asarray(Image.fromarray(each).resize((64, 64), Image.Resampling.BOX), dtype=float)[8:-8, 8:-8].ravel()
        for each in (flat, passed.film.pixels)
    )
    return "rightly" if np.corrcoef(was, back)[0, 1] > 0.9 else "otherwise"


def turned(quarters: int, *, inverted: bool = False) -> Callable[[Radiograph], Radiograph]:
    def wrong(film: Radiograph) -> Radiograph:
        pixels = np.rot90(film.pixels, quarters)
        return changed(film, film.white - pixels if inverted else pixels)

    return wrong


def bordered(film: Radiograph) -> Radiograph:
    rows, columns = film.pixels.shape
    page = np.zeros((rows * 2, columns * 2), dtype=film.pixels.dtype)
    page[rows // 2 : rows // 2 + rows, columns // 3 : columns // 3 + columns] = film.pixels
    return changed(film, page)


def blurred(film: Radiograph) -> Radiograph:
    gray = Image.fromarray((film.pixels // (film.white // 255)).astype(np.uint8))
    soft = gray.filter(ImageFilter.GaussianBlur(0.035 * max(gray.size)))
    return replace(film, pixels=np.asarray(soft), white=255)


def exposed(gain: float, lift: float) -> Callable[[Radiograph], Radiograph]:
    def wrong(film: Radiograph) -> Radiograph:
        burnt = np.clip(film.pixels.astype(np.float32) * gain + lift * film.white, 0, film.white)
        return changed(film, burnt)

    return wrong


NOTHING: frozenset[str] = frozenset()
WRONGS: dict[str, tuple[Callable[[Radiograph], Radiograph], frozenset[str]]] = {
    "turned 90": (turned(1), frozenset({"turned 90 degrees clockwise"})),
    "upside down": (turned(2), frozenset({"turned 180 degrees clockwise"})),
    "turned 270": (turned(3), frozenset({"turned 270 degrees clockwise"})),
    "inverted": (turned(0, inverted=True), frozenset({"inverted"})),
    "upside down, inverted": (turned(2, inverted=True), frozenset({"turned 180 degrees clockwise + inverted"})),
    "mirrored": (lambda film: changed(film, film.pixels[:, ::-1]), NOTHING),
    "wide borders": (bordered, frozenset({"cut"})),
    "blurred": (blurred, NOTHING),
    "over-exposed": (exposed(2.2, 0.35), NOTHING),
    "under-exposed": (exposed(2.5, -1.6), NOTHING),
}


def timed(model: str, paths: list[Path]) -> None:
    """Time of a reading with and without the gate, film by film in turn, so that what else runs falls on both."""
    with TemporaryDirectory() as folder:
        graph, meta, _ = read_bundle(find_bundle(model))
        readers = {}
        for name, gate in (("without the gate", None), ("with the gate", shipped_quality_spec())):
            path = Path(folder) / f"{name}.onnx"
            write_bundle(path, graph, replace(meta, gate=gate))
            readers[name] = Reader(path)
        taken: dict[str, list[float]] = {name: [] for name in readers}
        for path in [paths[0], *paths]:  # the first one warms up
            for name, reader in readers.items():
                started = time.process_time()
                reader.read(path)
                taken[name].append(time.process_time() - started)
    before, after = (median(each[1:]) * 1e3 for each in taken.values())
    print(
        f"| {paths[0].parent.parent.name} | {meta.name} {meta.version}, frame {meta.preprocess.frame} | {before:.1f} "
        f"| {after:.1f} | {(after - before) / after:.1%} |"
    )


def draw_gallery(gallery: dict[str, list[tuple[str, Radiograph]]], path: Path) -> None:
    rows = [(title, shown[:SHOWN]) for title, shown in gallery.items() if shown]
    sheet = Image.new("L", (220 + SHOWN * (SIDE + 4), len(rows) * (SIDE + 14)))
    pen = ImageDraw.Draw(sheet)
    for number, (title, shown) in enumerate(rows):
        top = number * (SIDE + 14)
        pen.text((4, top + 30), f"{title}\n{len(gallery[title])} in all", fill=255)
        for place, (code, film) in enumerate(shown):
            low, high = np.percentile(film.pixels, (0.5, 99.5))
            gray = np.clip((film.pixels - low) / max(high - low, 1) * 255, 0, 255).astype(np.uint8)
            left = 220 + place * (SIDE + 4)
            sheet.paste(Image.fromarray(gray).resize((SIDE, SIDE)), (left, top))
            pen.text((left, top + SIDE), code[:16], fill=200)
    sheet.save(path)


if __name__ == "__main__":
    main()
