"""The page of a data set audit, and the files beside it."""

from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING, Any

from pneumoscope.data.audit.acquisition import feature_names
from pneumoscope.data.pixels import open_film
from pneumoscope.errors import FilmError, MissingExtra
from pneumoscope.evaluation.report.engine import (
    BarPart,
    Bars,
    Block,
    Card,
    Cell,
    Disclosure,
    Gallery,
    GalleryFilm,
    IntervalBar,
    Notes,
    Page,
    Row,
    Section,
    Table,
    Text,
    Thumbnail,
    counted,
    render_page,
)
from pneumoscope.evaluation.serialization import write_document
from pneumoscope.reports.overlay import thumbnail_jpeg
from pneumoscope.storage import make_folder, open_atomically, write_atomically

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    from pneumoscope.data.audit.report import AucEstimate, AuditReport, Cluster, DuplicateGroup, LabelNoise
    from pneumoscope.data.audit.run import Audit

__all__ = ["ThumbnailGallery", "audit_page", "verdict_cards", "write_audit"]

_LISTED = 25
"""Rows of a long list on the page; all of them are in audit.json."""

_SIDE = 224  # pixels of a picture's longer side
_PICTURED_GROUPS, _PICTURED_COPIES, _PICTURED_FILMS = 12, 6, 24
_GROUP_WORDS = {
    "size": "height, width, aspect",
    "file": "bytes, bytes per pixel",
    "coding": "JPEG quality, colour, bit depth",
    "sharpness": "Laplacian, spectrum, noise",
    "histogram": "gray levels, wherever they are",
    "borders": "even margins",
    "markers": "bright spots at the edges",
}


class ThumbnailGallery:
    """Opens films when a picture of them is asked for, each once.

    Args:
        root: The manifest's.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._made: dict[str, str] = {}

    def picture(self, path: str) -> str:
        """A film as base64 of a small JPEG at its own aspect; "" if it cannot be read any more."""
        if path not in self._made:
            try:
                film = open_film(self._root, path)
            except FilmError:
                self._made[path] = ""
            else:
                self._made[path] = base64.b64encode(thumbnail_jpeg(film, _SIDE)).decode("ascii")
        return self._made[path]

    def film(self, path: str, *, truth: str = "", more: str = "") -> GalleryFilm:
        """A film of a gallery, by its path."""
        return GalleryFilm(path, self.picture(path), path, truth, "", more)


def audit_page(found: Audit) -> str:
    """The page's HTML. Films are opened once more for their pictures; one that is gone has none.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    report, gallery = found.report, ThumbnailGallery(found.manifest.root)
    return render_page(
        Page(
            title=f"Audit of {report.data}",
            lead=f"{counted(report.films, 'film')} of {counted(report.patients, 'patient')}; classes "
            f"{', '.join(report.classes)}.",
            facts=(
                "An audit asks what a model could learn from these films besides the disease, and whether a score on "
                "them can be trusted.",
            ),
            cards=tuple(verdict_cards(report)),
            sections=(
                _counts_section(found),
                _leaks_section(report),
                _copies_section(report, gallery),
                _files_section(report, gallery),
                _shortcuts_section(report),
                *_sites_sections(report),
                _clusters_section(report, gallery),
                _labels_section(report, gallery),
                _method_section(report),
            ),
            foot=f"{report.software}, {report.created}.",
        ),
        extra="audit",
        needed_for="the audit's page",
    )


