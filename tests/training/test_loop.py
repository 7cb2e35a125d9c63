import csv
import os
import signal
from dataclasses import replace

import pytest
import torch
from torch._dynamo.exc import BackendCompilerFailed
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from chronomask.config import LossConfig, MachineConfig, TrainConfig
from chronomask.data.protocol import WeightedSource
from chronomask.errors import InputError, TrainingError
from chronomask.model.convolution import ClipConvolution
from chronomask.training.average import MovingAverage
from chronomask.training.failures import failures_explained
from chronomask.training.loop import train
from chronomask.training.monitor import StepReport
from chronomask.training.objective import TERMS
from chronomask.training.progress import progress_text
from chronomask.training.step import StepResult, autocast
from model.networks import network_of, noise, tiny
from training.runs import MACHINE, MODEL, SHORT, Each, assert_same_weights, open_sources, thin_network

pytestmark = pytest.mark.network

SINGLE = replace(SHORT, steps=1, batch=1)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return open_sources(tmp_path_factory.mktemp("data"))


def rows_of(folder):
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


class Through:
    """A reader that hands everything to another one, but calls `action` first when an entry is loaded."""

    def __init__(self, reader, action):
        self.reader, self.action = reader, action

    def __getattr__(self, name):
        return getattr(self.reader, name)

    def __len__(self):
        return len(self.reader)

    def load(self, index, frames=(0,)):
        self.action(index)
        return self.reader.load(index, frames)


def test_moving_average_forgets_the_random_start():
    network = thin_network()
    average = MovingAverage(network, 0.9)
    before = network.heat_head.bias.item()
    torch.nn.init.constant_(network.heat_head.bias, 1.0)
    average.update(network, 0)
    assert average.network.heat_head.bias.item() == pytest.approx(before * 0.1 + 0.9)
    average.update(network, 10_000)
    assert average.network.heat_head.bias.item() == pytest.approx((before * 0.1 + 0.9) * 0.9 + 0.1)
    network.squeeze[1][0].norm.running_mean.fill_(5.0)
    average.update(network, 0)
    assert average.network.squeeze[1][0].norm.running_mean.mean() > 4
    plain = MovingAverage(network, 0.0)
    network.heat_head.bias.data.fill_(0.123)
    plain.update(network, 10_000)
    assert_same_weights(network, plain.network)


@pytest.mark.parametrize("backbone_rate", [0.1, 0.0])
def test_everything_learns_but_a_frozen_backbone_and_its_statistics(sources, tmp_path, backbone_rate):
    network = thin_network()
    start = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    train(network, sources, replace(SINGLE, backbone_rate=backbone_rate), tmp_path, MACHINE)
    moved = {name for name, tensor in network.state_dict().items() if not torch.equal(start[name], tensor)}
    for name, _ in network.named_parameters():
        assert (name in moved) == (backbone_rate > 0 or not name.startswith("backbone.")), name
    assert "squeeze.1.0.norm.running_mean" in moved
    assert not any("running" in name for name in moved if name.startswith("backbone."))
    (row,) = rows_of(tmp_path)
    assert set(row) == {"step", "loss", *TERMS, "rate", "gradient", "seconds", "memory"}
    total = sum(float(row[name]) * getattr(SINGLE.losses, name) for name in TERMS)
    assert float(row["loss"]) == pytest.approx(total, abs=1e-3)
    assert float(row["rate"]) == pytest.approx(0.5e-3)


