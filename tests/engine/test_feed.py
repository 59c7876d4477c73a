"""The way to a GPU, with a GPU that only writes down what it is asked."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from videonet.engine.feed import Feed


class Gpu:
    """Streams and events by name; `asked` is all that happened, in order."""

    def __init__(self, monkeypatch):
        self.asked, self.stream, self.events = [], "network", 0
        monkeypatch.setattr(torch.cuda, "Stream", lambda device: "side")
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: SimpleNamespace(
            wait_stream=lambda other: self.asked.append(f"{self.stream} waits for {other}")))  # fmt: skip
        monkeypatch.setattr(torch.cuda, "stream", self._on)
        monkeypatch.setattr(torch.cuda, "Event", self._event)

    @contextmanager
    def _on(self, stream):
        self.stream, before = stream, self.stream
        yield
        self.stream = before

    def _event(self):
        self.events += 1
        name = f"end {self.events - 1}"
        return SimpleNamespace(record=lambda stream: None, synchronize=lambda: self.asked.append(f"host waits: {name}"))

    def make_ready(self, batch):
        self.asked.append(f"{batch} on {self.stream}")
        return (SimpleNamespace(record_stream=lambda stream: self.asked.append(f"{batch} kept for the network")),)


def test_a_batch_arrives_beside_the_network_and_two_are_there_at_most(monkeypatch):
    gpu = Gpu(monkeypatch)
    feed = Feed(torch.device("cuda", 0), gpu.make_ready)
    for batch in "abc":
        feed(batch)
    assert gpu.asked == [
        "a on side", "network waits for side", "a kept for the network",
        "host waits: end 0",  # of whatever ran before a
        "b on side", "network waits for side", "b kept for the network",
        "host waits: end 1",  # of the step with a: its memory is free for c
        "c on side", "network waits for side", "c kept for the network",
    ]  # fmt: skip


def test_the_cpu_just_makes_it_ready():
    tensors = (torch.zeros(1),)
    assert Feed(torch.device("cpu"), lambda batch: tensors)("a") is tensors


def test_normalising_keeps_its_constants_on_the_device():
    from tests.engine.test_step import PREPROCESSING
    from videonet.data.preprocessing import _levels

    views = torch.randint(0, 256, (1, 3, 2, 4, 4), dtype=torch.uint8)
    with torch.inference_mode():
        PREPROCESSING.normalise(views)
    assert _levels(PREPROCESSING.mean, views.device) is _levels(PREPROCESSING.mean, views.device)
    weight = torch.ones((), requires_grad=True)
    (PREPROCESSING.normalise(views) * weight * _levels(PREPROCESSING.mean, views.device)).sum().backward()
    expected = (views.float() / 255 - 0.45) / 0.225
    assert PREPROCESSING.normalise(views).numpy() == pytest.approx(expected.numpy(), abs=1e-5)
