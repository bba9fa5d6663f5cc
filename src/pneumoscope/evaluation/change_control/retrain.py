"""Retraining: a candidate by the bundle's own recipe, judged by rules that were written down before."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from pneumoscope import __version__
from pneumoscope.errors import ConfigError, DatasetError, UsageError
from pneumoscope.evaluation.change_control.judge import RuleOutcome, judge_locked, judge_verdicts, not_learned
from pneumoscope.evaluation.change_control.rules import RegressionRules, read_rules
from pneumoscope.evaluation.dataset import evaluation_films
from pneumoscope.evaluation.inference import predict
from pneumoscope.evaluation.serialization import read_document, write_document
from pneumoscope.evaluation.systems import BundleSystem
from pneumoscope.model.bundle import read_bundle
from pneumoscope.settings import NOTICE
from pneumoscope.storage import lock_file, make_folder, write_atomically
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.run import train
from pneumoscope.training.setup import manifest_for, split_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from pathlib import Path

    from pneumoscope.data.manifest import Manifest
    from pneumoscope.model.schema import BundleMeta

__all__ = ["Decision", "RetrainProtocol", "bundle_recipe", "retrain"]


@dataclass(frozen=True, slots=True)
class RetrainProtocol:
    """What was written down before the candidate was judged; kept in protocol.json.

    Attributes:
        bundle: sha256 of the bundle in use.
        rules: sha256 of the rules' file.
        locked: sha256 of the locked films and labels.
        verdicts: sha256 of the films with recent verdicts and their labels; "" without.
        learned: sha256 of the films and labels that are learned from.
        written: When these rules were first seen, ISO 8601, UTC.
        judged: Whether the candidate has read locked films; from then on nothing may change.
    """

    bundle: str
    rules: str
    locked: str
    verdicts: str
    learned: str
    written: str
    judged: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the candidate may take the place of the bundle in use; kept in decision.json.

    Attributes:
        decision: "accept" or "reject".
        decided_by: The rule that decided: the first that was broken, or that all held.
        in_use: Name and version of the bundle in use.
        in_use_sha256: Of its file.
        candidate: Name and version of the candidate.
        candidate_sha256: Of its file.
        protocol: What was written down before.
        rules: The rules themselves.
        outcomes: Each rule, and what came of it.
        changes: Keys of the recipe that differ, with the values in use and of the candidate.
        sites: Films learned from, by site and label.
        locked_films: Number of locked films.
        verdict_films: Films with verdicts that were judged, and those left out because a bundle learned from them.
        warnings: What a reader must know, each a sentence.
        minutes: Of learning.
        created: ISO 8601, UTC.
        software: pneumoscope's version.
        notice: Research use only.
    """

    decision: str
    decided_by: str
    in_use: str
    in_use_sha256: str
    candidate: str
    candidate_sha256: str
    protocol: RetrainProtocol
    rules: RegressionRules
    outcomes: tuple[RuleOutcome, ...]
    changes: dict[str, tuple[Any, Any]]
    sites: dict[str, dict[str, int]]
    locked_films: int
    verdict_films: tuple[int, int] = (0, 0)
    warnings: tuple[str, ...] = ()
    minutes: float = 0.0
    created: str = ""
    software: str = f"pneumoscope {__version__}"
    notice: str = NOTICE

    @property
    def accepted(self) -> bool:
        """Whether every rule held."""
        return self.decision == "accept"


def bundle_recipe(meta: BundleMeta, where: str | PathLike[str]) -> TrainConfig:
    """The configuration that a bundle was trained with.

    Raises:
        ConfigError: The bundle does not hold one that can be run again.
    """
    kept = meta.provenance.config
    remedy = "Give the recipe with --config FILE"
    if not kept or "members" in kept:
        what = "an ensemble has no recipe of one training" if kept else "the bundle does not hold its recipe"
        raise ConfigError(what, where=where, remedy=remedy)
    own = {name: value for name, value in kept.items() if name in TrainConfig.__struct_fields__}
    try:
        return TrainConfig.from_dict(own)
    except msgspec.ValidationError as error:
        raise ConfigError(f"the bundle's recipe cannot be used ({error})", where=where, remedy=remedy) from error


