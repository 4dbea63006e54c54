"""Many clips of many scenes, as Parquet files in a folder: what `camvig data render-clips` does.

What always holds: a file appears whole or not at all, under the name of its scene and its first clip, so a run that was
killed goes on with the files that are missing, no clip is lost or comes twice, and any number of processes and
machines may share the work (each takes every n-th file). A folder has one plan; another is refused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from tqdm import tqdm

from ..camera_paths.atomic_file import write_then_rename
from .scene_clips import GENERATOR_VERSION, scene_clip, scene_row_table
from .scenes.scene_paths import PathReport, ScenePaths
from .scenes.scene_sources import open_scene, scene_fingerprint

CLIPS_PER_FILE = 32
PLAN_NAME, REPORT_NAME = "plan.json", "report.json"
REPORT_KEY = b"camvig"  # of a file's metadata: how many paths were placed and rejected for it


@dataclass(frozen=True)
class Plan:
    """What a folder of clips holds when it is complete."""

    scenes: dict[str, str]  # name -> fingerprint of the scene's files
    clips: int  # in all, shared evenly by the scenes
    size: int  # pixels a side
    seed: int
    generator_version: str = GENERATOR_VERSION


@dataclass(frozen=True)
class ClipFile:
    """One file of a plan, and what is in it."""

    scene: str  # its name
    first: int  # number of its first clip among those of the scene
    count: int

    @property
    def name(self) -> str:
        return f"{self.scene}-{self.first:07d}.parquet"


@dataclass(frozen=True)
class _Job:
    folder: Path
    plan: Plan
    source: str
    trust_remote_code: bool
    file: ClipFile


def files_of(plan: Plan) -> list[ClipFile]:
    """All files of a plan, the scenes taking turns, so that a run that is stopped has some of each."""
    files = []
    for number, scene in enumerate(plan.scenes):
        clips = plan.clips // len(plan.scenes) + (number < plan.clips % len(plan.scenes))
        starts = range(0, clips, CLIPS_PER_FILE)
        files += [ClipFile(scene, first, min(CLIPS_PER_FILE, clips - first)) for first in starts]
    return sorted(files, key=lambda file: (file.first, file.scene))


def render_clips(
    sources: Sequence[str],
    clips: int,
    folder: Path,
    size: int = 64,
    seed: int = 0,
    num_processes: int = 1,
    shard: tuple[int, int] = (0, 1),
    trust_remote_code: bool = False,
) -> dict:
    """Render what is missing of `clips` clips of `sources` (see `scene_sources`) into `folder`, and return its report.

    Args:
        shard: (i, n): only every n-th file, from the i-th; another process or machine does the others.
        trust_remote_code: for nerfstudio's checkpoints, see `scene_sources`.

    Raises:
        ValueError: no or the same scenes, a folder of another plan, or a scene in which hardly any path fits.
    """
    plan, source_of = make_plan(sources, clips, size, seed, trust_remote_code)
    keep_plan(plan, folder)
    mine = files_of(plan)[shard[0] :: shard[1]]
    missing = [file for file in mine if not (folder / file.name).exists()]
    jobs = [_Job(folder, plan, source_of[file.scene], trust_remote_code, file) for file in missing]
    done = sum(file.count for file in mine) - sum(file.count for file in missing)
    with tqdm(total=sum(file.count for file in mine), initial=done, unit="clip", desc="rendering") as progress:
        for count in _run(jobs, num_processes):
            progress.update(count)
    return write_report(plan, folder)


def make_plan(
    sources: Sequence[str], clips: int, size: int, seed: int, trust_remote_code: bool = False
) -> tuple[Plan, dict[str, str]]:
    """The plan, and which source each scene's name is."""
    if not 16 <= size <= 1024:
        raise ValueError(f"expected pictures of 16 to 1024 pixels, got {size}")
    if clips < 1 or not sources:
        raise ValueError(f"expected at least one clip and one scene, got {clips} and {len(sources)}")
    source_of: dict[str, str] = {}
    for source in sources:
        name = open_scene(source, trust_remote_code).name
        if name in source_of:
            raise ValueError(f"expected scenes of different names, got {name!r} from {source_of[name]} and {source}")
        source_of[name] = source
    fingerprints = {name: scene_fingerprint(source) for name, source in source_of.items()}
    return Plan(fingerprints, clips, size, seed), source_of


def keep_plan(plan: Any, folder: Path) -> None:
    """Write the plan, a dataclass, into the folder. `ValueError` where it has another one, of which files may be there."""
    file = folder / PLAN_NAME
    if file.exists():
        kept = json.loads(file.read_text(encoding="utf-8"))
        changed = [
            f"{name} {kept.get(name)} there, {value} now"
            for name, value in asdict(plan).items()
            if kept.get(name) != value
        ]
        if changed:
            raise ValueError(
                f"{file}: expected the plan of this folder, got another ({'; '.join(changed)}): take another folder"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    with write_then_rename(file) as temporary:
        temporary.write_text(json.dumps(asdict(plan), indent=2) + "\n", encoding="utf-8")


def clip_files(folder: Path) -> list[Path]:
    """The finished files of a folder of clips, in order of their names; not those that a run is writing, which are hidden."""
    return sorted(file for file in folder.glob("*.parquet") if not file.name.startswith("."))


def write_report(plan: Plan, folder: Path) -> dict:
    """What the finished files of a folder say together, also in its report.json: clips, and paths placed and rejected."""
    scenes: dict[str, dict] = {name: {"clips": 0} | _as_counts(PathReport()) for name in plan.scenes}
    for file in files_of(plan):
        if (folder / file.name).exists():
            said = json.loads(pq.read_metadata(folder / file.name).metadata[REPORT_KEY])
            scene = scenes[file.scene]
            scene["clips"] += file.count
            for kind, counts in said.items():
                scene[kind] = dict(Counter(scene[kind]) + Counter(counts))
    clips = sum(scene["clips"] for scene in scenes.values())
    report = {**asdict(plan), "scenes": scenes, "clips": clips, "clips_planned": plan.clips}
    with write_then_rename(folder / REPORT_NAME) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def _as_counts(report: PathReport) -> dict[str, dict[str, int]]:
    return {kind: dict(counts) for kind, counts in vars(report).items()}


def _run(jobs: list[_Job], num_processes: int) -> Iterator[int]:
    """Do jobs, here or in processes; the number of clips of each file that is done."""
    if num_processes == 1:
        yield from map(_write_file, jobs)
        return
    with get_context("spawn").Pool(num_processes) as pool:
        yield from pool.imap_unordered(_write_file, jobs)


@lru_cache(maxsize=1)
def _scene_paths(source: str, trust_remote_code: bool) -> ScenePaths:
    return ScenePaths(open_scene(source, trust_remote_code))


def _write_file(job: _Job) -> int:
    paths, report = _scene_paths(job.source, job.trust_remote_code), PathReport()
    numbers: Iterable[int] = range(job.file.first, job.file.first + job.file.count)
    rows = [scene_clip(paths, job.plan.seed * 10**9 + number, job.plan.size, report) for number in numbers]
    table = scene_row_table(rows)
    metadata = {**(table.schema.metadata or {}), REPORT_KEY: json.dumps(_as_counts(report)).encode()}
    with write_then_rename(job.folder / job.file.name) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd")
    return job.file.count
