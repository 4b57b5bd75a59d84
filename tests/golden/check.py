"""Compute every item of the golden data with this package: the functions that `test_golden.py` calls.

The golden data are inputs, random weights and outputs of the authors' released code. Each function takes one item, lets this
package compute its outputs from the inputs, and returns them under the names that `golden.json` gives them. `name@variant` is a
departure that `golden.json` describes under `variants`; the name alone is the same output with that departure taken out.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import torch
from torch import nn

FOLDER = Path(os.environ.get("MADAD_TEST_GOLDEN") or Path(__file__).resolve().parent / "arrays")
CHECKS = {}


def check(name):
    def keep(function):
        CHECKS[name] = function
        return function

    return keep


class Item:
    """One record of golden.json with its arrays; those stored as float16 are used as float32."""

    files: ClassVar[dict] = {}
    tensors: ClassVar[dict] = {}

    def __init__(self, record):
        self.record, self.config = record, record["configuration"]
        if record["file"] not in Item.files:
            Item.files[record["file"]] = np.load(FOLDER / record["file"])
        self.data = Item.files[record["file"]]

    def array(self, key):
        value = self.data[key]
        return value.astype(np.float32) if value.dtype == np.float16 else value

    def __getitem__(self, name):
        return self.array(self.record["inputs"][name]["key"])

    def tensor(self, name):
        return torch.from_numpy(self[name])

    def bits(self, name, *shape):
        return np.unpackbits(self[name])[: int(np.prod(shape))].reshape(shape).astype(bool)

    def expected(self, name):
        return self.array(self.record["outputs"][name]["key"])

    def weights(self, name):
        """Return a state dict with the authors' names."""
        key = self.record["weights"][name]
        flat, at, out = torch.from_numpy(self.array(key)), 0, {}
        for tensor, shape in Item.tensors[self.record["file"]][key.split("/", 1)[1]]:
            size = int(np.prod(shape))
            out[tensor] = flat[at : at + size].view(shape).clone()
            at += size
        assert at == len(flat)
        return out


@contextmanager
def given(module=torch, **queues):
    """Replace random draws (randn, randint, rand) by given ones, in order; any other draw is an error."""
    old = {name: getattr(module, name) for name in queues}

    def popper(name, queue):
        def draw(*args, **kwargs):
            if not queue:
                raise AssertionError(f"more draws of {name} than expected")
            return queue.pop(0)

        return draw

    for name, queue in queues.items():
        setattr(module, name, popper(name, list(queue)))
    try:
        yield
    finally:
        for name, function in old.items():
            setattr(module, name, function)


@contextmanager
def patched(owner, name, value):
    old = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, old)


def load(network, state):
    """Fill a network; every parameter must be named, buffers may stay."""
    missing, unexpected = network.load_state_dict(state, strict=False)
    names = {name for name, _ in network.named_parameters()}
    assert not unexpected and not (set(missing) & names), (unexpected, missing)
    return network


def grad_norm(*modules, without=()):
    """2-norm of the gradient over all parameters but those whose names end in one of `without`."""
    parameters = [
        p
        for module in modules
        for name, p in module.named_parameters()
        if p.grad is not None and not name.endswith(tuple(without))
    ]
    return np.sqrt(sum(float(p.grad.double().square().sum()) for p in parameters))


def renamed(state, rules):
    """Rename tensors by the first rule (prefix, new prefix) that matches; a name that matches no rule is an error."""
    out = {}
    for name, tensor in state.items():
        for old, new in rules:
            if name.startswith(old):
                out[new + name[len(old) :]] = tensor
                break
        else:
            raise KeyError(name)
    return out


RESIDUAL = [
    ("in_layers.0.", "norm_in."),
    ("in_layers.2.", "conv_in."),
    ("emb_layers.1.", "modulation."),
    ("out_layers.0.", "norm_out."),
    ("skip_connection.", "skip."),
]
ATTENTION = [("norm.", "norm."), ("qkv.", "qkv."), ("proj_out.", "out.")]


def part(state, prefix):
    return {name[len(prefix) :]: tensor for name, tensor in state.items() if name.startswith(prefix)}


def put(out, prefix, state, rules):
    out.update({prefix + name: tensor for name, tensor in renamed(state, rules).items()})


def groups(state, prefix):
    """Return the indices that follow a prefix."""
    return sorted({int(name[len(prefix) :].split(".")[0]) for name in state if name.startswith(prefix)})


def adm_names(state):
    """OpenAI U-Net of the DDPM family to madad.models.networks.unet.UNet."""
    out, rules = {}, [*RESIDUAL, ("out_layers.3.", "conv_out.")]
    for old, new in (
        ("time_embed.", "embed_time."),
        ("label_emb.", "embed_condition."),
        ("input_blocks.0.0.", "stem."),
        ("out.", "head."),
    ):
        put(out, new, part(state, old), [("", "")])
    for block in groups(state, "input_blocks."):
        if block:
            put(out, f"down.{block - 1}.", part(state, f"input_blocks.{block}.0."), rules)
    for index, names in enumerate((rules, ATTENTION, rules)):
        put(out, f"middle.{index}.", part(state, f"middle_block.{index}."), names)
    for block in groups(state, "output_blocks."):
        for layer in groups(state, f"output_blocks.{block}."):
            put(out, f"up.{block}.{layer}.", part(state, f"output_blocks.{block}.{layer}."), rules)
    return out


def heads_last(tensor, heads):
    """Channels of q, k and v, ordered head by head, to q of all heads, then k, then v."""
    return tensor.view(heads, 3, -1, *tensor.shape[1:]).transpose(0, 1).reshape(tensor.shape)


def mad_ad_names(state, heads):
    """UNetModel of MAD-AD to madad.models.networks.two_headed_unet.TwoHeadedUNet."""
    state = {name: heads_last(tensor, heads) if ".qkv." in name else tensor for name, tensor in state.items()}
    out, rules = {}, [*RESIDUAL, ("out_layers.3.", "conv_out.1.")]

    def stage(old, new, layers):
        put(out, f"{new}residual.", part(state, f"{old}{layers[0]}."), rules)
        put(out, f"{new}attention.", part(state, f"{old}{layers[1]}."), ATTENTION)

    for old, new in (
        ("time_embed.", "embed_time."),
        ("input_blocks.0.0.", "stem."),
        ("out.", "clean_head."),
        ("mt_out.", "keep_head."),
    ):
        put(out, new, part(state, old), [("", "")])
    for block in groups(state, "input_blocks."):
        if block and any(name.startswith(f"input_blocks.{block}.0.op.") for name in state):
            put(out, f"down.{block - 1}.conv.", part(state, f"input_blocks.{block}.0.op."), [("", "")])
        elif block:
            stage(f"input_blocks.{block}.", f"down.{block - 1}.", (0, 1))
    stage("middle_block.", "middle.0.", (0, 1))
    put(out, "middle.1.", part(state, "middle_block.2."), rules)
    for block in groups(state, "output_blocks."):
        stage(f"output_blocks.{block}.", f"up.{block}.0.", (0, 1))
        if any(name.startswith(f"output_blocks.{block}.2.") for name in state):
            put(out, f"up.{block}.1.conv.", part(state, f"output_blocks.{block}.2.conv."), [("", "")])
    return out


