"""``fedaffect-server cnn train``: from data sets and a configuration to stored weights."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from shared.console import output, stderr
from shared.errors import InputError

if TYPE_CHECKING:
    from server.pretraining.config import TrainingConfig
    from server.pretraining.datasets.opening import Places
    from server.pretraining.distributed import Processes
    from server.pretraining.labelled_faces import LabelledFaces
    from server.pretraining.training import Progress, Task
    from shared.affect.network import AffectNetwork

__all__ = ["print_metrics", "train_command"]


def train_command(
    config: Annotated[Path, typer.Argument(help="Configuration (.toml).", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for weights, log and checkpoint.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="FER+: archive (.npz), or folder with fer2013.csv and fer2013new.csv.",
            envvar="FEDAFFECT_FERPLUS",
            show_default=False,
        ),
    ] = None,
    facekit: Annotated[
        Path | None,
        typer.Option(
            help="ICT-FaceKit: its folder FaceXModel, or an archive (.npz).",
            envvar="FEDAFFECT_FACEKIT",
            show_default=False,
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder for rendered and decoded pictures; may serve many trainings.",
            show_default="OUT/faces",
        ),
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(
            help="ESPNetv2 checkpoint to start levels 1 to 4 from.", show_default="random weights"
        ),
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoint in --out.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(help="CPU threads.", min=1, show_default="one a core and process"),
    ] = None,
) -> None:
    """Train the affect network and store its weights.

    Pictures are rendered or decoded once, into --cache. A training that was interrupted goes on
    with --resume, from its last checkpoint. Several processes: torchrun --nproc-per-node 2 -m
    server.cli cnn train CONFIG --out DIR; batch_size is that of one process.

    Example: fedaffect-server cnn train eesp-224.toml --data ferplus.npz --facekit ict_facekit.npz
    --out runs/eesp

    Exit codes: 0 done; 1 a file cannot be written; 2 an option or a file is not what it should be.
    """
    from shared.affect.threads import use_cpu_threads

    use_cpu_threads(threads or _own_cores())
    from server.pretraining.config import load_config
    from server.pretraining.datasets.opening import Places
    from server.pretraining.distributed import joined_processes

    settings = load_config(_configuration(config))
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; name a folder for the weights")
    places = Places(
        cache=cache or out / "faces",
        ferplus=data,
        facekit=facekit,
        workers=settings.workers or _cores(),
    )
    with joined_processes(device) as processes, _View(shown=processes.leads) as view:
        from server.pretraining.datasets.opening import open_data

        sets = open_data(settings, places, view.show_making)
        if processes.leads:
            _tell(sets, out)
        job = _Job(settings, sets, processes, init, _ferplus_path(settings, places))
        tasks = _tasks(settings)
        for task in tasks:
            _train_one(job, task, out if len(tasks) == 1 else out / task, resume, view)


@dataclass(frozen=True, eq=False)
class _Job:
    """What all networks of a run share."""

    config: "TrainingConfig"
    sets: "Sequence[LabelledFaces]"
    processes: "Processes"
    init: Path | None
    ferplus: Path | None


def _train_one(job: _Job, task: "Task", out: Path, resume: bool, view: "_View") -> None:
    from server.pretraining.training import train

    network = train(
        job.config,
        job.sets,
        out,
        task=task,
        processes=job.processes,
        initial=job.init,
        resume=resume,
        report=view.show_step,
    )
    if job.processes.leads:
        view.pause()
        _store(job, task, network, out)


def _store(job: _Job, task: "Task", network: "AffectNetwork", out: Path) -> None:
    """Write the weights with what is known about them; metrics where FER+ is at hand.

    Nothing of the moment goes into the file, so that the same training gives the same SHA-256.
    """
    from shared.affect.weights import save_weights

    config = job.config
    path = out / f"{config.name}.safetensors"
    card = _card(job, task)

    def save(temperature: float) -> str:
        return save_weights(
            path,
            network,
            preprocessing=config.preprocessing(),
            temperature=temperature,
            card=card,
            precision=config.stored_precision,
        )

    temperature = 1.0
    if job.ferplus is not None and task in ("multi", "expression"):
        from safetensors.torch import load_file

        from server.pretraining.datasets.ferplus import load_ferplus
        from server.pretraining.evaluation import measured

        # Metrics belong to the stored values, so they are taken after a first save.
        save(temperature)
        network.load_state_dict(load_file(path))
        temperature, metrics = measured(
            network.to(job.processes.device), load_ferplus(job.ferplus), config.size
        )
        network.cpu()
        card["metrics"] = metrics
        print_metrics(metrics)
    output.print(f"{path}  sha256 {save(temperature)}", markup=False, soft_wrap=True)


def _card(job: _Job, task: "Task") -> dict[str, Any]:
    import torch

    settings = job.config.as_json()
    for data in settings["data"]:
        # Where files lay on this machine is nobody's business.
        for name in ("path", "facekit", "pictures", "backgrounds"):
            data.pop(name, None)
    return {
        "name": job.config.name,
        "task": task,
        "labels": {"expression": "votes or codes of human raters", **_LABELS},
        "data": [
            {"set": faces.name, "faces": len(faces), "side": faces.side, "labels": faces.labels()}
            for faces in job.sets
        ],
        "start": job.init.name if job.init is not None else "random",
        "config_sha256": job.config.digest(),
        "training": {
            **settings,
            "processes": job.processes.world,
            "device": job.processes.device.type,
            "threads": torch.get_num_threads(),
        },
    }


_LABELS: Final = {
    "valence_arousal": "human ratings on AffectNet; elsewhere weak: derived from the expression "
    "votes",
    "action_units": "coded on EmotioNet, exact on rendered faces; elsewhere weak: derived from the "
    "expression votes",
}


def _configuration(path: Path) -> Path:
    """The file itself, or a shipped one of that name."""
    shipped = Path(__file__).parent / "configs" / path.name
    return shipped if not path.exists() and path.name == str(path) and shipped.is_file() else path


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _own_cores() -> int:
    """Cores for this process, beside the others that ``torchrun`` started on this machine."""
    return max(1, _cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def _tasks(config: "TrainingConfig") -> "list[Task]":
    from server.pretraining.training import TASKS

    return ["multi"] if config.tasks == "multi" else [task for task in TASKS if task != "multi"]


def _ferplus_path(config: "TrainingConfig", places: "Places") -> Path | None:
    from server.pretraining.config import FerPlusData

    own = [data.path for data in config.data if isinstance(data, FerPlusData)]
    return next((path for path in own if path is not None), places.ferplus)


def _tell(sets: "Sequence[LabelledFaces]", out: Path) -> None:
    """What is trained on and what was left out; the full list of the latter goes to a table."""
    from server.pretraining.labelled_faces import skipped_text
    from shared.files import write_atomic

    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["data_set", "place", "reason"])
    for faces in sets:
        labels = ", ".join(f"{name} {count}" for name, count in faces.labels().items())
        stderr.print(f"{faces.name}: {len(faces)} faces; labels: {labels}", markup=False)
        if faces.skipped:
            stderr.print(f"{faces.name}: {skipped_text(faces.skipped)}", markup=False)
        rows.writerows([faces.name, item.place, item.reason] for item in faces.skipped)
    if any(faces.skipped for faces in sets):
        write_atomic(out / "skipped.csv", table.getvalue())
        stderr.print(f"all of them: {out / 'skipped.csv'}", markup=False, soft_wrap=True)


def print_metrics(metrics: Mapping[str, Mapping[str, Any]]) -> None:
    """Expression metrics on FER+ as a table."""
    from rich.table import Table

    from shared.channels import EXPRESSIONS

    table = Table("FER+ PrivateTest", *(title.replace("_", " ") for title in metrics))
    columns = list(metrics.values())
    table.add_row("faces", *(str(column["faces"]) for column in columns))
    table.add_row("accuracy", *(f"{column['accuracy']:.4f}" for column in columns))
    table.add_row(
        "macro F1", *(f"{column['macro_f1']:.4f}" for column in columns), end_section=True
    )
    for name in EXPRESSIONS:
        table.add_row(
            f"F1 {name}", *(f"{c['f1'][name]:.3f} of {c['count'][name]}" for c in columns)
        )
    output.print(table)


class _View:
    """Progress on stderr: pictures that are made, then steps."""

    def __init__(self, shown: bool) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}  {task.fields[state]}"),
            TimeRemainingColumn(),
            console=stderr,
            disable=not shown,
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> "_View":
        return self

    def __exit__(self, *exception: object) -> None:
        self.pause()

    def pause(self) -> None:
        """Stop drawing, so that other output stays whole."""
        self._bar.stop()

    def show_making(self, name: str, done: int, n: int) -> None:
        """Pictures of a data set that are rendered or decoded."""
        self._update(f"making {name}", done, n, "")

    def show_step(self, state: "Progress") -> None:
        """A row of the log."""
        text = f"{state.side} px, loss {state.loss:.3f}, {state.faces_per_s:.0f} faces/s"
        self._update(f"training {state.task}", state.step, state.steps, text)

    def _update(self, title: str, done: int, n: int, state: str) -> None:
        self._bar.start()
        if title not in self._tasks:
            self._tasks[title] = self._bar.add_task(title, total=n, state=state)
        self._bar.update(self._tasks[title], completed=done, state=state)
