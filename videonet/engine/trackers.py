"""Where the rows of a run's log also go: TensorBoard, Weights & Biases, MLflow, behind one protocol.

`train.jsonl` stays the whole record. What a tracker needs to go on with its run after a restart stands in
`trackers.json` beside it. Servers and keys are named the way each of them wants it, by its own environment variables.
"""

from __future__ import annotations

import importlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .files import write_json


class TrackerError(ValueError):
    """A tracker is not installed or cannot start; the message says the way out."""


class Tracker(Protocol):
    """Told of a run, on rank 0 alone."""

    def start(self, config: dict[str, Any]) -> None:
        """Before the first row. Raises TrackerError."""

    def row(self, kind: str, step: int, values: dict[str, float]) -> None:
        """`kind`: train or val; `step` counts from the start of the run, and may come again after a restart."""

    def close(self) -> None:
        """After the last row of this process."""


@dataclass(frozen=True)
class Place:
    """The run's own folder, and the project and the name that it gets elsewhere."""

    folder: Path
    project: str
    name: str

    def remembered(self, tracker: str, make: Callable[[], str]) -> tuple[str, bool]:
        """The run's id at this tracker, and whether it is new."""
        path = self.folder / "trackers.json"
        ids: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if tracker in ids:
            return ids[tracker], False
        write_json(path, ids | {tracker: (made := make())})
        return made, True


@dataclass
class TensorBoard:
    """Event files in `folder/tensorboard`."""

    place: Place
    _writer: Any = field(init=False, default=None)

    def start(self, config: dict[str, Any]) -> None:
        """The config is in `config.yaml` beside them."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self.place.folder / "tensorboard"))

    def row(self, kind: str, step: int, values: dict[str, float]) -> None:
        """One scalar a value."""
        for name, value in values.items():
            self._writer.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        """Flush."""
        if self._writer is not None:
            self._writer.close()


@dataclass
class WeightsAndBiases:
    """A run of wandb. WANDB_MODE=offline keeps it in `folder/wandb`, to be sent later by `wandb sync`."""

    place: Place
    _run: Any = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._wandb = _package("wandb")

    def start(self, config: dict[str, Any]) -> None:
        """Goes on with the same run after a restart."""
        identity, _ = self.place.remembered("wandb", lambda: uuid.uuid4().hex[:8])
        try:
            self._run = self._wandb.init(
                project=self.place.project, name=self.place.name, id=identity, resume="allow", config=config,
                dir=str(self.place.folder),
            )  # fmt: skip
        except self._wandb.Error as error:
            raise TrackerError(f"wandb cannot start: {error}; run `wandb login`, or set WANDB_MODE=offline") from None
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")  # wandb's own step may not go back

    def row(self, kind: str, step: int, values: dict[str, float]) -> None:
        """All values of a row at once."""
        self._run.log({"step": step, **{f"{kind}/{name}": value for name, value in values.items()}})

    def close(self) -> None:
        """Send what is left."""
        if self._run is not None:
            self._run.finish()


@dataclass
class MLflow:
    """A run in the experiment `project`, where MLFLOW_TRACKING_URI says."""

    place: Place
    _client: Any = field(init=False, default=None)
    _run_id: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self._mlflow = _package("mlflow")

    def start(self, config: dict[str, Any]) -> None:
        """Goes on with the same run after a restart; its parameters stay those of the first start."""
        try:
            self._client = client = self._mlflow.tracking.MlflowClient()
            found = client.get_experiment_by_name(self.place.project)
            experiment = found.experiment_id if found else client.create_experiment(self.place.project)
            self._run_id, new = self.place.remembered(
                "mlflow", lambda: str(client.create_run(experiment, run_name=self.place.name).info.run_id)
            )
            if not new:
                client.update_run(self._run_id, status="RUNNING")
                return
            parameters = [self._mlflow.entities.Param(key, str(value)) for key, value in _flat(config)]
            for first in range(0, len(parameters), 100):  # as many as a server takes at once
                client.log_batch(self._run_id, params=parameters[first : first + 100])
        except self._mlflow.exceptions.MlflowException as error:
            raise TrackerError(f"mlflow cannot start: {error}; set MLFLOW_TRACKING_URI to a server") from None

    def row(self, kind: str, step: int, values: dict[str, float]) -> None:
        """All values of a row at once."""
        now, metric = int(1000 * time.time()), self._mlflow.entities.Metric
        metrics = [metric(f"{kind}/{name}", float(value), now, step) for name, value in values.items()]
        self._client.log_batch(self._run_id, metrics=metrics)

    def close(self) -> None:
        """The run is finished, until it goes on."""
        if self._run_id:
            self._client.set_terminated(self._run_id)


TRACKERS: dict[str, Callable[[Place], Tracker]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}
"""Name in `log.trackers` -> tracker. Raises TrackerError where its package is not installed."""


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise TrackerError(f"tracker {name} is not installed: pip install 'videonet[trackers]' ({error})") from None


def _flat(config: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