def retrain(
    bundle: Path,
    grown: Manifest,
    locked: Manifest,
    rules_file: Path,
    out: Path,
    *,
    config: TrainConfig | None = None,
    verdicts: Manifest | None = None,
    progress: bool = True,
    tell: Callable[[str], None] = lambda _: None,
) -> Decision:
    """Learn a candidate, judge it on films that it never met, decide, and write all of it down.

    After a kill the same call goes on: learning from its last epoch, reading from its last film.

    Args:
        bundle: The bundle in use.
        grown: The films to learn from.
        locked: The locked evaluation set.
        rules_file: TOML; see ``RegressionRules``.
        out: Folder of protocol.json, rules.toml, the candidate's run, decision.json, change-control.md and .html.
        config: In place of the bundle's own recipe.
        verdicts: Films with recent verdicts.
        progress: Show bars.
        tell: Told what is done, a sentence at a time.

    Raises:
        UsageError: Rules or films changed after the candidate was judged, or the folder holds another retraining.
        DatasetError: Locked films are learned from, or the films do not fit.
        ConfigError: The recipe or the rules cannot be used.
        BundleError: The bundle cannot be used.
        TrainingError: Learning failed.
        StorageError: The disk is full; the call can be made again.
    """
    from pneumoscope.evaluation.change_control.page import write_change_control  # noqa: PLC0415 - it needs this module

    rules, rules_sha256 = read_rules(rules_file)
    _, meta, bundle_sha256 = read_bundle(bundle)
    recipe = bundle_recipe(meta, bundle)
    config = recipe if config is None else config
    if config.version == meta.version:
        config = msgspec.structs.replace(config, version=f"{meta.version}-retrained")
    in_use = BundleSystem(bundle)
    if rules.preset not in in_use.facts.thresholds:
        raise UsageError(
            f"the bundle has no operating point {rules.preset!r}",
            where=rules_file,
            remedy=f"Name one of {', '.join(in_use.facts.thresholds)} as preset",
        )
    warnings = _check_locked(locked, grown, config, in_use)
    make_folder(out)
    with lock_file(out / ".lock") as free:
        if not free:
            raise UsageError("another retraining works in this folder", where=out, remedy="Wait for it to end")
        asked = RetrainProtocol(
            bundle=bundle_sha256,
            rules=rules_sha256,
            locked=locked.sha256,
            verdicts="" if verdicts is None else verdicts.sha256,
            learned=grown.sha256,
            written=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        protocol = _write_protocol(asked, rules_file, out)
        tell("Learning the candidate")
        run = train(grown, out / "candidate", config, progress=progress, tell=tell)
        challenger = BundleSystem(run.folder.bundle)
        if met := _met(locked, challenger):
            raise _learned(met, locked, "the candidate")
        protocol = _judged(protocol, out)
        tell("Reading the locked films with both bundles")
        films = evaluation_films(locked, part="all")
        systems = {"in-use": in_use, "candidate": challenger}
        tables = {
            name: predict(system, films, parts=out / "parts" / f"locked-{name}.jsonl", progress=progress)
            for name, system in systems.items()
        }
        outcomes = judge_locked(tables["in-use"], tables["candidate"], rules)
        counted = (0, 0)
        if verdicts is not None:
            counted, more = _on_verdicts(verdicts, systems, rules, out, progress=progress)
            outcomes += more
        elif rules.verdicts is not None:
            warnings.append("The rules have a limit for recent verdicts, and none were given: it was not judged.")
        broken = [one for one in outcomes if one.held is False]
        new = challenger.reader.meta
        decision = Decision(
            decision="reject" if broken else "accept",
            decided_by=broken[0].words if broken else "every rule held",
            in_use=f"{meta.name} {meta.version}",
            in_use_sha256=bundle_sha256,
            candidate=f"{new.name} {new.version}",
            candidate_sha256=challenger.facts.sha256,
            protocol=protocol,
            rules=rules,
            outcomes=tuple(outcomes),
            changes=recipe.differences(config),
            sites=_by_site(grown),
            locked_films=len(locked),
            verdict_films=counted,
            warnings=tuple(warnings),
            minutes=new.provenance.minutes,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        write_change_control(decision, out)
        write_document(decision, out / "decision.json")
    return decision


def _check_locked(locked: Manifest, grown: Manifest, config: TrainConfig, in_use: BundleSystem) -> list[str]:
    """Hold that nobody learned from a locked film.

    Returns:
        What cannot be known, each a sentence.

    Raises:
        DatasetError: Somebody did, or will.
    """
    if met := _met(locked, in_use):
        raise _learned(met, locked, "the bundle in use")
    manifest = manifest_for(grown, config)
    calibration = config.calibration
    if calibration.folds or calibration.sites or calibration.block:  # their runs split the films otherwise
        rows = list(range(len(manifest)))
    else:
        parts = split_for(manifest, config).parts
        rows = [int(row) for part in ("train", "val") for row in parts[part]]
    digests = {manifest.films[row].sha256 for row in rows}
    if met := [film.path for film in locked.films if film.sha256 in digests]:
        raise _learned(met, locked, "the candidate")
    if not in_use.facts.learned:
        return ["The bundle in use does not say which films it learned from: if it met locked films, it is flattered."]
    return []


def _met(locked: Manifest, system: BundleSystem) -> list[str]:
    """Paths of the locked films that a bundle learned from or was chosen by."""
    return [film.path for film in locked.films if any(part.count([film.sha256]) for part in system.facts.learned)]


def _learned(met: list[str], locked: Manifest, by: str) -> DatasetError:
    return DatasetError(
        f"{len(met)} of {len(locked)} locked films are among those that {by} learns from (the first: {met[0]})",
        where=locked.root,
        remedy="Take these films out of the locked set, or out of the sites: what was learned from judges nothing",
    )


def _write_protocol(asked: RetrainProtocol, rules_file: Path, out: Path) -> RetrainProtocol:
    """Keep the rules before anything is judged, or hold a retraining that is gone on with to what was kept.

    Raises:
        UsageError: Something differs from what was kept.
    """
    path = out / "protocol.json"
    if path.exists():
        kept = read_document(path, RetrainProtocol, what="protocol of a retraining")
        for name, what in (
            ("bundle", "another bundle"),
            ("locked", "other locked films or labels"),
            ("verdicts", "other verdicts"),
            ("learned", "other films or labels to learn from"),
        ):
            if getattr(kept, name) != getattr(asked, name):
                raise UsageError(f"the folder holds a retraining with {what}", where=out, remedy="Give another --out")
        if kept.rules == asked.rules:
            return kept
        if kept.judged:
            raise UsageError(
                "the rules were changed after the candidate was judged",
                where=rules_file,
                remedy=f"Judge by the rules that were written down before: {out / 'rules.toml'}",
            )
    elif any(entry.name != ".lock" for entry in out.iterdir()):
        raise UsageError("the folder is not empty, and holds no retraining", where=out, remedy="Give another --out")
    write_atomically(out / "rules.toml", rules_file.read_bytes())
    write_document(asked, path)
    return asked


def _judged(protocol: RetrainProtocol, out: Path) -> RetrainProtocol:
    """From now on the rules stand; written before the candidate reads the first locked film."""
    if protocol.judged:
        return protocol
    kept = replace(protocol, judged=True)
    write_document(kept, out / "protocol.json")
    return kept


def _on_verdicts(
    verdicts: Manifest, systems: dict[str, BundleSystem], rules: RegressionRules, out: Path, *, progress: bool
) -> tuple[tuple[int, int], list[RuleOutcome]]:
    """The films with verdicts that neither bundle learned from."""
    films = evaluation_films(verdicts, part="all")
    tables = {
        name: predict(system, films, parts=out / "parts" / f"verdicts-{name}.jsonl", progress=progress)
        for name, system in systems.items()
    }
    kept, left_out = {}, 0
    for name, table in tables.items():
        fresh = not_learned(table, [part for system in systems.values() for part in system.facts.learned])
        left_out = max(left_out, int((~fresh).sum()))
        if fresh.any():
            kept[name] = table.take(fresh)
    if len(kept) < len(tables):
        return (0, left_out), []
    return (len(kept["candidate"]), left_out), judge_verdicts(kept["in-use"], kept["candidate"], rules)


def _by_site(manifest: Manifest) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for film in manifest.films:
        found.setdefault(film.site, Counter())[film.label] += 1
    return {site: dict(sorted(counts.items())) for site, counts in sorted(found.items())}
