"""Two Ray workers on this machine: the same bytes as without Ray, also when one is killed."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.engine.features.conftest import contents
from videonet import build
from videonet.cli import main
from videonet.decode.reader import Opener, VideoReader
from videonet.engine.dist import DeviceError
from videonet.engine.features import on_ray as on_ray_module
from videonet.engine.features.events import Again, End, Failed, Rows

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster():
    """Started once; the command finds it running."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=2, object_store_memory=100 << 20, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@dataclass(frozen=True)
class DeadlyOpener:
    """Opening a video whose name begins with "vp9" kills the process: `times` times, counted by files in `folder`."""

    opener: Opener
    folder: Path
    times: int

    def __call__(self, path: str) -> VideoReader:
        if Path(path).name.startswith("vp9"):
            deaths = len(list(self.folder.iterdir()))
            if deaths < self.times:
                (self.folder / str(deaths)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return self.opener(path)


def deadly(monkeypatch, folder, times):
    folder.mkdir()
    make = build.features.build_opener
    monkeypatch.setattr(build.features, "build_opener", lambda config: DeadlyOpener(make(config), folder, times))


@pytest.fixture(scope="module")
def plain(words, cluster, tmp_path_factory):
    out = tmp_path_factory.mktemp("plain") / "features"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as Ray's workers have
    assert main([*words, "--out", str(out)]) == 0
    torch.set_num_threads(threads)
    return contents(out)


def on_ray(words, out):
    assert main([*words, "--out", str(out), "--engine", "ray", "--ray-workers", "2"]) == 0
    return contents(out)


def test_videos_of_a_killed_worker_are_done_by_the_other(words, plain, tmp_path, monkeypatch):
    deadly(monkeypatch, tmp_path / "deaths", 1)
    assert on_ray(words, tmp_path / "out") == plain
    assert len(list((tmp_path / "deaths").iterdir())) == 1


@pytest.mark.skipif("VIDEONET_TEST_RAY" not in os.environ, reason="set VIDEONET_TEST_RAY: ten processes more")
def test_nobody_killed_and_all_killed(words, plain, tmp_path, monkeypatch):
    assert on_ray(words, tmp_path / "out") == plain
    deadly(monkeypatch, tmp_path / "deaths", 1000)
    found = on_ray(words, tmp_path / "deadly")
    assert found.keys() == plain.keys() - {"vp9.webm.npy"}
    assert all(found[name] == plain[name] for name in found.keys() - {"index.json"})
    assert b"it ended 3 Ray workers" in found["index.json"]
    assert len(list((tmp_path / "deaths").iterdir())) == 3


class Actor:
    """Events of the videos it is handed, one by one; it dies at a deadly one, after some rows."""

    def __init__(self, deadly):
        self.extract = SimpleNamespace(options=lambda **how: SimpleNamespace(remote=self.stream))
        self.deadly = deadly

    def stream(self, block):
        for index in block:
            yield Rows(index, {}, None)
            if index in self.deadly:
                yield ray.exceptions.RayActorError()
                return
            yield End(index, {})


def driver(deadly, videos, workers, hired):
    """A driver on actors of this process."""

    def get(event):
        if isinstance(event, Exception):
            raise event
        return event

    def remote(*_):
        hired.append(Actor(deadly))
        return hired[-1]

    library = SimpleNamespace(
        put=lambda value: value, get=get, kill=lambda actor: None, exceptions=ray.exceptions,
        wait=lambda streams, num_returns: (streams[-1:], streams[:-1]),
        remote=lambda **resources: lambda kind: SimpleNamespace(remote=remote),
    )  # fmt: skip
    return on_ray_module._Driver(library, None, torch.device("cpu"), range(videos), workers)


@pytest.mark.parametrize("deadly", [set(), {0}, {7, 8}, {3, 30, 49}])
@pytest.mark.parametrize("workers", [1, 3])
def test_each_video_ends_once_and_a_deadly_one_fails(deadly, workers):
    hired, told, rows = [], [], set()
    for event in driver(deadly, 50, workers, hired).events():
        if isinstance(event, Rows):
            assert event.index not in rows, "rows come again only after they were said to be void"
            rows.add(event.index)
        elif isinstance(event, Again):
            rows.discard(event.index)
        else:
            told.append(event.index)
            assert isinstance(event, Failed) == (event.index in deadly)
    assert sorted(told) == list(range(50))
    assert len(hired) <= workers + 3 * len(deadly)


def test_a_cluster_on_which_every_worker_dies_ends_the_run():
    with pytest.raises(RuntimeError, match="died one after the other"):
        list(driver(set(range(50)), 50, 2, []).events())


def test_a_gpu_that_no_machine_has():
    cluster = on_ray_module.RayCluster(SimpleNamespace(cluster_resources=dict), 2)
    assert cluster.device("auto").type == "cpu"
    with pytest.raises(DeviceError, match="no machine of the Ray cluster has a GPU"):
        cluster.device("cuda")
    with_gpus = on_ray_module.RayCluster(SimpleNamespace(cluster_resources=lambda: {"GPU": 2.0}), 2)
    assert [with_gpus.device(asked).type for asked in ("auto", "cpu", "cuda")] == ["cuda", "cpu", "cuda"]