def verdict_cards(report: AuditReport) -> list[Card]:
    """The verdicts at the top of the page, and in the terminal."""
    leaks = report.leaks
    if not leaks.known:
        leak = Card("Leaks", "not known", "the films have no parts; give --split")
    elif leaks.found:
        parts = [
            counted(leaks.exact_copies + leaks.near_copies, "group") + " of copies",
            counted(leaks.patients, "patient"),
        ]
        leak = Card("Leaks", "found", f"{' and '.join(parts)} in several parts", "bad")
    else:
        leak = Card("Leaks", "none", f"no copy and no patient is in two of {', '.join(report.parts)}", "good")
    auc = report.shortcuts.auc
    strong = report.shortcuts.verdict in {"plain", "strong"}
    shortcut = Card(
        "Shortcut",
        f"AUC {auc.value:.3f}" if auc else "cannot be asked",
        f"{report.shortcuts.verdict}: predicted from acquisition alone" if auc else report.shortcuts.why_not,
        "bad" if strong else "good" if auc else "plain",
    )
    exact, near = (sum(group.how == how for group in report.copies) for how in ("bytes", "picture"))
    conflicts = sum(group.conflict for group in report.copies)
    copies = Card(
        "Copies",
        counted(exact + near, "group"),
        f"{exact} the same file, {near} near copies; {conflicts} with several labels",
        "bad" if conflicts else "plain" if exact + near else "good",
    )
    files = Card(
        "Files",
        counted(len(report.problems), "problem"),
        f"left out or unreadable; {counted(len(report.odd), 'outlier')}",
        "bad" if report.problems else "good",
    )
    noise = report.label_noise[0] if report.label_noise else None
    if noise is None or noise.why_not:
        labels = Card("Labels", "cannot be asked")
    else:
        labels = Card(
            "Labels",
            f"{len(noise.suspects):,} doubtful",
            f"{noise.films:,} films, {' against '.join(noise.classes[:3])}",
            "plain" if noise.suspects else "good",
        )
    return [leak, shortcut, copies, files, labels]


def _counts_section(found: Audit) -> Section:
    """Films and patients of each class, by part; and by source where there are several."""
    report = found.report
    parts = [*report.parts, ""] if any(not row.part for row in report.counts) else list(report.parts)
    films = Counter[tuple[str, str]]()
    for row in report.counts:
        films[row.label, row.part] += row.films
    # A patient may have films of several sources, and counts once.
    people = {(film.label, part, film.patient) for film, part in zip(found.manifest.films, found.parts, strict=True)}
    patients = Counter((label, part) for label, part, _ in people)
    several = len(parts) > 1
    rows = []
    for name in report.classes:
        total = sum(films[name, part] for part in parts)
        share = 100 * total / max(1, report.films)
        cells = [Cell(f"{n:,}") for part in parts for n in (films[name, part], patients[name, part])]
        cells += [Cell(f"{total:,}")] if several else []
        rows.append(Row(name, (*cells, Cell(f"{share:.1f} %", drawing=Bars((BarPart(share),))))))
    head = [word for part in parts for word in (f"{part or 'no part'}: films", "patients")]
    blocks: list[Block] = [
        Table("counts", "Films and patients by class", ("Class", *head, *(["All films"] if several else []), "Share"),
              tuple(rows)),
    ]  # fmt: skip
    sources = _sources(report)
    lines = [f"The largest class has {report.balance:.1f} films for each of the smallest."]
    lines += [f"Source: {sources[0][0]}."] if len(sources) == 1 else []
    lines.append(f"Parts: {report.split}.")
    if report.mixed_patients:
        have = "has" if report.mixed_patients == 1 else "have"
        lines.append(f"{counted(report.mixed_patients, 'patient')} by name {have} films of several classes.")
    blocks.append(Text(" ".join(lines), "small"))
    if len(sources) > 1:
        by_source = tuple(
            Row(name, (Cell(f"{number:,}"), *(Cell(f"{count:,}") for count in by_class)))
            for name, number, by_class in sources[:_LISTED]
        )
        blocks.append(Table("sources", "Films by source", ("Source", "Films", *report.classes), by_source))
        rest = f" {len(sources) - _LISTED} more in audit.json." if len(sources) > _LISTED else ""
        blocks.append(Text(f"A source with one class only gives the label away by itself.{rest}", "small"))
    return Section("counts", "Counts", tuple(blocks))


def _sources(report: AuditReport) -> list[tuple[str, int, list[int]]]:
    """Each source with its films, and those of each class; the largest first."""
    films: dict[str, dict[str, int]] = {}
    for row in report.counts:
        by_class = films.setdefault(row.source, dict.fromkeys(report.classes, 0))
        by_class[row.label] += row.films
    found = [(name, sum(by_class.values()), list(by_class.values())) for name, by_class in films.items()]
    return sorted(found, key=lambda source: (-source[1], source[0]))