def count(*networks):
    return sum(p.numel() for network in networks for p in network.parameters())


# ---- DDPM, pDDPM, mDDPM, cDDPM ---------------------------------------------------------------------------------------------
def ddpm_unet(item, state, **more):
    from madad.models.networks.unet import UNet

    c = item.config
    keys = ("base_channels", "channel_multipliers", "blocks_per_level", "norm_groups", "scale_shift")
    network = UNet(in_channels=1, out_channels=1, **{key: c[key] for key in keys}, **more)
    network.middle[1].head_channels = c["head_channels"]
    return load(network, adm_names(state))


def unet_answers(item):
    more = {"condition_channels": item.config["condition_channels"]} if "condition_channels" in item.config else {}
    network, x = ddpm_unet(item, item.weights("unet"), **more), item.tensor("x_t").requires_grad_()
    answer = network(x, item.tensor("t"), *([item.tensor("condition")] if more else []))
    answer.square().mean().backward()
    return {"x_0": answer, "grad_x": x.grad, "grad_norm": grad_norm(network)}


for _name in ("ddpm.unet_additive", "ddpm.unet_scale_shift", "cddpm.unet"):
    check(_name)(unet_answers)


@check("ddpm.sizes")
@check("cddpm.sizes")
def ddpm_sizes(item):
    from madad.models.components.spark import SparK
    from madad.models.networks.unet import UNet

    c = dict(item.config)
    condition = c.pop("condition_channels", None)
    with torch.device("meta"):

        def network(scale_shift):
            return UNet(in_channels=1, out_channels=1, norm_groups=32, scale_shift=scale_shift, condition_channels=condition, **c)

        sizes = (
            [
                count(network(True)),
                count(SparK(encoder_depth=50, encoder_width=64, encoder_stages=4, drop_path=0.05, mask_ratio=0.65)),
            ]
            if condition
            else [count(network(False)), count(network(True))]
        )
    return {"parameters": np.array(sizes)}


def build(cls, item, test_timesteps, **more):
    c = item.config
    keys = ("base_channels", "channel_multipliers", "blocks_per_level", "norm_groups", "scale_shift")
    law = dict(
        noise_kind="simplex",
        noise_shared=True,
        noise_octaves=6,
        noise_persistence=0.8,
        noise_scale=1.0,
        tail="both",
        slices_per_pass=2,
    )
    model = cls(
        **{key: c[key] for key in keys},
        schedule="cosine",
        num_train_timesteps=1000,
        test_timesteps=test_timesteps,
        loss="l1",
        **law,
        **more,
    )
    model.unet.middle[1].head_channels = c["head_channels"]
    load(model.unet, adm_names(item.weights("unet")))
    return model


def with_noise(model, fields):
    """Let a model draw given fields (1, 1, H, W), in order."""
    queue = list(fields)
    model.noise_law = lambda images, generator: queue.pop(0).expand_as(images)


GENERATOR = torch.Generator()


@check("ddpm.loss_additive")
@check("ddpm.loss_scale_shift")
def ddpm_loss(item):
    from madad.methods.ddpm import DDPM

    model, image, noise = build(DDPM, item, [500]), item.tensor("image"), item.tensor("noise")
    with_noise(model, [noise, noise])
    with given(randint=[item.tensor("t")]):
        loss = model.training_loss({"image": image}, GENERATOR)["loss"]
    loss.backward()
    with torch.no_grad():
        return {"loss": loss, "grad_norm": grad_norm(model), "reconstruction": model.reconstruct(image, GENERATOR)}


@check("ddpm.schedule")
def ddpm_schedule(item):
    from madad.models.diffusion import schedules

    out = {}
    for name in ("cosine", "linear"):
        for steps in (1000, 250):
            out[f"{name}_{steps}"] = schedules.alphas_cumprod(name, steps)[np.r_[0:steps:25, steps - 1]]
    table = schedules.cosine(1000)[::50]
    return out | {"registered": table, "p2_weight": np.ones_like(table)}


@check("ddpm.q_sample")
def ddpm_q_sample(item):
    from madad.models.diffusion import schedules
    from madad.models.diffusion.forward import add_noise, to_signed

    return {"x_t": add_noise(to_signed(item.tensor("image")), item.tensor("noise"), item.tensor("t"), schedules.cosine(1000))}


@check("ddpm.simplex")
def ddpm_simplex(item):
    from madad.models.diffusion.noise import _fractal

    seeds = [int(seed) for seed in item["seeds"]]
    large = np.stack([_fractal(seed, 96, 96, 64, 6, 0.8) for seed in seeds])[:, ::4, ::4]
    return {"field_96x96": large, "field_32x32": np.stack([_fractal(seed, 32, 32, 64, 6, 0.8) for seed in seeds])}


@check("ddpm.simplex_law")
def ddpm_simplex_law(item):
    from madad.models.diffusion.noise import simplex

    fields = simplex((40, 1, 96, 96), torch.Generator().manual_seed(0))
    return {"std": fields.std(), "corner": fields[..., 0, 0].abs().max()}


@check("pddpm.boxes")
def pddpm_boxes(item):
    from madad.models.diffusion.boxes import anywhere, grid

    swap, out = [1, 0, 3, 2], {}
    for side, patch, kind in ((96, 48, "cut"), (96, 60, "overlap"), (96, 32, "cut"), (64, 24, "overlap"), (32, 16, "cut")):
        out[f"grid_{side}_{patch}_{kind}"] = grid(side, side, patch / side)[:, swap]
    boxes = anywhere(20000, 96, 96, 0.5, torch.Generator().manual_seed(0)).numpy()
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left, top = boxes[:, 1], boxes[:, 0]
    out["random_area"] = np.array(
        [area.mean(), area.std(), left.min(), left.max(), top.min(), top.max(), (area == 48 * 48).mean()]
    )
    return out


@check("pddpm.loss")
def pddpm_loss(item):
    from madad.methods.pddpm import PDDPM

    c = item.config
    model = build(
        PDDPM,
        item,
        [500],
        loss_region=c["loss_region"],
        patch_fraction=c["patch_fraction"],
        box_sampling=c["box_sampling"],
        aggregation=c["aggregation"],
    )
    image, noise = item.tensor("image"), item.tensor("noise")
    with_noise(model, [noise, noise])
    with given(randint=[item.tensor("t"), item.tensor("box")]):
        loss = model.training_loss({"image": image}, GENERATOR)["loss"]
    loss.backward()
    with torch.no_grad():
        return {"loss": loss, "grad_norm": grad_norm(model), "reconstruction": model.reconstruct(image, GENERATOR)}


