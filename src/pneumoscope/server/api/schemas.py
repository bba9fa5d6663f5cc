"""What the API takes in, and gives out beside what ``types.studies`` declares."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pneumoscope.types.studies import Study

__all__ = ["Action", "Done", "NewVerdict", "Note", "StudyPage"]

Id = Annotated[str, Field(min_length=1, max_length=64)]


class StudyPage(BaseModel):
    """Some studies; ``next`` is the cursor of those that follow."""

    items: list[Study]
    next: str | None


class Note(BaseModel):
    """A note, in place of the one before."""

    model_config = ConfigDict(extra="forbid")
    note: Annotated[str, Field(max_length=4000)]


class NewVerdict(BaseModel):
    """What a person says of a study; "correct" says that the reading was wrong, and what is right."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["agree", "correct", "not-assessable"]
    corrected_to: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    comment: Annotated[str, Field(max_length=4000)] = ""
    findings: Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=20)] = []


class Action(BaseModel):
    """One thing to do to many studies."""

    model_config = ConfigDict(extra="forbid")
    action: Literal["delete", "agree"]
    ids: Annotated[list[Id], Field(min_length=1, max_length=1000)]


class Done(BaseModel):
    """To how many studies it was done; those that were not there, or could not be agreed with, do not count.

    Attributes:
        done: How many.
        verdicts: Ids of the verdicts that were given, by study, to take them back by.
    """

    done: int
    verdicts: dict[str, str] = {}
