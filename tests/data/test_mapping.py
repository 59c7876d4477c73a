"""Functions over files in worker processes that die, hang and raise."""

import pytest

from tests.data.jobs import job
from videonet.data.mapping import Death, WorkerError, map_jobs


def test_deaths_hangs_and_errors_are_results() -> None:
    words = ["a", "die", "b", "hang", "exit", "raise", "c"]
    found = dict(map_jobs(job, words, workers=2, timeout_seconds=1.5))
    assert sorted(found) == list(range(7))
    assert [found[i] for i in (0, 2, 6)] == ["A", "B", "C"]
    reasons = [found[i].reason for i in (1, 3, 4, 5) if isinstance(found[i], Death)]
    assert reasons == [
        "the process reading it was killed by SIGKILL",
        "took longer than 1.5 s",
        "the process reading it ended with code 3",
        "MemoryError: no room",
    ]


def test_no_jobs_and_more_workers_than_jobs() -> None:
    assert list(map_jobs(job, [], 4, 1.0)) == []
    assert list(map_jobs(job, ["x"], 4, 60.0)) == [(0, "X")]


def test_stopping_early_leaves_no_worker() -> None:
    import multiprocessing

    found = map_jobs(job, ["a", "b", "hang"], 2, 60.0)
    next(found)
    found.close()
    assert not [child for child in multiprocessing.active_children() if child.is_alive()]


class Unwelcome:
    """Ends the worker that receives it."""

    def __call__(self, word: str) -> str:
        return word

    def __reduce__(self):
        import os

        return os._exit, (5,)


def test_workers_that_cannot_start_are_an_error() -> None:
    with pytest.raises(WorkerError, match="ended with code 5 before its first job"):
        list(map_jobs(Unwelcome(), ["a"], 1, 5.0))


@pytest.mark.parametrize(("workers", "seconds"), [(0, 1.0), (1, 0.0)])
def test_limits_must_be_positive(workers: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        list(map_jobs(job, ["a"], workers, seconds))