@check("mddpm.loss")
def mddpm_loss(item):
    from madad.methods.mddpm import MDDPM

    c = item.config
    model = build(
        MDDPM,
        item,
        [500],
        loss_region=c["loss_region"],
        noise_region="box",
        patch_fraction=c["patch_fraction"],
        box_sampling=c["box_sampling"],
        aggregation="cut",
        masking="fpm_cm",
        mask_geometry="code",
        mask_patches=5,
        mask_length=0.18,
        mask_ratio=[0.1, 0.9],
        mask_frequencies="random",
        mask_half_widths=[2, 10],
    )
    image, masked, noise = item.tensor("image"), item.tensor("masked"), item.tensor("noise")
    model.masking = lambda images, brain, generator: masked
    with_noise(model, [noise, noise])
    losses = {}
    for name in ("loss", "validation_loss"):
        model.train(name == "loss")
        with given(randint=[item.tensor("t"), item.tensor("box")]):
            losses[name] = model.training_loss({"image": image, "brain": image > 0}, GENERATOR)["loss"]
        if name == "loss":
            losses[name].backward()
            norm = grad_norm(model)
    return losses | {"grad_norm": norm}


@check("mddpm.filter")
def mddpm_filter(item):
    from madad.models.diffusion.masking import filtered

    image = item.tensor("image").double()[None, None].expand(9, 1, -1, -1)
    widths = torch.arange(2, 11)
    return {kind: filtered(image, widths, torch.full((9,), kind == "low"))[:, 0, ::3] for kind in ("high", "low")}


@check("mddpm.mask_law")
def mddpm_mask_law(item):
    from madad.models.diffusion.masking import Masking, draw_rectangles

    rows, columns = np.mgrid[:96, :96]
    brain = ((rows - 48) / 43.5) ** 2 + ((columns - 47.5) / 36.0) ** 2 < 1
    generator, count = torch.Generator().manual_seed(3), 2000
    image = torch.from_numpy((0.3 + 0.4 * np.random.default_rng(3).random((96, 96))) * brain).float().expand(count, 1, 96, 96)
    # Their arrays have left and right as the first axis: transposed here, and back.
    mask = torch.from_numpy(brain.T.copy()).expand(count, 1, 96, 96)
    image = image.transpose(2, 3)
    law = Masking("fpm_cm", "code", 5, 0.18, [0.1, 0.9], "random", [2, 10])
    hidden = ((law(image, mask, generator) - image).abs() > 1e-6)[:, 0].transpose(1, 2).numpy()
    share, found = hidden.sum((1, 2)) / brain.sum(), [np.flatnonzero(hidden.any(axes)) for axes in ((0, 2), (0, 1))]
    lengths = []
    for side in range(200):
        wide = torch.zeros(1, 1, 400, max(side, 1), dtype=torch.bool)
        wide[:, :, :, :side] = True
        with given(rand=[torch.full((1, 1, 4), 0.999999)]):
            drawn = draw_rectangles(wide, 1, 0.18, 0, GENERATOR)
        lengths.append(int(drawn.rows.sum()) if side else 0)
    shares = np.array([share.mean(), np.quantile(share, 0.5), np.quantile(share, 0.95)])
    return {
        "share": shares,
        "untouched": (share == 0).mean(),
        "extent": np.array([found[0][0], found[0][-1], found[1][0], found[1][-1]]),
        "longest": np.array(lengths),
    }


def encoder(item, state):
    from madad.models.networks.resnet import ResNetEncoder

    c = item.config.get("encoder", item.config)
    network = ResNetEncoder(depth=c["depth"], width=c["width"], stages=c["stages"], outputs=c["outputs"])
    return load(network, state)


@check("cddpm.encoder")
def cddpm_encoder(item):
    with torch.no_grad():
        return {"condition": encoder(item, item.weights("encoder")).eval()(item.tensor("image"))}


@check("cddpm.encoder_full")
def cddpm_encoder_full(item):
    from madad.models.networks.resnet import DropPath, ResNetEncoder

    network = ResNetEncoder(depth=50, width=64, stages=4, outputs=32)
    zeros = [p for name, p in network.named_parameters() if p.ndim == 1 and name.endswith("weight") and p.abs().max() == 0]
    drops = [m.p for m in network.modules() if isinstance(m, DropPath) and m.p > 0]
    return {
        "parameters": np.array(sum(p.numel() for p in network.parameters())),
        "drop_paths": np.array([len(drops), *drops]),
        "zero_gammas": np.array(len(zeros)),
    }


def cddpm(item):
    from madad.methods.cddpm import CDDPM

    c = item.config
    model = build(
        CDDPM,
        item,
        c.get("test_timesteps", [500]),
        pretraining=None,
        condition_channels=c["condition_channels"],
        encoder_depth=c["encoder"]["depth"],
        encoder_width=c["encoder"]["width"],
        encoder_stages=c["encoder"]["stages"],
        drop_path=0.0,
    )
    load(model.encoder, item.weights("encoder"))
    return model


@check("cddpm.reconstruction")
def cddpm_reconstruction(item):
    model, fields = cddpm(item).eval(), item.tensor("noise").split(1)
    with_noise(model, fields)
    with torch.no_grad():
        mean = model.reconstruct(item.tensor("image"), GENERATOR)
        model.test_indices = model.test_indices[:1]
        with_noise(model, fields)
        return {"reconstruction": mean, "first": model.reconstruct(item.tensor("image"), GENERATOR)[:1]}


@check("cddpm.loss")
def cddpm_loss(item):
    model = cddpm(item).train()
    with_noise(model, item.tensor("noise").split(1))
    with given(randint=[item.tensor("t")]):
        loss = model.training_loss({"image": item.tensor("image")}, GENERATOR)["loss"]
    loss.backward()
    net = model.encoder
    return {
        "loss": loss,
        "grad_norm_unet": grad_norm(model.unet),
        "grad_norm_encoder": grad_norm(net),
        "grad_fc": net.fc.weight.grad,
        "running_mean_first": net.bn1.running_mean,
        "running_var_last": net.layer4[2].bn3.running_var,
    }


@check("spark.loss")
def spark_loss(item):
    from madad.models.components import spark

    c = item.config
    model = spark.SparK(
        encoder_depth=c["encoder_depth"],
        encoder_width=c["encoder_width"],
        encoder_stages=c["encoder_stages"],
        drop_path=0.0,
        mask_ratio=c["mask_ratio"],
    )
    state = {f"encoder.{name}": tensor for name, tensor in item.weights("encoder").items() if not name.startswith("fc.")}
    theirs = item.weights("spark")
    for index in groups(theirs, "en_de_norms."):
        put(state, f"densify.{index}.norm.", part(theirs, f"en_de_norms.{index}."), [("", "")])
        put(state, f"densify.{index}.lateral.", part(theirs, f"en_de_lins.{index}."), [("", "")])
        state[f"densify.{index}.token"] = theirs[f"mask_tokens.{index}"]
    for index in groups(theirs, "dense_decoder.dec."):
        old, new = f"dense_decoder.dec.{index}.", f"decoder.steps.{index}."
        put(
            state,
            new,
            part(theirs, old),
            [("up.", "0."), ("conv.0.b.0.", "1."), ("conv.0.b.1.", "2."), ("conv.0.b.3.", "4."), ("conv.0.b.4.", "5.")],
        )
    put(state, "decoder.head.", part(theirs, "dense_decoder.proj."), [("", "")])
    load(model, state)
    model.double().train()
    painted, paint = [], model._paint
    model._paint = lambda *args: painted.append(paint(*args)) or painted[-1]
    with patched(spark, "draw_visible", lambda *args: item.tensor("visible")):
        loss = model.training_loss({"image": item.tensor("image").double()}, GENERATOR)["loss"]
    loss.backward()
    net = model.encoder
    return {
        "loss": loss,
        "grad_norm": grad_norm(model),
        "grad_norm_encoder": grad_norm(net),
        "painted": painted[0][:, :, ::6, ::6],
        "running_mean_first": net.bn1.running_mean,
        "running_var_last": net.layer4[2].bn3.running_var,
        "running_mean_norm": model.densify[0].norm.running_mean,
    }