def _leaks_section(report: AuditReport) -> Section:
    leaks, parts = report.leaks, ", ".join(report.parts)
    blocks: list[Block]
    if not leaks.known:
        blocks = [
            Text(
                "The films have no parts, so that nothing can be said of leaks. Give the folder above train and test, "
                "or a split with --split."
            )
        ]
    elif not leaks.found:
        blocks = [Text(f"No file, no near copy and no patient is in more than one of {parts}.")]
    else:
        blocks = [
            Text(
                f"Found. Between {parts} there are {counted(leaks.exact_copies, 'group')} of equal files, "
                f"{counted(leaks.near_copies, 'group')} of near copies, and {counted(leaks.patients, 'patient')} on "
                "several sides. A score on the held-out part is too good by what was learned of them.",
                "warn",
            )
        ]
        if leaks.crossing:
            rows = tuple(
                Row(one.patient, tuple(Cell(f"{one.films.get(part, 0)}") for part in report.parts))
                for one in leaks.crossing[:_LISTED]
            )
            blocks.append(Table("crossing", "Patients in several parts", ("Patient", *report.parts), rows))
            blocks += _rest(len(leaks.crossing) - _LISTED, "patient")
            blocks.append(
                Text(
                    "Where the file names give the patient, the same number is taken for the same patient; see "
                    "docs/data.md.",
                    "small",
                )
            )
    return Section("leaks", "Leaks between parts", tuple(blocks))


def _copies_section(report: AuditReport, gallery: ThumbnailGallery) -> Section:
    if not report.copies:
        return Section("copies", "Duplicates", (Text("No film is there twice."),))
    blocks: list[Block] = [
        Text(
            f"{counted(len(report.copies), 'group')}: films with the same bytes, and films that show the same although "
            "their bytes differ (saved again, resized, brighter, cut by a percent or two, mirrored)."
        )
    ]
    blocks += [
        _copies_gallery(number, group, gallery) for number, group in enumerate(report.copies[:_PICTURED_GROUPS], 1)
    ]
    blocks += _rest(len(report.copies) - _PICTURED_GROUPS, "group")
    return Section("copies", "Duplicates", tuple(blocks))


def _copies_gallery(number: int, group: DuplicateGroup, gallery: ThumbnailGallery) -> Gallery:
    people = len(set(group.patients))
    words = ["the same file" if group.how == "bytes" else f"near copies, correlation {group.correlation:.2f}"]
    words.append("one patient" if people == 1 else f"{people} patients")
    words += ["mirrored"] if group.mirrored else []
    words += ["leak: in several parts"] if group.crosses else []
    words += ["labels differ"] if group.conflict else []
    if len(group.paths) > _PICTURED_COPIES:
        words.append(f"and {len(group.paths) - _PICTURED_COPIES} more")
    films = tuple(
        gallery.film(path, truth=label, more=part)
        for path, label, part in list(zip(group.paths, group.labels, group.parts, strict=True))[:_PICTURED_COPIES]
    )
    return Gallery(f"copies-{number}", f"Group {number}: {', '.join(words)}", films, "")