def test_parts_give_the_gradient_of_the_whole(sources, tmp_path):
    """Without batch statistics and with plain SGD, the moved weights show the gradient."""
    config = replace(SHORT, steps=1, optimizer="sgd", learning_rate=0.1, warmup=0, clip_norm=0.0)
    networks = []
    for accumulate in (1, 2):
        networks.append(thin_network(replace(MODEL, norm="group")))
        train(networks[-1], sources, config, tmp_path / str(accumulate), replace(MACHINE, accumulate=accumulate))
    for name, tensor in networks[0].state_dict().items():
        torch.testing.assert_close(networks[1].state_dict()[name], tensor, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("backbone", ["resnet18", "efficientnet_lite0"])
def test_gradient_checkpointing_changes_no_gradient(backbone):
    gradients, statistics = [], []
    for enabled in (False, True):
        network = network_of(tiny(channels=8, backbone=backbone)).train()
        network.checkpoint_gradients(enabled)
        outputs = network(noise(1, 4, 3, 64, 64))
        (outputs.embedding.square().sum() + outputs.class_logits.square().sum() + outputs.heat.sum()).backward()
        gradients.append({name: p.grad for name, p in network.named_parameters() if p.grad is not None})
        statistics.append(network.squeeze.state_dict())
    assert gradients[0].keys() == gradients[1].keys()
    assert any(name.startswith("backbone.") for name in gradients[0])
    for found in (gradients, statistics):
        for name, tensor in found[0].items():
            assert torch.equal(found[1][name], tensor), name


def test_a_loss_that_is_not_finite_names_its_clips(sources, tmp_path):
    network = thin_network()
    poison = Each(lambda step: step == 2 and torch.nn.init.constant_(network.embedding_head.weight, float("nan")))
    with pytest.raises(TrainingError, match=r"step 3: the loss is nan; clips: .*(videos|stills)\.json: ") as caught:
        train(network, sources, SHORT, tmp_path, MACHINE, [poison])
    assert str(caught.value).count(".json: ") == SHORT.batch
    state = torch.load(tmp_path / "state-00000002.pt", weights_only=True)
    assert all(tensor.isfinite().all() for tensor in state["network"].values())
    assert not (tmp_path / "state-00000004.pt").exists()


def test_a_gradient_that_is_not_finite_moves_nothing(sources, tmp_path):
    network = thin_network()
    network.heat_head.weight.register_hook(lambda gradient: gradient * float("inf"))
    start = network.heat_head.weight.clone()
    with pytest.raises(TrainingError, match=r"step 0: the gradient's norm is (nan|inf); clips: "):
        train(network, sources, SINGLE, tmp_path, MACHINE)
    assert torch.equal(network.heat_head.weight, start)


def test_losses_at_full_resolution_and_bfloat16_train_too(sources, tmp_path):
    config = replace(SINGLE, losses=LossConfig(stride=1))
    network = thin_network(replace(MODEL, class_source="backbone"))
    train(network, sources, config, tmp_path, replace(MACHINE, precision="bfloat16"))
    assert float(rows_of(tmp_path)[0]["loss"]) > 0
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
@pytest.mark.parametrize(("kernel", "length"), [(3, 1), (3, 2), (3, 3), (7, 2), (7, 4), (7, 6), (7, 8)])
def test_bfloat16_gradients_of_short_clips_are_right(kernel, length, layout):
    torch.manual_seed(0)
    channels = 64 if kernel == 3 else 2
    convolution = ClipConvolution(channels, channels, kernel, padding=kernel // 2).to(memory_format=layout)
    x = torch.randn(1, channels, length, 6, 11).to(memory_format=layout)
    gradients = []
    for precision in ("float32", "bfloat16"):
        with autocast(torch.device("cpu"), precision):
            output = convolution(x)
        output.float().square().mean().backward()
        gradients.append(convolution.weight.grad.clone())
        convolution.zero_grad()
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0.05, atol=0.02 * gradients[0].abs().max().item())


def test_precision_is_what_was_asked_for():
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with autocast(torch.device("cpu"), precision):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_workers_change_nothing(sources, tmp_path):
    networks = []
    for workers in (0, 1):
        networks.append(thin_network())
        train(networks[-1], sources, SINGLE, tmp_path / str(workers), replace(MACHINE, workers=workers))
    assert_same_weights(networks[0], networks[1])


def test_broken_entries_are_skipped_if_wanted_and_listed_once(sources, tmp_path):
    def fail(index):
        if index == 0:
            raise InputError("stills.json: image 0:\ncannot be read")

    broken = [WeightedSource(Through(sources[0].reader, fail), 1.0)]
    config = replace(SHORT, batch=4, skip_broken=True)
    reports = []
    monitor = Each(lambda step: None)
    monitor.on_step = reports.append
    train(thin_network(), broken, config, tmp_path, MACHINE, [monitor])
    assert (tmp_path / "skipped.txt").read_text() == "stills.json: image 0: cannot be read\n"
    assert sum(len(report.result.skipped) for report in reports) > 1
    for workers in (0, 1):
        with pytest.raises(InputError, match=r"^stills\.json: image 0:\ncannot be read$"):
            train(
                thin_network(),
                broken,
                replace(config, skip_broken=False),
                tmp_path / "strict",
                replace(MACHINE, workers=workers),
            )


def test_a_data_worker_that_dies_is_named_and_the_checkpoint_stays(sources, tmp_path, monkeypatch):
    def die(index):
        os.kill(os.getpid(), signal.SIGKILL)

    # How long PyTorch waits for a clip before it looks whether the worker is alive; 5 s otherwise.
    monkeypatch.setattr(_MultiProcessingDataLoaderIter._try_get_data, "__defaults__", (0.2,))
    source = WeightedSource(Through(sources[0].reader, die), 1.0)
    with pytest.raises(TrainingError, match=r"a data worker died: .*lower workers.*the same command continues"):
        train(thin_network(), [source], SINGLE, tmp_path, replace(MACHINE, workers=1))


def test_training_needs_data_with_instances(sources, tmp_path):
    class Unlabelled(Through):
        def instances(self, index):
            return []

    with pytest.raises(InputError, match="no training data"):
        train(thin_network(), [], SINGLE, tmp_path, MACHINE)
    source = WeightedSource(Unlabelled(sources[0].reader, None), 1.0)
    with pytest.raises(InputError, match=r"stills\.json: not one labelled instance"):
        train(thin_network(), [source], SINGLE, tmp_path, MACHINE)
    with pytest.raises(InputError, match="batch 2: 1 processes with accumulate 3"):
        train(thin_network(), sources, SHORT, tmp_path, replace(MACHINE, accumulate=3))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
    ],
)
def test_want_of_memory_says_which_setting_to_lower(error, tmp_path):
    advice = r"Lower batch, or data\.height and data\.width.*gradient_checkpointing"
    with pytest.raises(InputError, match=advice), failures_explained(tmp_path):
        raise error


