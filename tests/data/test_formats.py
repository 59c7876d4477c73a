"""Every annotation format on small files, most of them the samples in data_lists."""

import json
from pathlib import Path

import pytest

from videonet.data.lists import ListError, named_videos, read_class_names
from videonet.data.sources import SOURCES

LISTS = Path(__file__).parents[2] / "data_lists"
SAMPLES = LISTS / "samples"


def read(source, path, root="/v", names=None):
    return SOURCES[source].read(Path(path), str(root), names)


def rows(listing):
    return [(item.id, item.path, item.label) for item in listing.items]


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


@pytest.mark.parametrize(
    ("source", "file", "first", "classes"),
    [
        ("list", "list.txt", ("wave/a b.mp4", "/v/wave/a b.mp4", 0), ("0", "1")),
        ("list", "list.csv", ("wave/a b.mp4", "/v/wave/a b.mp4", 1), ("jump", "wave")),
        ("kinetics", "kinetics.csv", ("AAAAAAAAAA1_000010_000020", "/v/train/side kick/AAAAAAAAAA1_000010_000020.mp4",
                                      1), ("hugging", "side kick")),
        ("kinetics", "kinetics_test.csv", ("CCCCCCCCCC3_000010_000020", "/v/test/CCCCCCCCCC3_000010_000020.mp4", -1),
         ()),
        ("ssv2", "ssv2.json", ("1", "/v/1.webm", 1), ("Closing something", "Pushing something from left to right")),
        ("ssv2", "ssv2_test.json", ("3", "/v/3.webm", -1), ()),
        ("ucf101", "ucf101/trainlist01.txt", ("Archery/v_Archery_g08_c01.avi", "/v/Archery/v_Archery_g08_c01.avi", 0),
         ("Archery", "Basketball")),
        ("ucf101", "ucf101/testlist01.txt", ("Archery/v_Archery_g01_c01.avi", "/v/Archery/v_Archery_g01_c01.avi", 0),
         ("Archery", "Basketball")),
        ("hmdb51", "hmdb51#train1", ("ride_bike/d_ride_bike_f_cm_np1.avi", "/v/ride_bike/d_ride_bike_f_cm_np1.avi", 0),
         ("ride_bike", "wave")),
        ("hmdb51", "hmdb51#test1", ("ride_bike/e_ride_bike_f_cm_np1.avi", "/v/ride_bike/e_ride_bike_f_cm_np1.avi", 0),
         ("ride_bike", "wave")),
        ("rawframes", "rawframes.txt", ("wave/a b", "/v/wave/a b", 0), ("0", "1")),
    ],
)  # fmt: skip
def test_a_sample_of_each_format(source, file, first, classes):
    listing = read(source, SAMPLES / file)
    assert rows(listing)[0] == first
    assert len(listing.items) == (1 if file in ("kinetics_test.csv", "ucf101/testlist01.txt") else 2)
    assert listing.class_names == classes


@pytest.mark.parametrize(
    ("source", "file", "labels", "classes"),
    [
        ("multilabel", "multilabel.txt", [(0, 2), (1,)], ("0", "1", "2")),
        ("multilabel", "multilabel.csv", [(0, 2), (1,)], ("0", "1", "2")),
        ("multilabel", "multilabel_columns.csv", [(0, 2), (1,)], ("sit", "stand", "wave")),
        ("rawframes_multilabel", "rawframes_multilabel.txt", [(0, 2), (1,)], ("0", "1", "2")),
        ("frame_csv", "frame_csv.csv", [(0, 2), (1,)], ("0", "1", "2")),
    ],
)
def test_several_labels_a_video(source, file, labels, classes):
    listing = read(source, SAMPLES / file)
    assert [item.labels for item in listing.items] == labels
    assert [item.label for item in listing.items] == [first for first, *_ in labels]
    assert listing.class_names == classes