@check("spark.mask_law")
def spark_mask_law(item):
    from madad.models.networks.spark import draw_visible

    visible = draw_visible(2000, (3, 3), 0.65, torch.Generator().manual_seed(4)).flatten(1)
    return {"visible": np.array([visible.sum(1).min(), visible.sum(1).max()]), "frequency": visible.float().mean(0)}


# ---- MAD-AD ----------------------------------------------------------------------------------------------------------------
@check("mad_ad.schedule")
def mad_ad_schedule(item):
    from madad.models.diffusion import schedules
    from madad.models.diffusion.gated import respaced

    table, out = schedules.cosine(10), {}
    for steps in (10, 5, 4, 3, 2):
        kept = respaced(steps, 10, "check")[::-1]
        out |= {f"timesteps_{steps}": np.array(kept), f"alphas_cumprod_{steps}": table[kept]}
    return out


def mad_ad_unet(item, dropout=0.0, state=None):
    from madad.models.networks.two_headed_unet import TwoHeadedUNet

    c = item.config
    network = TwoHeadedUNet(
        in_channels=4,
        dropout=dropout,
        **{key: c[key] for key in ("base_channels", "channel_multipliers", "blocks_per_level", "attention_heads", "norm_groups")},
    )
    return load(network, mad_ad_names(item.weights("unet"), c["attention_heads"])) if item.record["weights"] else network


@check("mad_ad.unet")
def mad_ad_unet_answers(item):
    network, z = mad_ad_unet(item), item.tensor("z").requires_grad_()
    clean, logits = network(z, item.tensor("t"))
    keep = logits.sigmoid()
    (clean.square().mean() + keep.square().mean()).backward()
    return {"clean": clean, "keep": keep, "grad_z": z.grad, "grad_norm": grad_norm(network)}


@check("mad_ad.sizes")
def mad_ad_sizes(item):
    from madad.models.networks.two_headed_unet import TwoHeadedUNet

    c, out = item.config, []
    for base, heads in zip(c["base_channels"], c["attention_heads"], strict=True):
        with torch.device("meta"):
            out.append(
                count(
                    TwoHeadedUNet(
                        in_channels=4,
                        base_channels=base,
                        attention_heads=heads,
                        dropout=0.4,
                        **{key: c[key] for key in ("channel_multipliers", "blocks_per_level", "norm_groups")},
                    )
                )
            )
    return {"parameters": np.array(out)}


@check("mad_ad.defaults")
def mad_ad_defaults(item):
    from importlib.resources import files

    import yaml

    card = yaml.safe_load((files("madad") / "methods" / "mad_ad.yaml").read_text())
    settings, out = card["parameters"] | card["training"], []
    for name, length in item.config["order"].items():
        value = settings[name]["default"]
        values = value if isinstance(value, list) else [value]
        assert len(values) == length, name
        out += values
    return {"values": np.array(out, dtype=float)}


@check("mad_ad.unet_initial_zeros")
def mad_ad_zeros(item):
    network = mad_ad_unet(item, dropout=0.4)
    zeros = [name for name, p in network.named_parameters() if name.endswith("weight") and p.abs().max() == 0]
    return {"number": np.array(len(zeros)), "parameters": np.array(sum(p.numel() for p in network.parameters()))}


@check("mad_ad.q_sample")
def mad_ad_q_sample(item):
    from madad.models.diffusion import schedules
    from madad.models.diffusion.forward import add_noise

    z, keep = item.tensor("z_0"), item.tensor("keep").bool()
    return {"z_t": torch.where(keep, z, add_noise(z, item.tensor("noise"), item.tensor("t"), schedules.cosine(10)))}


class FakeAutoencoder(nn.Module):
    spatial_dims, latent_channels, downsampling = 2, 4, 8


def mad_ad(item, **more):
    from madad.methods.mad_ad import MADAD

    c = item.config
    sizes = {
        key: c[key]
        for key in ("base_channels", "channel_multipliers", "blocks_per_level", "attention_heads", "norm_groups", "dropout")
    }
    settings = dict(
        autoencoder=FakeAutoencoder(),
        num_train_timesteps=10,
        patch_sizes=[1, 2, 4, 8],
        patch_probabilities=[0.2, 0.3, 0.3, 0.2],
        max_diffused_share=0.4,
        brain_block=2,
        min_brain_share=0.9,
        mask_loss="mse",
        mask_weight=0.001,
        test_steps=10,
        eta=0.5,
        gate="plain",
        residual="code",
        clip=0.25,
        gamma=0.2,
        smoothing=5 / 256,
        slices_per_pass=64,
    )
    model = MADAD(**sizes, **(settings | more))
    load(model.unet, mad_ad_names(item.weights("unet"), c["attention_heads"]))
    return model


@check("mad_ad.training_loss")
def mad_ad_training_loss(item):
    model = mad_ad(item, mask_weight=item.config["mask_weight"])
    model._draw_latents = lambda images, generator: item.tensor("z_0")
    model._draw_mask = lambda brain, generator: item.tensor("keep").bool()
    with given(randint=[item.tensor("t")], randn=[item.tensor("noise")]):
        losses = model.training_loss({"image": None, "brain": None}, GENERATOR)
    losses["loss"].backward()
    return losses | {"grad_norm": grad_norm(model)}


@check("mad_ad.mask_kept")
def mad_ad_mask_kept(item):
    from madad.models.diffusion.patch_masks import keep_patches

    sizes, grid, shares = item.config["patch_sizes"], tuple(item.config["grid"]), item.tensor("shares")
    return {
        "kept": np.array([[keep_patches(shares, grid, (a, b), GENERATOR).sum((1, 2, 3)).numpy() for b in sizes] for a in sizes])
    }


@check("mad_ad.brain_gate")
def mad_ad_gate(item):
    from madad.models.diffusion.patch_masks import diffusible

    brain = torch.from_numpy(item.bits("brain", 3, 1, 128, 128))
    return {"allowed": diffusible(brain, 8, 2, 0.9).numpy().astype(np.uint8)}


