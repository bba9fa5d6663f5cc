"""What reader studies consist of: frozen records. Times are in UTC."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from pneumoscope.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Row

__all__ = [
    "SCALES",
    "ZONES",
    "Arm",
    "Arms",
    "Box",
    "Candidate",
    "Design",
    "NewReaderReading",
    "ReaderProgress",
    "ReaderReading",
    "ReaderStudy",
    "Scale",
    "Status",
    "StudyFilm",
    "Task",
    "to_reader_study",
    "to_study_film",
]

Arm = Literal["unaided", "aided"]
Arms = Literal["unaided", "sequential", "independent"]
Scale = Literal["five", "continuous"]
Status = Literal["draft", "running", "closed"]

SCALES: dict[str, tuple[float, float]] = {"five": (1, 5), "continuous": (0, 100)}
"""Lowest and highest rating; higher is more suspicious of the finding."""

ZONES = tuple(f"{side} {level}" for side in ("right", "left") for level in ("upper", "middle", "lower"))
"""Sixths of the lungs; "right" is the patient's right."""

_LONGEST_NAME = 120
_LONGEST_TEXT = 4000
_MOST_CLASSES = 12


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the film as it is shown, as fractions of its width and height from the top left.

    Attributes:
        left: 0 to 1.
        top: 0 to 1.
        right: 0 to 1, beyond ``left``.
        bottom: 0 to 1, beyond ``top``.
        label: What it is drawn around; empty for the finding.
    """

    left: float
    top: float
    right: float
    bottom: float
    label: str = ""

    def __post_init__(self) -> None:
        """Hold it within the film.

        Raises:
            UsageError: It lies beyond the film, or has no area.
        """
        edges = (self.left, self.top, self.right, self.bottom)
        if not all(0 <= edge <= 1 for edge in edges) or self.left >= self.right or self.top >= self.bottom:
            raise UsageError(
                f"a box is left < right and top < bottom, from 0 to 1, and not {edges}",
                where="boxes",
                remedy="Give fractions of the film's width and height",
            )


@dataclass(frozen=True, slots=True)
class Design:
    """What is fixed before the first film is read.

    Attributes:
        name: Of the study, as readers see it.
        finding: What is looked for.
        classes: The answers that readers choose from.
        positive: Those of them that mean that the finding is present.
        arms: "unaided"; "sequential": unaided, then, after the washout, aided by the model; "independent": half of the
            readers unaided, the others aided.
        washout_days: Between the end of the first arm and the beginning of the second.
        scale: Of the rating: "five" points, or "continuous" from 0 to 100.
        instructions: Shown to readers before they begin.
        readers: Names of users.
        seed: Of the sample and of the orders of reading.
    """

    name: str
    finding: str = "pneumonia"
    classes: tuple[str, ...] = ("pneumonia", "no pneumonia")
    positive: tuple[str, ...] = ("pneumonia",)
    arms: Arms = "unaided"
    washout_days: float = 28.0
    scale: Scale = "five"
    instructions: str = ""
    readers: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        """Hold it to what can be read.

        Raises:
            UsageError: It cannot.
        """
        if not self.name.strip() or len(self.name) > _LONGEST_NAME:
            raise UsageError(f"a reader study has a name of at most {_LONGEST_NAME} characters", where="name")
        if self.arms not in get_args(Arms):
            raise UsageError(f"there are no arms {self.arms!r}", where="arms", remedy=f"Take one of {get_args(Arms)}")
        if self.scale not in SCALES:
            raise UsageError(f"there is no scale {self.scale!r}", where="scale", remedy="Take five or continuous")
        if not 0 <= self.washout_days <= 3660:
            raise UsageError("the washout is 0 days or more", where="washout_days")
        if len(self.instructions) > _LONGEST_TEXT:
            raise UsageError(f"the instructions have at most {_LONGEST_TEXT} characters", where="instructions")
        if not 2 <= len(set(self.classes)) == len(self.classes) <= _MOST_CLASSES:
            raise UsageError(f"readers choose among 2 to {_MOST_CLASSES} classes, each once", where="classes")
        if not set(self.positive) < set(self.classes) or not self.positive:
            raise UsageError(
                "some of the classes mean that the finding is present, and some that it is not",
                where="positive",
                remedy="Name those that mean it; each is one of the classes",
            )
        if len(set(self.readers)) != len(self.readers):
            raise UsageError("a reader stands in the list twice", where="readers")

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Design:
        """As it was kept."""
        lists = {name: tuple(kept[name]) for name in ("classes", "positive", "readers")}
        return cls(**{**kept, **lists})

    @property
    def rating_range(self) -> tuple[float, float]:
        """Lowest and highest rating."""
        return SCALES[self.scale]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A film that may be read in a study.

    Attributes:
        film: sha256 of the film.
        study: Its study in the worklist.
        reading: The model's reading of it.
        patient: Keyed hash; films without one count as a patient each.
        label: The reference class; empty where there is none.
        positive: Whether the label means that the finding is present; None without a label.
        probability: The model's, of the finding.
        threshold: Of the model's operating point.
        model_positive: Whether the model calls it.
        bundle: Name and version of the model.
        training: Chosen as a training film.
    """

    film: str
    study: str
    reading: str
    patient: str
    label: str = ""
    positive: bool | None = None
    probability: float | None = None
    threshold: float | None = None
    model_positive: bool | None = None
    bundle: str = ""
    training: bool = False


