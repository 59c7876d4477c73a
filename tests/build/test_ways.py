"""Ways of computing that do not go together are refused before anything is built."""

import pytest
import torch

from videonet.build import KNOWN_NAMES
from videonet.build.ways import check_ways
from videonet.config import ConfigError, load_config
from videonet.engine.dist import Ranks

CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")


def check(device, *words):
    check_ways(load_config(None, words, KNOWN_NAMES).config, Ranks(0, 1, device))


@pytest.mark.parametrize(
    ("device", "words", "said"),
    [
        (CPU, ["train.cuda_graph=true"], "cuda_graph does not go with device cpu; leave it out, or use a GPU"),
        (CUDA, ["train.cuda_graph=true", "train.compile=true"], "use train.compile_mode=reduce-overhead instead"),
        (CUDA, ["train.cuda_graph=true", "train.accumulate=2"], "overwrite the gradient"),
        (CUDA, ["train.cuda_graph=true", "train.batch_norm=sync"], "waits for other ranks"),
        (CUDA, ["train.cuda_graph=true", "train.sharding=fsdp"], "use ddp"),
        (CUDA, ["train.cuda_graph=true", "model.checkpoint_every=2"], "runs blocks anew"),
        (CPU, ["train.sharding=fsdp", "train.precision=fp16"], "use bf16"),
        (CPU, ["train.sharding=fsdp", "train.compile=true"], "sharding=ddp"),
        (CPU, ["train.sharding=fsdp", "optim.name=lars"], "use sgd or adamw"),
        (CPU, ["train.compile_mode=max-autotune"], "needs train.compile=true"),
    ],
)
def test_refused(device, words, said):
    with pytest.raises(ConfigError) as error:
        check(device, *words)
    assert said in str(error.value)


def test_not_refused():
    check(CPU)
    check(CUDA, "train.cuda_graph=true", "train.precision=fp16")
    check(CUDA, "train.compile=true", "train.compile_mode=max-autotune", "train.accumulate=2")
    check(CPU, "train.sharding=fsdp", "train.accumulate=2", "train.precision=bf16", "train.ema_decay=0.9")