@check("mad_ad.mask_law")
def mad_ad_mask_law(item):
    from madad.methods.mad_ad import MADAD
    from madad.models.diffusion.patch_masks import diffusible, draw_patch

    rows, columns = np.mgrid[:256, :256]
    brain = torch.from_numpy(((rows - 128) / 105) ** 2 + ((columns - 128) / 84) ** 2 < 1).expand(16, 1, 256, 256)
    sizes, weights, generator = item.config["patch_sizes"], item.config["patch_probabilities"], torch.Generator().manual_seed(11)
    law = SimpleNamespace(
        autoencoder=FakeAutoencoder(),
        brain_block=2,
        min_brain_share=0.9,
        patch_sizes=sizes,
        patch_probabilities=weights,
        max_diffused_share=0.4,
    )
    allowed = int(diffusible(brain[:1], 8, 2, 0.9).sum())
    share = torch.cat([(~MADAD._draw_mask(law, brain, generator)).flatten(1).sum(1) for _ in range(600)]).numpy() / allowed
    drawn = np.zeros((4, 4))
    for _ in range(2000):
        a, b = draw_patch(sizes, weights, generator)
        drawn[sizes.index(a), sizes.index(b)] += 1 / 2000
    return {
        "allowed_cells": np.array(allowed),
        "statistics": np.array(
            [share.mean(), share.std(), *np.quantile(share, [0.05, 0.25, 0.5, 0.75, 0.95]), (share == 0).mean()]
        ),
        "patches": drawn,
    }


@check("mad_ad.gated_step")
def mad_ad_step(item):
    from madad.models.diffusion import schedules
    from madad.models.diffusion.gated import gated_ddim

    table, clean, keep, noise, out = schedules.cosine(10), item.tensor("clean"), item.tensor("keep"), item.tensor("noise"), []
    for eta in item.config["eta"]:
        for level in item.config["levels"]:
            # one step from a level to the next cleaner one: the chain that holds these two, stopped after its first step
            steps = [level, level - 1] if level else [0]
            states = []

            def denoise(z, t, states=states):
                states.append(z)
                return clean, keep

            with given(randn=[noise, noise]):
                last = gated_ddim(
                    denoise,
                    item.tensor("z"),
                    timesteps=steps,
                    alphas_cumprod=table,
                    eta=eta,
                    sticky=False,
                    generator=GENERATOR,
                    batch_size=99,
                )
            out.append((states[1] if level else last)[:1, :, :6, :6])
    return {"z_before": torch.stack(out).view(item.expected("z_before").shape)}


@check("mad_ad.gated_chain_ten")
@check("mad_ad.gated_chain_five")
@check("mad_ad.gated_chain_two_deterministic")
def mad_ad_chain(item):
    model = mad_ad(item, test_steps=item.config["test_steps"], eta=item.config["eta"]).eval()
    z, noise, flags = item.tensor("z"), list(item.tensor("noise")), []
    model._encode, model._decode = (lambda volume: z), (lambda latents: latents)
    denoise = model._denoise

    def spy(z_t, t):
        answer = denoise(z_t, t)
        flags.append(answer[1] < 0.5)
        return answer

    model._denoise = spy
    with torch.no_grad(), given(randn=noise):
        cleaned = model.reconstruct(z, GENERATOR)
    return {"z_clean": cleaned, "flagged": np.packbits(torch.stack(flags).numpy())}


def rombach_names(state, levels, blocks, side):  # noqa: C901
    """CompVis encoder or decoder to madad.models.networks.autoencoder.RombachAutoencoder."""
    out, at = {}, 0
    block = [
        ("norm1.", "norm1."),
        ("norm2.", "norm2."),
        ("conv1.", "conv1.conv."),
        ("conv2.", "conv2.conv."),
        ("nin_shortcut.", "nin_shortcut.conv."),
    ]

    def layer(old, rules):
        nonlocal at
        put(out, f"{side}.blocks.{at}.", part(state, f"{side}.{old}."), rules)
        at += 1

    def middle():
        nonlocal at
        for index, name in ((0, "block_1"), (2, "block_2")):
            put(out, f"{side}.blocks.{at}.{index}.", part(state, f"{side}.mid.{name}."), block)
        attention, new = part(state, f"{side}.mid.attn_1."), f"{side}.blocks.{at}.1."
        put(out, f"{new}norm.", part(attention, "norm."), [("", "")])
        for kind in ("weight", "bias"):
            flat = 2 if kind == "weight" else 0
            out[f"{new}qkv.{kind}"] = torch.cat([attention[f"{name}.{kind}"] for name in "qkv"]).flatten(flat)
            out[f"{new}out.{kind}"] = attention[f"proj_out.{kind}"].flatten(flat)
        at += 1

    layer("conv_in", [("", "conv.")])
    down = side == "encoder"
    if not down:
        middle()
    for level in range(levels) if down else reversed(range(levels)):
        for index in range(blocks):
            layer(f"{'down' if down else 'up'}.{level}.block.{index}", block)
        if down and level < levels - 1:
            layer(f"down.{level}.downsample", [("conv.", "conv.conv.")])
        elif not down and level:
            layer(f"up.{level}.upsample", [("conv.", "postconv.conv.")])
    if down:
        middle()
    layer("norm_out", [("", "")])
    at += 1  # a SiLU
    layer("conv_out", [("", "conv.")])
    return out


@check("mad_ad.autoencoder")
def mad_ad_autoencoder(item):
    from madad.models.networks.autoencoder import autoencoder

    c, state = item.config, item.weights("autoencoder")
    levels = len(c["ch_mult"])
    network = autoencoder(
        spatial_dims=2,
        base_channels=c["ch"],
        channel_multipliers=c["ch_mult"],
        blocks_per_level=c["num_res_blocks"],
        latent_channels=c["z_channels"],
        norm_groups=c["groups"],
        middle_attention=True,
        layout="rombach",
    )
    names = rombach_names(state, levels, c["num_res_blocks"], "encoder")
    names |= rombach_names(state, levels, c["num_res_blocks"] + 1, "decoder")
    put(names, "moments.", part(state, "quant_conv."), [("", "")])
    put(names, "post_quant_conv.", part(state, "post_quant_conv."), [("", "")])
    load(network, names)
    with torch.no_grad():
        mean, sigma = network.encode(item.tensor("x"))
        decoded = network.decode(torch.from_numpy(item.expected("mean")))
    return {"mean": mean, "log_variance": 2 * sigma.log(), "decoded": decoded}


@check("mad_ad.map")
def mad_ad_map(item):
    from madad.methods.mad_ad import MADAD

    model = SimpleNamespace(
        residual="code",
        clip=item.config["clip"],
        gamma=0.2,
        smoothing=item.config["sigma"] / item["before"].shape[-1],
        _encode=lambda volume: volume,
        _decode=lambda z: z,
    )
    before, after = item.tensor("before"), item.tensor("after")
    brain = torch.ones(before.shape[0], *before.shape[2:], dtype=torch.bool)
    return {"map": MADAD.anomaly_map(model, (before + 1) / 2, (after + 1) / 2, brain, GENERATOR)}


def ranked(scores, lesion):
    """Exact (2, bins) counts of scores, ascending, without madad's rounding to float16."""
    values, index = np.unique(scores, return_inverse=True)
    return np.stack(
        [
            np.bincount(index.ravel()[~lesion.ravel()], minlength=len(values)),
            np.bincount(index.ravel()[lesion.ravel()], minlength=len(values)),
        ]
    ), values


