import pytest

from videonet.engine.schedule import cosine, linear, multistep, warm_up


@pytest.mark.parametrize(
    ("epoch", "factor"), [(0, 1.0), (29.99, 1.0), (30, 0.1), (60, 0.01), (79.5, 0.01), (80, 0.001), (90, 0.001)]
)
def test_the_papers_schedule(epoch, factor):
    assert multistep((30, 60, 80), 0.1)(epoch) == pytest.approx(factor)


def test_cosine_falls_from_one_to_its_end():
    course = cosine(10, 0.1)
    assert [course(epoch) for epoch in (0, 2.5, 5, 10)] == pytest.approx([1.0, 0.1 + 0.9 * 0.853553, 0.55, 0.1])


def test_linear_falls_in_a_line():
    course = linear(8, 0.2)
    assert [course(epoch) for epoch in (0, 2, 4, 8, 9)] == pytest.approx([1.0, 0.8, 0.6, 0.2, 0.2])


def test_warm_up_meets_the_schedule_where_it_ends():
    course = warm_up(cosine(10, 0.0), 2, 0.1)
    assert course(0) == pytest.approx(0.1 * cosine(10, 0.0)(2))
    assert course(2) == cosine(10, 0.0)(2)
    assert course(1) == pytest.approx(0.55 * cosine(10, 0.0)(2))
    assert course(7) == cosine(10, 0.0)(7)
