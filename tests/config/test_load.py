"""YAML and options -> Config: values, origins, and problems in plain words, all at once."""

import dataclasses
import json

import pytest

from videonet.config import Config, ConfigError, from_dict, load_config, to_dict, to_yaml

KNOWN = {"model.name": ["iresnet50", "iresnet3d50", "resnet50"], "data.source": ["folder"]}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a configuration; its path is `x.yaml` of the working directory, so that messages are short."""
    monkeypatch.chdir(tmp_path)

    def write(text):
        (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
        return "x.yaml"

    return write


def problems(path, opts=(), known=KNOWN):
    with pytest.raises(ConfigError) as error:
        load_config(path, opts, known)
    head, *lines = str(error.value).splitlines()
    assert head.startswith(f"{len(lines)} problem")
    assert head.endswith("in the configuration:")
    return [line.strip() for line in lines]


def test_defaults():
    resolved = load_config(None, known=KNOWN)
    assert resolved.config == Config()
    assert set(resolved.origins.values()) == {"default"}


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "model:\n  # name: x\noptim:\n"])
def test_a_file_may_give_nothing(write, text):
    assert load_config(write(text)).config == Config()


def test_values_and_origins(write):
    path = write("# head\noptim:\n  lr: 1e-4\n  milestones: [1, 2.5]\nmodel:\n  blocks:\n    - 1\n    - 2\n")
    resolved = load_config(path, ["optim.lr=1"])
    assert resolved.config.optim.lr == 1.0
    assert isinstance(resolved.config.optim.lr, float)
    assert resolved.config.optim.milestones == (1.0, 2.5)
    assert resolved.config.model.blocks == (1, 2)
    told = {key: origin for key, origin in resolved.origins.items() if origin != "default"}
    assert told == {"optim.lr": "--opts", "optim.milestones": "x.yaml:4", "model.blocks": "x.yaml:6"}
    assert load_config(path).config.optim.lr == 1e-4


def test_both_habits_of_options_mix_and_the_later_wins():
    opts = ["optim.lr", "0.01", "train.epochs=3", "data.train", "a=b", "data.val=null", "train.epochs", "4"]
    config = load_config(None, [*opts, "model.blocks=[1,1,1,1]", "data.test='7'"]).config
    assert (config.optim.lr, config.train.epochs) == (0.01, 4)
    assert (config.data.train, config.data.val, config.data.test) == ("a=b", None, "7")
    assert config.model.blocks == (1, 1, 1, 1)


def test_every_kind_of_problem_in_one_report(write):
    path = write(
        "model:\n  name: irsnet50\noptim:\n  leraning_rate: 1\n  lr: fast\n"
        "clip:\n  crop: 512\ntrain:\n  epochs: 0\n  epochs: 0\n"
    )
    assert problems(path, ["optim=3", "tail"]) == [
        "train.epochs is given 2 times (x.yaml:9, x.yaml:10)",
        "optim.leraning_rate is not a setting (x.yaml:4); did you mean 'optim.lr'?",
        "optim is a section and takes no value (--opts); its settings: " + ", ".join(to_dict(Config())["optim"]),
        "tail has no value (--opts); write tail=VALUE or tail VALUE",
        "clip: short_side 256 is below crop 512; raise it to at least the crop (x.yaml:7)",
        "optim.lr must be a number, got 'fast' (x.yaml:5)",
        "train.epochs must be above 0, got 0 (x.yaml:10)",
        "model.name 'irsnet50' is not known (x.yaml:2); did you mean 'iresnet50'? "
        "Known: iresnet50, iresnet3d50, resnet50",
    ]


WRONG = {
    'train.epochs="3"': "train.epochs must be a whole number, got '3' (--opts)",
    "train.epochs=1e3": "train.epochs must be a whole number, got 1000.0 (--opts)",
    "train.epochs=true": "train.epochs must be a whole number, got true (--opts)",
    "train.epochs=null": "train.epochs must be a whole number, got null (--opts)",
    "optim.lr=.inf": "optim.lr must be a number, got '.inf' (--opts)",
    "optim.lr=true": "optim.lr must be a number, got true (--opts)",
    "optim.nesterov=yes": "optim.nesterov must be true or false, got 'yes' (--opts)",
    "optim.name=adam": "optim.name must be 'sgd', 'adamw', 'lars' or 'lamb', got 'adam' (--opts)",
    "optim.momentum=2": "optim.momentum must be at most 1, got 2 (--opts)",
    "optim.weight_decay=-1": "optim.weight_decay must be at least 0, got -1 (--opts)",
    "data.train=12": "data.train must be text, got 12 (--opts)",
    "clip.mean=0.5": "clip.mean must be a list, got 0.5 (--opts)",
    "clip.mean=[0.5]": "clip.mean must have 3 values, got [0.5] (--opts)",
    "augment.area=[1, 1, 1]": "augment.area must have 2 values, got [1, 1, 1] (--opts)",
    "model.blocks=[1, a]": "model.blocks[1] must be a whole number, got 'a' (--opts)",
    "model.blocks=[{a: 1}]": "model.blocks[0] must be a whole number, got a mapping (--opts)",
    "model.blocks=[1": "model.blocks cannot be read from '[1'",
    "=3": "'=3' has no key (--opts)",
    "lr=1": "lr is not a setting (--opts); did you mean 'optim.lr'?",
    "batch_size=1": "did you mean 'train.batch_size' or 'test.batch_size'?",
    "clip.epochs=1": "did you mean 'train.epochs'?",
    "OPTIM.LR=1": "did you mean 'optim.lr'?",
    "data.num_workers=1": "did you mean 'data.workers'?",
    "test.zzz=1": "settings of test: clips, crops, batch_size",
    "zzz=1": "the top level has: output_dir, seed",
}


@pytest.mark.parametrize(("opt", "message"), WRONG.items())
def test_one_wrong_option(opt, message):
    (problem,) = problems(None, [opt])
    assert message in problem


def test_a_cross_check_names_each_origin_it_weighs(write):
    (problem,) = problems(write("clip:\n  short_side: 100\n"), ["clip.crop=112"])
    assert problem.endswith("(--opts, x.yaml:2)")


def test_known_names_are_cut_to_a_dozen():
    names = [f"net{index}" for index in range(30)]
    (problem,) = problems(None, ["model.name=nett7"], {"model.name": iter(names)})
    assert problem.startswith("model.name 'nett7' is not known (--opts); did you mean 'net7'? Known: net0, ")
    assert problem.endswith("net11, and 18 more")


@pytest.mark.parametrize("text", ["a: &x 1", "a: *x", "!!python/object/apply:os.system [exit]", "[1]", "3", "a: ["])
def test_a_file_that_is_no_plain_mapping(write, text):
    (problem,) = problems(write(text))
    assert "x.yaml" in problem


def test_files_that_cannot_be_read(tmp_path):
    latin, large = tmp_path / "latin.yaml", tmp_path / "large.yaml"
    latin.write_bytes(b"seed: 1\noutput_dir: caf\xe9\n")
    large.write_bytes(b"#" * 1_000_001)
    assert problems(tmp_path / "none.yaml") == [f"cannot read {tmp_path}/none.yaml: No such file or directory"]
    assert problems(tmp_path) == [f"cannot read {tmp_path}: Is a directory"]
    assert problems(latin) == [f"{latin} is not UTF-8 text ({latin}:2)"]
    assert "larger than 1000000 bytes" in problems(large)[0]


def test_the_resolved_file_reads_back_equal(write):
    opts = ["optim.lr=1e-5", "data.train=a b # é", 'data.val="1e-4"', "model.blocks=[1,2]", 'data.test="x\\ny: [z"']
    resolved = load_config(None, opts, KNOWN)
    text = to_yaml(resolved)
    assert "  lr: 1e-05  # --opts" in text
    assert "  momentum: 0.9  # default" in text
    again = load_config(write(text), known=KNOWN)
    assert again.config == resolved.config
    assert "default" not in again.origins.values()


def test_dictionary_round_trip():
    config = load_config(None, ["optim.lr=0.3", "model.blocks=[1,2]"]).config
    assert from_dict(json.loads(json.dumps(to_dict(config))), "old.pt") == config
    assert from_dict({"seed": 3}, "old.pt") == dataclasses.replace(Config(), seed=3)


def test_file_and_options_lie_over_what_a_checkpoint_holds(write):
    stored = to_dict(load_config(None, ["seed=1", "optim.lr=0.3", "clip.crop=64"]).config)
    resolved = load_config(write("optim:\n  lr: 0.2\n"), ["seed=3"], KNOWN, stored=stored)
    assert (resolved.config.seed, resolved.config.optim.lr, resolved.config.clip.crop) == (3, 0.2, 64)
    keys = ("seed", "optim.lr", "clip.crop")
    assert [resolved.origins[key] for key in keys] == ["--opts", "x.yaml:2", "checkpoint"]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"optim": {"lr": "fast", "rate": 1}}, "optim.lr must be a number, got 'fast' (old.pt)"),
        ({"optim": {"lr": float("nan")}}, "old.pt does not hold plain JSON values"),
        ({"seed": {1, 2}}, "old.pt does not hold plain JSON values"),
        ([1], "old.pt must hold a mapping of settings, got [1]"),
    ],
)
def test_a_bad_dictionary_names_its_source(tree, message):
    with pytest.raises(ConfigError) as error:
        from_dict(tree, "old.pt")
    assert message in str(error.value)