@check("mad_ad.measures")
def mad_ad_measures(item):
    from madad.evaluation.metrics.voxel_metrics import auroc, average_precision, confusion, dice, dice_curve

    lesion, out = item.bits("lesion", 4, 48, 48), {}
    for name, scores in (("measures", item["map"]), ("measures_tied", np.round(item["map"] * 8) / 8)):
        counts, _ = ranked(scores, lesion)
        # Max Dice is not a measure of madad: put together here from its Dice, slice by slice, with their rule for empty slices.
        best = 0.0
        for threshold in np.linspace(0, 1, 201):
            dices = []
            for score, truth in zip(scores, lesion, strict=True):
                prediction = score > threshold
                dices.append(dice(confusion(prediction, truth)) if truth.any() else float(not prediction.any()))
            best = max(best, float(np.mean(dices)))
        out[name] = np.array([auroc(counts), np.nanmax(dice_curve(counts)), average_precision(counts), best])
    return out


@check("mad_ad.loader")
def mad_ad_loader(item):
    from madad.models.diffusion.forward import to_signed

    brain = item.bits("brain", 64, 64)
    return {"x": to_signed(torch.from_numpy(item["image"] / np.float32(255) * brain))[None]}


# ---- MHD and scoring -------------------------------------------------------------------------------------------------------
@check("mhd.map")
def mhd_map(item):
    from madad.methods.mhd import MHD

    c, volume, draws = item.config, item.tensor("volume"), item.tensor("draws")
    brain = torch.from_numpy(item.bits("brain", *volume.shape))
    model = MHD(model=nn.Identity(), draws=c["draws"], ridge=c["ridge"], covariance=c["covariance"], residual=c["residual"])
    weight = model._weight(volume.double(), draws.double(), brain)
    return {"weight": weight, "map": model.anomaly_map(volume[:, None], draws[:, :, None], brain, GENERATOR)}


@check("mhd.distance")
def mhd_distance(item):
    from madad.methods.mhd import full_covariance

    volume, draws, at = item.tensor("volume").double(), item.tensor("draws").double(), item.config["slice"]
    inside = torch.from_numpy(item.bits("brain", *volume.shape))[at]
    drawn = draws[:, at, inside]
    share = full_covariance(volume[at, inside] - drawn.mean(0), drawn - drawn.mean(0), item.config["ridge"])
    return {"distance": share.clamp(min=0).sqrt()}


def scoring_inputs(item):
    brain = item.bits("brain", *item["validation_map"].shape)
    return brain, item["validation_map"], item["test_map"]


@check("scoring.post_processing")
def scoring_post_processing(item):
    from madad.evaluation.metrics.ordinal_scores import to_scores
    from madad.evaluation.protocol.postprocessing import Sizes, erode, post_process

    brain, validation, test = scoring_inputs(item)
    sizes = Sizes(item.config["erosion"], item.config["median"], 0)
    return {
        "validation": to_scores(post_process(validation, brain, sizes)),
        "test": to_scores(post_process(test, brain, sizes)),
        "eroded": np.packbits((test > 0) & erode(brain, sizes.erosion)),
    }


def subject(item, name):
    scores = item[name]
    return scores, np.unpackbits(item[f"{name}_lesion"])[: scores.size].reshape(scores.shape).astype(bool)


@check("scoring.ranking")
def scoring_ranking(item):
    from madad.evaluation.metrics.ordinal_scores import to_ordinals
    from madad.evaluation.metrics.voxel_metrics import auroc, average_precision
    from madad.evaluation.protocol.published_protocols import count_all

    counts = [
        count_all(to_ordinals(scores), lesion, scores.size)
        for scores, lesion in (subject(item, name) for name in ("validation", "test"))
    ]
    return {
        "average_precision": np.array([average_precision(count) for count in counts]),
        "auroc": np.array([auroc(count) for count in counts]),
    }


@check("scoring.chain")
def scoring_chain(item):
    from madad.evaluation.metrics.ordinal_scores import ordinal_at, to_ordinals
    from madad.evaluation.metrics.voxel_metrics import dice_curve
    from madad.evaluation.protocol import published_protocols
    from madad.evaluation.protocol.postprocessing import remove_small

    scores, lesion = subject(item, "validation")
    counts = published_protocols.count_all(to_ordinals(scores), lesion, scores.size)
    threshold = published_protocols.best_by_halving(counts)
    scores, lesion = subject(item, "test")
    ordinals = to_ordinals(scores)
    return {
        "validation_dice": dice_curve(counts)[ordinal_at(threshold) + 1],
        "kept": np.packbits(remove_small(ordinals > ordinal_at(threshold), 8)),
        "dice": published_protocols.dice(ordinals, lesion, threshold, 8),
    }


@check("scoring.components")
def scoring_components(item):
    from madad.evaluation.protocol.postprocessing import remove_small

    return {"kept": np.packbits(remove_small(item.bits("mask", *item.config["shape"]), 8))}


@check("scoring.hollow_component")
def scoring_hollow(item):
    return scoring_components(item)


def halvings(item):
    from madad.evaluation.protocol.published_protocols import halve

    scores = item["scores"].astype(np.float64)
    lesions = item.bits("lesion", *scores.shape)
    for score, lesion in zip(scores, lesions, strict=True):

        def quality(threshold, score=score, lesion=lesion):
            above = score > threshold
            return 2 * np.sum(above & lesion) / (above.sum() + lesion.sum())

        point = halve(quality, float(score.max()))
        yield quality(point), point


@check("scoring.halving_dice")
@check("scoring.halving_fine")
def scoring_halving_dice(item):
    return {"dice": np.array([dice for dice, _ in halvings(item)])}


@check("scoring.halving_point")
def scoring_halving_point(item):
    return {"threshold": np.array([point for _, point in halvings(item)])}


# ---- fluid -----------------------------------------------------------------------------------------------------------------
def potentials(item):
    factors = item["factors"].astype(np.float64)
    return torch.from_numpy(np.einsum("kri,krj,krl->kijl", *(factors[:, :, axis] for axis in range(3))).astype(np.float32) * 16)


def central(field, axis):
    inner = [slice(1, -1)] * (field.ndim - 1)
    above, below = list(inner), list(inner)
    above[axis], below[axis] = slice(2, None), slice(None, -2)
    return (field[(..., *above)] - field[(..., *below)]) / 2


def whole_velocity(psi):
    """Their velocity on all voxels: one-sided differences at the array's ends, where madad looks beyond the array."""
    from madad.data.anomalies.velocity import _curl

    def ends(field, axis):
        return torch.from_numpy(np.gradient(field.numpy(), axis=axis + 1))

    return _curl([part[None] for part in psi], ends)


@check("fluid.curl")
def fluid_curl(item):
    from madad.data.anomalies.velocity import _curl

    return {"velocity": torch.cat(_curl([part[None] for part in potentials(item)], central))[:, ::2, ::2, ::2]}


@check("fluid.curl_2d")
def fluid_curl_2d(item):
    from madad.data.anomalies.velocity import _curl

    return {"velocity": torch.cat(_curl([potentials(item)[0, 16][None]], central))}