@pytest.mark.parametrize(
    ("root", "found"),
    [
        ("train/side kick/AAAAAAAAAA1_000010_000020.mp4", True),
        ("train/side_kick/AAAAAAAAAA1_000010_000020.mkv", True),
        ("side kick/AAAAAAAAAA1_000010_000020.webm", True),
        ("train/AAAAAAAAAA1_000010_000020.mp4", True),
        ("AAAAAAAAAA1_000010_000020/img_1.jpg", True),
        ("AAAAAAAAAA1_000010_000021.mp4", False),
        ("AAAAAAAAAA1_000010_000020.txt", False),
    ],
)
def test_where_a_kinetics_video_may_lie(tmp_path, root, found):
    touch(tmp_path, root)
    names = read_class_names(SAMPLES / "kinetics_classes.json")
    item = read("kinetics", SAMPLES / "kinetics.csv", tmp_path, names).items[0]
    assert Path(item.path).exists() == found
    assert item.label == 1


def test_the_class_folder_of_kinetics_is_a_part_of_the_choice(tmp_path):
    touch(tmp_path, "val/hug/x_000000_000010.mp4", "train/hug/x_000000_000010.mp4")
    path = tmp_path / "val.csv"
    path.write_text("label,youtube_id,time_start,time_end,split\nhug,x,0,10.0,validate\n")
    assert read("kinetics", path, tmp_path).items[0].path == str(tmp_path / "val/hug/x_000000_000010.mp4")


@pytest.mark.parametrize("name", ["1.webm", "1.mp4", "1/000001.jpg"])
def test_a_something_something_video_is_a_file_or_a_folder(tmp_path, name):
    item = read("ssv2", SAMPLES / "ssv2.json", touch(tmp_path, name)).items[0]
    assert item.path == str(tmp_path / name.split("/")[0])


def test_bad_rows_of_kinetics_are_named_with_the_nearest_class(tmp_path):
    path = tmp_path / "k.csv"
    path.write_text(
        "label,youtube_id,time_start,time_end,split\nside kik,a,0,10,train\nhugging,b,x,10,train\n"
        "hugging,c,0\nhugging,d,0,10,train\nhugging,d,0,10,train\n,e,0,10,train\n"
    )
    with pytest.raises(ListError) as caught:
        read("kinetics", path, names=["hugging", "side kick"])
    for expected in (
        "5 bad lines",
        "line 2: no class is called 'side kik'; did you mean 'side kick'?",
        "line 3: 'hugging,b,x,10,train' has no id, or times",
        "line 4: 3 columns, where the first line has 5",
        "line 6: 'd_000000_000010' stands on line 5 already",
        "line 7: 'e_000000_000010' has no label",
    ):
        assert expected in str(caught.value)


def test_bad_entries_of_something_something_are_named(tmp_path):
    path = tmp_path / "s.json"
    path.write_text(json.dumps([{"id": "1", "template": "Closing [things]"}, {"template": "x"}, "y", {"id": 4}]))
    with pytest.raises(ListError) as caught:
        read("ssv2", path, names=["Closing something"])
    message = str(caught.value)
    assert "4 bad entries" in message
    assert "entry 1: no class is called 'Closing things'; did you mean 'Closing something'?" in message
    assert "entry 2: {'template': 'x'} has no id" in message
    assert "entry 4: '4' has no label" in message


def test_ucf101_numbers_must_agree_with_the_folders(tmp_path):
    path = tmp_path / "trainlist01.txt"
    path.write_text("Archery/a.avi 0\nBasketball/b.avi 2\nBasketbal/c.avi 2\nd.avi 1\n")
    with pytest.raises(ListError) as caught:
        read("ucf101", path, names=["Archery", "Basketball"])
    message = str(caught.value)
    assert "3 bad lines" in message
    assert "line 1: label 0 of 'Archery/a.avi'; 'Archery' is class 1, from 1" in message
    assert "line 3: no class is called 'Basketbal'; did you mean 'Basketball'?" in message
    assert "line 4: 'd.avi 1'" in message


