import pytest

from videonet.data.lists import ListError, VideoItem, hold_out, read_class_names, read_folder, read_list
from videonet.data.sources import may_flip


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("line", "name", "label"),
    [
        ("a.mp4 3", "a.mp4", 3),
        ("a.mp4,3", "a.mp4", 3),
        ("a.mp4, 3", "a.mp4", 3),
        ("a.mp4\t3", "a.mp4", 3),
        ("side kick/b c 10.mp4 0", "side kick/b c 10.mp4", 0),
        ("side kick/b, c.mp4,12", "side kick/b, c.mp4", 12),
    ],
)
def test_a_line_is_split_from_the_right(tmp_path, line, name, label):
    listing = read_list(write(tmp_path / "x.csv", f"# comment\n\n{line}\n"))
    assert listing.items == [VideoItem(name, str(tmp_path / name), label)]


def test_every_bad_line_is_named(tmp_path):
    path = write(tmp_path / "x.txt", "a.mp4 0\nb.mp4\nc.mp4 x\nd.mp4 7\na.mp4 1\ne.mp4 -1\n")
    with pytest.raises(ListError) as caught:
        read_list(path, class_names=["p", "q"])
    message = str(caught.value)
    assert "5 bad lines" in message
    for expected in (
        "line 2: 'b.mp4'",
        "line 3: 'c.mp4 x'",
        "line 4: label 7 must be at least 0 and below the 2",
        "line 5: 'a.mp4' stands on line 1",
        "line 6: label -1",
    ):
        assert expected in message


def test_root_is_where_relative_paths_start(tmp_path):
    path = write(tmp_path / "x.txt", "a/b.mp4 0\n/abs/c.mp4 1\n")
    assert [item.path for item in read_list(path, root="/videos").items] == ["/videos/a/b.mp4", "/abs/c.mp4"]


@pytest.mark.parametrize("text", ["", "\n# only this\n"])
def test_an_empty_list_is_an_error(tmp_path, text):
    with pytest.raises(ListError, match="lists no videos"):
        read_list(write(tmp_path / "x.txt", text))


def test_a_missing_list_is_an_error(tmp_path):
    with pytest.raises(ListError, match="cannot be read"):
        read_list(tmp_path / "no.txt")


def test_class_names_must_differ(tmp_path):
    with pytest.raises(ListError, match="line 3: 'a' stands there twice"):
        read_class_names(write(tmp_path / "c.txt", "a\nb\na\n"))


def make_folder(root, names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_a_folder_of_class_folders(tmp_path):
    make_folder(tmp_path, ["wave/b.mp4", "wave/.hidden.mp4", "wave/notes.txt", "side kick/a.webm", "jump/f/1.jpg",
                           "jump/f/2.jpg", "jump/one.png"])  # fmt: skip
    listing = read_folder(tmp_path)
    assert listing.class_names == ("jump", "side kick", "wave")
    assert [(item.id, item.label) for item in listing.items] == [
        ("jump/f", 0), ("jump/one.png", 0), ("side kick/a.webm", 1), ("wave/b.mp4", 2),
    ]  # fmt: skip


def test_a_class_folder_that_the_model_does_not_know(tmp_path):
    make_folder(tmp_path, ["wave/b.mp4", "jump/a.mp4"])
    with pytest.raises(ListError, match=r"class folders \['jump'\] are not among the 1 class names"):
        read_folder(tmp_path, ["wave"])


def test_hold_out_takes_a_stable_share_of_each_class(tmp_path):
    names = [f"{c}/{i}.mp4" for c in "ab" for i in range(10)]
    rest, held = hold_out(read_folder(make_folder(tmp_path / "1", names)), 0.2)
    assert [sum(item.label == label for item in held.items) for label in (0, 1)] == [2, 2]
    assert not {item.id for item in rest.items} & {item.id for item in held.items}
    more = make_folder(tmp_path / "2", [*names, "a/new.mp4"])
    held_again = {item.id for item in hold_out(read_folder(more), 0.2)[1].items}
    assert len({item.id for item in held.items} & held_again) >= 3


def test_left_and_right_forbid_the_flip():
    assert may_flip(["jump", "leftover cake", "bright light"])
    assert not may_flip(["jump", "move_left"])
    assert not may_flip(["turning clockwise"])