@contextmanager
def flowing(velocity):
    from madad.data.anomalies import fluid
    from madad.data.anomalies.velocity import Flow

    with patched(fluid, "node_velocity", lambda flow, box: [box.crop(part) for part in velocity]):
        yield Flow(torch.zeros(1, 4, 3, 3, 3, 3))


@check("fluid.advection")
def fluid_advection(item):
    from madad.data.anomalies.fluid import evolve

    ball, out, maps = item.tensor("ball")[None], {}, []
    with flowing(whole_velocity(potentials(item))) as flow:
        for steps in (1, 3, 9):
            maps.append(evolve(ball, flow, torch.tensor([0.1 * steps]))[0])
            out[f"after_{steps}"] = maps[-1][2:30:2, 2:30:2, 2:30:2]
            out[f"converged_{steps}"] = evolve(ball, flow, torch.tensor([0.1 * steps]), cfl=0.1)[0][2:30:2, 2:30:2, 2:30:2]
    index = torch.stack(torch.meshgrid(*[torch.arange(32.0)] * 3, indexing="ij")).double()
    inside = [part[2:30, 2:30, 2:30] for part in maps]
    mass = torch.stack([part.double().sum() for part in inside])
    centroid = torch.stack([(index[:, 2:30, 2:30, 2:30] * part).sum((1, 2, 3)) for part in inside]) / mass[:, None]
    return out | {"mass": mass, "centroid": centroid, "shell_9@as_is": maps[-1][:, 31]}


@check("fluid.right_hand_side")
def fluid_rhs(item):
    from madad.data.anomalies.fluid import derivative, stencil
    from madad.data.anomalies.velocity import Box

    velocity = [part[:, :16, :16, :16].contiguous() for part in whole_velocity(potentials(item))]
    with flowing(velocity) as flow:
        rates = stencil(flow, Box((16, 16, 16), torch.zeros(1, 3, dtype=torch.long), (16, 16, 16)), None)
    return {"derivative": derivative(item.tensor("data")[None], rates)[0, 2:14:2, 2:14:2, 2:14:2]}


@check("fluid.speed_law")
def fluid_speed(item):
    from madad.data.anomalies.velocity import Box, draw_flow, node_velocity

    n, count = item.config["grid"], item.config["flows"]
    flow = draw_flow(3, [np.random.default_rng(seed) for seed in range(count)])
    speed = (
        torch.stack(node_velocity(flow, Box((n, n, n), torch.zeros(count, 3, dtype=torch.long), (n, n, n))))
        .square()
        .sum(0)
        .sqrt()
    )
    return {"speed": np.array([float(speed.flatten(1).mean(1).mean()), float(speed.flatten(1).amax(1).mean())])}


# ---- CondDiff --------------------------------------------------------------------------------------------------------------
def semantic_names(state):
    """BeatGANsEncoderModel to madad.models.networks.semantic_encoder.SemanticEncoder."""
    out, at = {}, 0
    block = [("in_layers.0.", "branch.0."), ("in_layers.2.", "branch.2."), ("skip_connection.", "skip.")]

    def layer(old, rules):
        nonlocal at
        put(out, f"layers.{at}.", part(state, old), rules)
        at += 1

    for index in groups(state, "input_blocks."):
        for inner in groups(state, f"input_blocks.{index}."):
            old = f"input_blocks.{index}.{inner}."
            kind = part(state, old)
            layer(
                old,
                ATTENTION
                if "qkv.weight" in kind
                else [("op.", "")]
                if "op.weight" in kind
                else block
                if "in_layers.0.weight" in kind
                else [("", "")],
            )
    for inner, rules in enumerate((block, ATTENTION, block)):
        layer(f"middle_block.{inner}.", rules)
    layer("out.0.", [("", "")])
    out["head.weight"], out["head.bias"] = state["out.3.weight"].flatten(2), state["out.3.bias"]
    return out


def split_attention(out, new, theirs):
    """Join the projections of one attention block; an identity replaces the last layer, which their code never applies."""
    put(out, f"{new}norm.", part(theirs, "norm."), [("", "")])
    for kind in ("weight", "bias"):
        joined = torch.cat([theirs[f"to_{name}.{kind}"] for name in "qkv"])
        out[f"{new}qkv.{kind}"] = joined[:, :, None] if kind == "weight" else joined
    channels = len(theirs["norm.weight"])
    out[f"{new}out.weight"], out[f"{new}out.bias"] = torch.eye(channels)[:, :, None], torch.zeros(channels)


def adagn_names(state):
    """CondDiff U-Net to madad.models.networks.adagn_unet.AdaGNUNet."""
    rules = [
        ("norm1.", "norm_in."),
        ("conv1.", "conv_in."),
        ("time_emb_proj.", "by_time."),
        ("cond_emb_proj.", "by_condition."),
        ("out_layers.0.", "norm_out."),
        ("out_layers.3.", "conv_out."),
        ("norm2.", "norm_out."),
        ("conv2.", "conv_out."),
        ("skip_connection.", "skip."),
    ]
    out = {}

    for old, new in (("conv_in.", "stem."), ("time_embed.", "embed_time."), ("out.", "head.")):
        put(out, new, part(state, old), [("", "")])
    stage = 0
    for level in groups(state, "down_blocks."):
        for index in groups(state, f"down_blocks.{level}.resnets."):
            put(out, f"down.{stage}.0.", part(state, f"down_blocks.{level}.resnets.{index}."), rules)
            if any(name.startswith(f"down_blocks.{level}.attentions.") for name in state):
                split_attention(out, f"down.{stage}.1.", part(state, f"down_blocks.{level}.attentions.{index}."))
            stage += 1
        if any(name.startswith(f"down_blocks.{level}.downsampler.") for name in state):
            put(out, f"down.{stage}.0.convolution.", part(state, f"down_blocks.{level}.downsampler.op."), [("", "")])
            stage += 1
    put(out, "middle.0.", part(state, "middle_block.resnet_1."), rules)
    split_attention(out, "middle.1.", part(state, "middle_block.attention."))
    put(out, "middle.2.", part(state, "middle_block.resnet_2."), rules)
    stage = 0
    for level in groups(state, "up_blocks."):
        resnets = groups(state, f"up_blocks.{level}.resnets.")
        for index in resnets:
            put(out, f"up.{stage}.0.", part(state, f"up_blocks.{level}.resnets.{index}."), rules)
            after = 1
            if any(name.startswith(f"up_blocks.{level}.attentions.") for name in state):
                split_attention(out, f"up.{stage}.1.", part(state, f"up_blocks.{level}.attentions.{index}."))
                after = 2
            if index == resnets[-1] and any(name.startswith(f"up_blocks.{level}.upsampler.") for name in state):
                put(out, f"up.{stage}.{after}.convolution.", part(state, f"up_blocks.{level}.upsampler.conv."), [("", "")])
            stage += 1
    return out


class FakeVolumes(nn.Module):
    spatial_dims, latent_channels, downsampling = 3, 3, 1


