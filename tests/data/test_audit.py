"""What is seen of a data set before its first video is opened."""

import pytest

from videonet.data.audit import empty_classes, find_missing, leaks, unlabelled
from videonet.data.lists import ListError, Listing, VideoItem


def video(path, label=0):
    return VideoItem(path.name, str(path), label)


@pytest.mark.parametrize("count", [4, 100])  # few are asked for one by one, many by folder
def test_missing_files_are_named_and_counted(tmp_path, count):
    for index in range(0, count, 2):
        (tmp_path / f"{index}.mp4").touch()
    missing = find_missing([video(tmp_path / f"{index}.mp4") for index in range(count)])
    assert [item.id for item in missing.items] == [f"{index}.mp4" for index in range(1, count, 2)]
    assert (missing.share, missing.listed) == (0.5, count)
    assert missing.reasons()[str(tmp_path / "1.mp4")] == "no such file or directory"
    assert f"{count // 2} of {count} videos (50.0%) are missing" in missing.report()
    assert ("... and 30 more" in missing.report()) == (count == 100)
    missing.refuse("train.txt", 0.5)
    with pytest.raises(ListError, match=r"train.txt: \d+ of[\s\S]*At most 10% may be missing; check data.root"):
        missing.refuse("train.txt", 0.1)


def test_a_missing_folder_and_things_that_are_not_files(tmp_path):
    (tmp_path / "frames").mkdir()
    (tmp_path / "x-idx3-ubyte").touch()
    there = [tmp_path / "frames", *(tmp_path / f"x-idx3-ubyte#{index}" for index in range(50))]
    absent = [tmp_path / "no" / f"{index}.mp4" for index in range(50)]
    items = [*map(video, there), *map(video, absent), VideoItem("u", "https://host/a.mp4", 0)]
    assert [item.path for item in find_missing(items).items] == list(map(str, absent))


def test_the_same_video_in_two_splits(tmp_path):
    for folder, name, content in [("train", "a", b"1"), ("val", "a", b"1"), ("train", "b", b"1"), ("val", "b", b"2"),
                                  ("train", "c", b"1"), ("val", "c", b"12"), ("val", "d", b"1")]:  # fmt: skip
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_bytes(content)
    train = [video(tmp_path / "train" / name) for name in "abc"]
    val = [video(tmp_path / "val" / name) for name in "abcd"]
    assert leaks(train, val, "val") == ["1 of 4 val videos are in train too: a"]
    assert leaks(train, [*val[1:], train[2]], "test") == ["1 of 4 test videos are in train too: c"]
    assert leaks(train, val[1:], "val") == []


def test_classes_without_videos_and_videos_without_labels(tmp_path):
    listing = Listing(
        [video(tmp_path / "a", 1), VideoItem("b", "b", 0, (0, 3)), video(tmp_path / "c", -1)], tuple("wxyz")
    )
    assert empty_classes(listing) == ["1 of 4 classes have no videos: y"]
    assert unlabelled(listing) == ["1 of 3 videos have no label: c"]
    assert unlabelled(Listing(listing.items[:2], listing.class_names)) == []