StudyFilm = Candidate
"""A film of a study: the candidate that was chosen."""


@dataclass(frozen=True, slots=True)
class ReaderStudy:
    """One version of a reader study.

    Attributes:
        id: Of this version.
        series: Id of its first version.
        version: From 1.
        status: "draft" may be changed; "running" is frozen and read; "closed" is over.
        design: What is fixed.
        sampling: How the films were chosen, and how many were left out and why.
        digest: sha256 of design and films as they were started; empty for a draft.
        films: How many are read, training films aside.
        training: How many training films are read before.
    """

    id: str
    series: str
    version: int
    status: Status
    design: Design
    sampling: dict[str, Any]
    digest: str
    created: datetime
    created_by: str
    started: datetime | None
    closed: datetime | None
    films: int
    training: int


@dataclass(frozen=True, slots=True)
class NewReaderReading:
    """What a reader says of a film.

    Attributes:
        arm: Which is read.
        position: Of the film in the reader's order.
        key: Made by who sends it: the same key again is the same reading.
        class_name: One of the study's classes.
        rating: On the study's scale.
        boxes: Drawn on the film.
        zones: Out of ``ZONES``.
        comment: Free text.
        seconds: That the film was looked at, pauses aside.
    """

    arm: Arm
    position: int
    key: str
    class_name: str
    rating: float
    boxes: tuple[Box, ...] = ()
    zones: tuple[str, ...] = ()
    comment: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ReaderReading:
    """A reading as it is kept; ``source`` is "web" or "import"."""

    id: str
    reader: str
    arm: Arm
    film: str
    class_name: str
    rating: float
    boxes: tuple[Box, ...]
    zones: tuple[str, ...]
    comment: str
    seconds: float | None
    started: datetime | None
    finished: datetime
    training: bool
    source: str


@dataclass(frozen=True, slots=True)
class Task:
    """What a reader has to do now.

    Attributes:
        state: "read" a film; wait for the end of the "washout"; "done".
        arm: Which is read; empty when done.
        position: Of the film in the reader's order, from 1.
        done: Films of the arm that were read.
        total: Films of the arm.
        training: It is a training film, and feedback follows.
        film: The film; empty unless one is read.
        draft: What was said of it so far, before the page was closed.
        ahead: Position of the film after it, to load it before; None at the end.
        available: When the washout ends; None unless it is waited for.
    """

    state: Literal["read", "washout", "done"]
    arm: Arm | Literal[""] = ""
    position: int = 0
    done: int = 0
    total: int = 0
    training: bool = False
    film: str = ""
    draft: dict[str, Any] = field(default_factory=dict)
    ahead: int | None = None
    available: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReaderProgress:
    """How far a reader is in an arm; ``seconds`` is the median time of a film, ``left`` when the reader was let go."""

    reader: str
    arm: Arm
    done: int
    total: int
    seconds: float | None
    last: datetime | None
    left: datetime | None


def to_reader_study(row: Row[Any], films: int, training: int) -> ReaderStudy:
    """A row of ``reader_study``."""
    return ReaderStudy(
        id=row.id,
        series=row.series,
        version=row.version,
        status=cast("Status", row.status),
        design=Design.from_json(row.design),
        sampling=row.sampling,
        digest=row.digest,
        created=row.created,
        created_by=row.created_by,
        started=row.started,
        closed=row.closed,
        films=films,
        training=training,
    )


def to_study_film(row: Row[Any]) -> StudyFilm:
    """A row of ``reader_study_film``."""
    return StudyFilm(
        film=row.film,
        study=row.study,
        reading=row.reading,
        patient=row.patient,
        label=row.label,
        positive=row.positive,
        probability=row.probability,
        threshold=row.threshold,
        model_positive=row.model_positive,
        bundle=row.bundle,
        training=row.training,
    )