@pytest.mark.parametrize(
    ("source", "text", "problem"),
    [
        ("list", "a.mp4,wav\nb.mp4,wave\n", "line 1: no class is called 'wav'; did you mean 'wave'"),
        ("list", "a.mp4 9\nb.mp4 99999999999\n", "line 2: label 99999999999 must be at least 0 and below 100000"),
        ("rawframes", "imgs -2 5 0\n", "line 1: 'imgs -2 5 0' is not the frames offset + 1 to offset + total"),
        ("rawframes", "imgs 2 0 0\n", "line 1: 'imgs 2 0 0' is not the frames offset + 1 to offset + total"),
        ("rawframes", "imgs 0\n", "line 1: 'imgs 0' is not `folder [offset] total label`"),
        ("rawframes_multilabel", "imgs 5\n", "`folder total label label ...`"),
        ("multilabel", "a.mp4 0 1\nb.mp4\n", "line 2: 'b.mp4' is not"),
        ("multilabel", "a.mp4,0;1,2\n", "line 1: 'a.mp4,0;1,2' is not `path,label;label`"),
        ("multilabel", "path,jump,wave\na.mp4,1,2\n", "line 2: 'a.mp4,1,2' is not a path and 2 times 0 or 1"),
        ("multilabel", "path,jump,wave\na.mp4,0,0\nb.mp4,1,0\n", "line 2: 'a.mp4' has no label"),
        ("frame_csv", "path labels\n", "must start with 'original_vido_id video_id"),
        ("frame_csv", 'original_vido_id video_id frame_id path labels\nA 0 0 A/1.jpg "0"\nA 0 1 B/2.jpg "0"\n',
         "line 3: a frame of 'A' in B; line 2 has it in A"),
        ("hmdb51", "", "say which part of which split"),
        ("idx", "", "needs a file such as train-images-idx3-ubyte"),
        ("cifar10", "", "say which part"),
        ("ssv2", "{", "is not JSON"),
        ("ssv2", "[" * 100_000, "is not JSON"),
        ("kinetics", "path,label\n", "no column 'youtube_id'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path, source, text, problem):
    path = tmp_path / "list"
    path.write_text(text)
    names = None if "999" in text else ["jump", "wave"]
    with pytest.raises(ListError) as caught:
        read(source, path, names=names)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.txt", "hugging\nside kick\n\n"),
        ("classInd.txt", "1 hugging\n2 side kick\n"),
        ("c.json", '{"\\"side kick\\"": 1, "hugging": "0"}'),
        ("c.json", '{"1": "side kick", "0": "hugging"}'),
        ("c.json", '["hugging", "side [kick]"]'),
    ],
)
def test_files_of_class_names(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert read_class_names(tmp_path / name) == ("hugging", "side kick")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 0, "b": 2}', "its 2 labels must be the numbers 0 to 1"),
        ('{"a": 0, "b": 0}', "its 2 labels must be the numbers 0 to 1"),
        ('{"a": 0.5}', "holds no class names; it must be"),
        ('["a", "a"]', "entry 2: 'a' stands there twice"),
        ("[]", "holds no class names"),
    ],
)
def test_wrong_files_of_class_names(tmp_path, text, problem):
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(ListError, match=problem):
        read_class_names(path)


def test_a_list_of_paths_alone_names_videos(tmp_path):
    path = tmp_path / "videos.txt"
    path.write_text("a b.mp4\nc.mp4 3\n")
    items = named_videos([str(path), "/x/d.mp4"])
    assert [(item.id, item.label) for item in items] == [("a b.mp4", -1), ("c.mp4", -1), ("d.mp4", -1)]


def test_roots_may_be_urls():
    assert read("list", SAMPLES / "list.txt", "s3://bucket/x").items[0].path == "s3://bucket/x/wave/a b.mp4"
    assert read("ssv2", SAMPLES / "ssv2.json", "s3://bucket/x").items[0].path == "s3://bucket/x/1.webm"


def test_the_shipped_class_names():
    assert [len(read_class_names(LISTS / name)) for name in ("kinetics400.txt", "something_something_v2.txt")] == [
        400, 174,
    ]  # fmt: skip