def test_a_failing_compiler_says_how_to_go_on_without(tmp_path):
    error = BackendCompilerFailed(lambda: None, RuntimeError("no C++ compiler"), None)
    with (
        pytest.raises(TrainingError, match=r"torch\.compile failed: .*Leave out compile"),
        failures_explained(tmp_path),
    ):
        raise error


def test_other_errors_pass_as_they_are(tmp_path):
    error = RuntimeError("something else")
    with pytest.raises(RuntimeError) as caught, failures_explained(tmp_path):
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TrainConfig(batch=0), "batch 0: must be 1 or more"),
        (lambda: TrainConfig(steps=0), "steps 0"),
        (lambda: TrainConfig(ema=1.0), r"ema 1\.0: must lie in \[0, 1\)"),
        (lambda: TrainConfig(learning_rate=float("nan")), "learning_rate nan"),
        (lambda: LossConfig(smooth=-1.0), "smooth -1.0"),
        (lambda: MachineConfig(checkpoint_every=0), "checkpoint_every 0"),
        (lambda: MachineConfig(stop_after="2 days"), "stop_after '2 days'"),
        (lambda: MachineConfig(stop_after="h"), "stop_after 'h'"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_times_are_read():
    times = {text: MachineConfig(stop_after=text).seconds for text in ("150m", "2h", "90s")}
    assert times == {"150m": 9000, "2h": 7200, "90s": 90}
    assert MachineConfig().seconds == float("inf")


def test_the_progress_line_says_all():
    result = StepResult(loss=1.0, terms={"embedding": 0.5, "center": 0.25}, gradient=2.0, skipped=[])
    report = StepReport(step=9, steps=110, result=result, rate=5e-4, seconds=9.9, memory=3 * 2**29)
    line = "step 10/110  embedding 0.500  center 0.250  rate 0.0005  0.5 steps/s  1.5 GiB  0:03:20 left"
    assert progress_text(report, 2.0, 0) == line
    assert progress_text(report, 2.0, 7) == f"{line}  7 clips skipped"