def conddiff(item):
    from madad.methods.conddiff import CondDiff

    c, state = item.config, item.weights("conddiff")
    keys = (
        "spatial_dims",
        "base_channels",
        "channel_multipliers",
        "blocks_per_level",
        "norm_groups",
        "encoder_base_channels",
        "encoder_channel_multipliers",
        "condition_channels",
        "latent_rows",
    )
    model = CondDiff(
        autoencoder=FakeVolumes(),
        **{key: c[key] for key in keys},
        schedule="linear",
        num_train_timesteps=1000,
        test_timestep=c.get("test_timestep", 250),
        sampling_steps=c.get("sampling_steps", 0),
        residual_shift=2,
        slices_per_pass=8,
    )
    load(model.encoder, semantic_names(part(state, "encoder.")))
    load(model.unet, adagn_names({name: tensor for name, tensor in state.items() if not name.startswith("encoder.")}))
    return model


@check("conddiff.encoder")
def conddiff_encoder(item):
    with torch.no_grad():
        return {"condition": conddiff(item).encoder(item.tensor("z"))}


@check("conddiff.unet")
def conddiff_unet(item):
    model, x = conddiff(item), item.tensor("x_t").requires_grad_()
    answer = model.unet(x, item.tensor("t"), model.encoder(item.tensor("z")))
    answer.square().mean().backward()
    return {"answer": answer, "grad_x": x.grad, "grad_norm": conddiff_norm(model)}


def conddiff_norm(model):
    """Their U-Net never applies the projection after attention, so that it has no gradient there; the encoder's does."""
    unused = [
        name for name, _ in model.named_parameters() if name.startswith("unet.") and name.endswith((".out.weight", ".out.bias"))
    ]
    return grad_norm(model, without=unused)


def ancestral_chain():
    from madad.models.diffusion import ancestral, schedules

    return ancestral, ancestral.chain(schedules.linear(1000))


@check("conddiff.sizes")
def conddiff_sizes(item):
    from madad.models.networks.adagn_unet import AdaGNUNet
    from madad.models.networks.semantic_encoder import SemanticEncoder

    c = item.config
    shared = {key: c[key] for key in ("spatial_dims", "base_channels", "channel_multipliers", "blocks_per_level", "norm_groups")}
    with torch.device("meta"):
        encoder = SemanticEncoder(
            spatial_dims=3,
            in_channels=3,
            base_channels=c["encoder_base_channels"],
            channel_multipliers=c["encoder_channel_multipliers"],
            norm_groups=32,
            outputs=c["condition_channels"],
        )
        unet = AdaGNUNet(in_channels=3, out_channels=6, condition_channels=c["condition_channels"] * c["latent_rows"], **shared)
        plain = AdaGNUNet(in_channels=3, out_channels=6, **shared)
    return {"parameters": np.array([count(encoder, unet), count(plain)])}


@check("ldm.unet")
def ldm_unet(item):
    from madad.models.networks.adagn_unet import AdaGNUNet

    network = load(AdaGNUNet(in_channels=3, out_channels=6, **item.config), adagn_names(item.weights("ldm")))
    with torch.no_grad():
        return {"answer": network(item.tensor("x_t"), item.tensor("t"))}


@check("conddiff.schedule")
def conddiff_schedule(item):
    _, chain = ancestral_chain()
    index = item.config["index"]
    return {
        "alphas_cumprod": chain.alphas_cumprod[index],
        "log_smallest": chain.log_smallest[index],
        "weight_x_0": chain.weight_x_0[index],
        "weight_x_t": chain.weight_x_t[index],
        "first_levels": chain.log_smallest[:4],
    }


def noisy(item):
    from madad.models.diffusion.forward import add_noise

    ancestral, chain = ancestral_chain()
    x_0, t = item.tensor("x_0"), item.tensor("t")
    return ancestral, chain, x_0, add_noise(x_0, item.tensor("noise"), t, chain.alphas_cumprod), t, item.tensor("answer")


@check("conddiff.p_mean")
def conddiff_p_mean(item):
    ancestral, chain, _, x_t, t, answer = noisy(item)
    mean, log_variance = ancestral.previous(answer, x_t, t, chain)
    return {"x_t": x_t, "mean": mean, "log_variance": log_variance}


@check("conddiff.bound")
def conddiff_bound(item):
    ancestral, chain, x_0, x_t, t, answer = noisy(item)
    bound = ancestral.bound_term(answer, x_0, x_t, t, chain)
    return {"later": bound[1:], "first": bound[:1]}


@check("conddiff.bound_open_bins")
def conddiff_open_bins(item):
    ancestral, chain, x_0, x_t, t, answer = noisy(item)
    return {"first": ancestral.bound_term(answer, x_0, x_t, t, chain)[:1]}


@check("conddiff.loss")
def conddiff_loss(item):
    model = conddiff(item)
    model.latents.encode = lambda images: images
    with given(randint=[item.tensor("t")], randn=[item.tensor("noise")]):
        losses = model.training_loss({"healthy": item.tensor("z_0"), "image": item.tensor("z")}, GENERATOR)
    losses["loss"].backward()
    return losses | {"grad_norm": conddiff_norm(model)}


@check("conddiff.walk")
def conddiff_walk(item):
    model = conddiff(item).eval()
    model.latents.encode_volume, model.latents.decode_volume = (lambda volume: volume), (lambda latents, slices: latents)
    with torch.no_grad(), given(randn=list(item.tensor("noise"))):
        return {"walked": model.reconstruct(item.tensor("z")[:1], GENERATOR)}


@check("conddiff.shift_residual")
def conddiff_shift(item):
    from madad.models.diffusion.residuals import shift_robust_residual

    found = shift_robust_residual(item.tensor("image")[:, None], item.tensor("reconstruction")[:, None], item.config["shift"], 3)
    return {"inside": found[2:-2, 2:-2, 2:-2], "whole@as_is": found}


# ---- running ---------------------------------------------------------------------------------------------------------------
def compare(record, name, value, item):
    base, _, variant = name.partition("@")
    expected = np.asarray(item.expected(base))
    value = value.detach().cpu().numpy() if torch.is_tensor(value) else np.asarray(value)
    if value.shape != expected.shape:
        raise AssertionError(f"{name}: shape {value.shape}, expected {expected.shape}")
    if expected.dtype == np.uint8 and "bits" in record["outputs"][base]["what"]:
        wrong = int(np.unpackbits(value ^ expected).sum())
        error, largest = float(wrong), 1.0
    else:
        difference = np.abs(value.astype(np.float64) - expected.astype(np.float64))
        error, largest = float(difference.max()), float(np.abs(expected).max())
    tolerance = record["outputs"][base].get("tolerance", record["tolerance"])
    allowed = tolerance["absolute"] + tolerance["relative"] * largest
    within = error <= allowed
    verdict = "PASS" if within else "FAIL"
    if variant:
        bound = record.get("variants", {}).get(variant, {}).get("bounds", {}).get(base, 0.0)
        verdict = "SAME" if within else "DIFF" if error <= bound else "FAIL"
        allowed = max(allowed, bound)
    return {"max_abs": error, "max_rel": error / largest if largest else error, "allowed": allowed, "verdict": verdict}