def _files_section(report: AuditReport, gallery: ThumbnailGallery) -> Section:
    rows = tuple(
        Row(kind.mode, (
            Cell(f"{kind.bit_depth}"), Cell(f"{kind.films:,}"),
            *(Cell(f"{kind.by_class.get(name, 0):,}") for name in report.classes),
        ))
        for kind in report.kinds
    )  # fmt: skip
    (low, middle, high), (narrow, median, wide) = report.sizes.rows, report.sizes.columns
    blocks: list[Block] = [
        Table("kinds", "How films are stored", ("Mode", "Bits", "Films", *report.classes), rows),
        Text(
            f"Height {low:,} to {high:,} pixels, median {middle:,}; width {narrow:,} to {wide:,}, median {median:,}.",
            "small",
        ),
    ]
    if report.problems:
        listed = tuple(Row(noted.path, (Cell(noted.what),)) for noted in report.problems[:_LISTED])
        blocks.append(Table("problems", "Left out", ("File", "Reason"), listed))
        blocks += _rest(len(report.problems) - _LISTED, "file")
    else:
        blocks.append(Text("Every file could be read and has a label.", title="Left out"))
    films = tuple(gallery.film(noted.path, more=noted.what) for noted in report.odd[:_PICTURED_FILMS])
    blocks.append(Gallery("outliers", "Outliers", films, "None."))
    blocks += _rest(len(report.odd) - _PICTURED_FILMS, "film")
    return Section("files", "Files", tuple(blocks))


def _sites_sections(report: AuditReport) -> list[Section]:
    """How well each site can be told from the others; none of one site."""
    if not report.sites:
        return []
    rows = []
    by_network = {site.site: site for site in report.network_sites}
    for site in report.sites:
        seen = by_network.get(site.site)
        asked = (site.auc, site.with_finding, *(() if seen is None else (seen.auc, seen.with_finding)))
        told = [Cell(_with_interval(auc) if auc else "cannot be asked") for auc in asked]
        rows.append(Row(site.site, (Cell(f"{site.films:,}"), Cell(f"{site.finding / site.films:.0%}"), *told)))
    return [
        Section(
            "sites",
            "Sites: told apart by acquisition alone",
            (
                Text(
                    "How well a site can be told from the others by how its films were made (0.5 is chance). What "
                    "tells the site can stand for the disease wherever sites differ in their share of it: draw films "
                    "so that each site has the same share (data.balance = site-class), and judge on sites left out."
                ),
                *(
                    [
                        Text(
                            f"Beside it, how well the features of the network of {report.network} tell the site: a "
                            "linear probe on its last layer's input, cross-validated by patient. What it tells, the "
                            "network can use."
                        )
                    ]
                    if by_network
                    else []
                ),
                Table(
                    "site-auc",
                    "AUC of each site against the others, among films of one kind",
                    (
                        *("Site", "Films", "With the finding", "AUC without the finding", "AUC with it"),
                        *((f"{report.network}, without", f"{report.network}, with") if by_network else ()),
                    ),
                    tuple(rows),
                ),
            ),
        )
    ]


def _shortcuts_section(report: AuditReport) -> Section:
    shortcuts, model = report.shortcuts, report.image_model
    title = "Shortcuts: prediction from acquisition alone"
    if shortcuts.auc is None:
        return Section("shortcuts", title, (Text(f"Cannot be asked: {shortcuts.why_not or shortcuts.verdict}."),))
    strict = f"; {_with_interval(shortcuts.strict)} from those that are blind to disease" if shortcuts.strict else ""
    sees = f"{model.auc.value:.3f}" if model.auc else "no metric"
    blocks: list[Block] = [
        Text(
            f"How well one can predict {shortcuts.task} from how the films were made: AUC "
            f"{_with_interval(shortcuts.auc)} from all features, {shortcuts.verdict}{strict}. Chance is 0.5. The image "
            f"model, which sees the chest too, has {sees}. A score no better than this proves little, and films of "
            "another machine may lose it."
        )
    ]
    if shortcuts.pattern:
        blocks.append(
            Text(
                f"And {shortcuts.pattern_task}, among the films with the finding: AUC "
                f"{_with_interval(shortcuts.pattern)} from the same features."
            )
        )
    blocks += [
        Table("shortcut-auc", "AUC of each group of features (the axis runs from 0.5 to 1)",
              ("Features", "AUC (95 % interval)", "Loss of AUC without"), tuple(_auc_rows(report))),
        Text(
            "Loss: how far the AUC of the whole falls when this group's values are exchanged between films; groups "
            "that say the same stand in for each other, so that each may lose little. Size, coding, borders and "
            "markers are blind to disease, or nearly so. Sharpness, gray levels and bytes are of the whole film: a "
            "white lung moves them, so that with them the figure bounds the shortcut from above. Classifier: "
            f"{shortcuts.classifier}, {shortcuts.folds} folds. Image model: {model.words}.",
            "small",
        ),
    ]  # fmt: skip
    rows = tuple(
        Row(one.words, (
            Cell(one.group), Cell(f"{one.auc:.3f}"), Cell("higher" if one.higher else "lower"),
            *(Cell(f"{one.medians.get(name, 0):.3g}") for name in report.classes),
        ))
        for one in shortcuts.features[:15]
    )  # fmt: skip
    head = ("Feature", "Group", "AUC alone", "With the finding", *(f"{name}, median" for name in report.classes))
    features = Table("features", "The most predictive features", head, rows)
    blocks.append(Disclosure("Feature by feature", (features,), open=True))
    return Section("shortcuts", title, tuple(blocks))


def _auc_rows(report: AuditReport) -> list[Row]:
    """All features, those blind to disease, each group, the header, and the image model."""
    shortcuts = report.shortcuts
    rows = [
        _auc_row("All features", "whatever is measured", shortcuts.auc),
        _auc_row("Blind to disease", "size, coding, borders, markers", shortcuts.strict, none="the films are alike"),
    ]
    rows += [
        _auc_row(group.name.capitalize(), _GROUP_WORDS[group.name], group.alone, drop=f"{group.drop:.3f}",
                 none="the films are alike")
        for group in shortcuts.groups
    ]  # fmt: skip
    rows.append(_auc_row("Header alone", "size, file and coding: no pixel", shortcuts.no_pixels))
    rows.append(_auc_row("Image model", report.image_model.kind, report.image_model.auc, reference=True))
    return rows


def _auc_row(
    title: str,
    more: str,
    value: AucEstimate | None,
    *,
    drop: str = "",
    none: str = "cannot be computed",
    reference: bool = False,
) -> Row:
    if value is None:
        return Row(title, (Cell(none, faint=True), Cell(drop)), more)
    at, low, high = (round(200 * (min(1.0, max(0.5, end)) - 0.5), 2) for end in (value.value, value.low, value.high))
    return Row(title, (Cell(_with_interval(value), drawing=IntervalBar(at, low, high, reference)), Cell(drop)), more)


def _clusters_section(report: AuditReport, gallery: ThumbnailGallery) -> Section:
    clusters = report.clusters
    title = "Acquisition clusters"
    if not clusters.clusters:
        return Section("clusters", title, (Text(f"None: {clusters.why_not}."),))
    head = ("Cluster", "Typical film", "Films", "Classes", "Distinguished by", "Image model's AUC within")
    rows = tuple(_cluster_row(cluster, gallery) for cluster in clusters.clusters)
    text = (
        "Films that were made alike: clusters of the same features, found without the labels. Association with the "
        f"class: {clusters.association:.2f} (Cramér's V; 0 none, 1 the cluster gives the class away). Holding out "
        "whole clusters asks whether a model survives another way of making films."
    )
    return Section("clusters", title, (Text(text), Table("clusters", "Clusters of acquisition features", head, rows)))


def _cluster_row(cluster: Cluster, gallery: ThumbnailGallery) -> Row:
    total = max(1, sum(cluster.by_class.values()))
    bars = Bars(
        tuple(BarPart(100 * count / total, name, place) for place, (name, count) in enumerate(cluster.by_class.items()))
    )
    auc = cluster.image_auc
    return Row(
        f"{cluster.number}",
        (
            Cell("", drawing=Thumbnail(gallery.picture(cluster.example), cluster.example)),
            Cell(f"{cluster.films:,}"),
            Cell("", tuple(f"{name} {count:,}" for name, count in cluster.by_class.items()), drawing=bars),
            Cell("", tuple(cluster.traits)),
            Cell("too few of a class", faint=True)
            if auc is None
            else Cell(f"{auc.value:.3f}", (f"{auc.low:.3f} to {auc.high:.3f}",)),
        ),
    )


def _labels_section(report: AuditReport, gallery: ThumbnailGallery) -> Section:
    blocks: list[Block] = [
        Text(
            "Films whose label a model does not believe that has not seen their patient (confident learning). It is a "
            "list to look through, not a verdict: the model may be the one that is wrong, and what it believes may "
            f"come from a shortcut. Predictions: {report.image_model.words}."
        )
    ]
    for number, noise in enumerate(report.label_noise, 1):
        blocks += _noise_blocks(number, noise, gallery)
    return Section("labels", "Likely label errors", tuple(blocks))


def _noise_blocks(number: int, noise: LabelNoise, gallery: ThumbnailGallery) -> list[Block]:
    """The likely mislabelled films at one level, the least plausible first, and the estimated table."""
    against = "Classes" if len(noise.classes) > 2 else " against ".join(noise.classes)
    title = "Finding" if noise.level == "finding" else against
    if noise.why_not:
        return [Text(f"Cannot be asked: {noise.why_not}.", title=title)]
    rows = tuple(
        Row(name, tuple(Cell(f"{round(count):,}") for count in row))
        for name, row in zip(noise.classes, noise.joint, strict=True)
    )
    films = tuple(
        gallery.film(
            one.path,
            more=f"Labelled {one.label} ({one.p_label:.3f}), rather {one.suggested} ({one.p_suggested:.3f}).",
        )
        for one in noise.suspects[:_PICTURED_FILMS]
    )
    caption = "Estimated numbers of films, by given label (rows) and likely class (columns)"
    return [
        Text(f"{counted(len(noise.suspects), 'film')} of {noise.films:,}.", title=title),
        Table(f"noise-{number}", caption, ("Labelled", *noise.classes), rows),
        Gallery(f"suspects-{number}", f"{title}: the least plausible labels", films, "No label is doubtful."),
        *_rest(len(noise.suspects) - _PICTURED_FILMS, "film"),
    ]


def _method_section(report: AuditReport) -> Section:
    seconds = ", ".join(f"{name} {value:.1f}" for name, value in report.seconds.items())
    lines = (
        f"Manifest {report.manifest_sha256[:16]}.",
        f"Seconds: {seconds}.",
        "All lists in full: audit.json; one row a film with its features, cluster and probabilities: films.parquet.",
    )
    return Section("method", "Methods", (Notes("", lines),))


def _with_interval(value: AucEstimate) -> str:
    return f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"


def _rest(number: int, noun: str) -> list[Block]:
    """What the page does not list."""
    return [Text(f"{counted(number, noun)} more in audit.json.", "small")] if number > 0 else []


def write_audit(found: Audit, folder: str | PathLike[str]) -> list[Path]:
    """Write ``audit.html``, ``audit.json`` and ``films.parquet``.

    The table has path, sha256, patient, label, part, cluster, p_CLASS (of the image model), and all acquisition
    features.

    Raises:
        MissingExtra: jinja2 or pyarrow is not installed.
        StorageError: The disk is full or the folder cannot be written.
    """
    out = make_folder(folder)
    page, findings, films = out / "audit.html", out / "audit.json", out / "films.parquet"
    _write_films(found, films)
    write_document(found.report, findings)
    write_atomically(page, audit_page(found))
    return [page, findings, films]


def _write_films(found: Audit, path: Path) -> None:
    try:
        import pyarrow as pa  # noqa: PLC0415 - heavy
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra.named("pyarrow", extra="audit", needed_for="the audit's table") from error
    films = found.manifest.films
    columns: dict[str, Any] = {
        "path": [film.path for film in films],
        "sha256": [film.sha256 for film in films],
        "patient": [film.patient for film in films],
        "label": [film.label for film in films],
        "part": list(found.parts),
        "cluster": found.clusters,
    }
    p = found.predictions.probabilities
    columns |= {f"p_{name}": p[:, place] for place, name in enumerate(found.manifest.classes)}
    columns |= {name: found.measured.features[:, place] for place, name in enumerate(feature_names())}
    with open_atomically(path) as file:
        pq.write_table(pa.table(columns), file)
