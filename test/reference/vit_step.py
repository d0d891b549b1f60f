"""Golden numbers of one training step and of 20 updates: HF ViTForImageClassification, PEFT LoRA, torch.optim.AdamW.

Run: python test/reference/vit_step.py      (torch 2.13.0, transformers 5.17.0, peft 0.21.0, safetensors 0.8.0, numpy)
Computed in float64 from float32 weights (golden_data.py), written as float32 under native names and layouts to test/reference/vit_step/:
  full        3 channels, every parameter trains        gray    1 channel, qkvBias off, depth 1
  joint       base and adapters of mixed rank train     lora    the adapted linears are frozen
  keepByName  6 full, 7 joint, 7 lora updates with one optimizer whose moments go on, lr ramp of 4 after the freeze
  masks       dropout, attention dropout, drop path and adapter dropout as given factors (forward pass of this file, not HF's)
  adamw       one tensor under AdamW alone: moved, m and v after each of 5 updates with given gradients
The first four and masks: logits, loss, gradNorm, grad/{path} at the start, batch 0 (joint: of the adapters and the modules of block 0, to
save space). The first five: losses [20], gradNorms [20] of updates on batches 1 to 20 and moved/{path} = [norm of the change of the
tensor, its projection on a fixed direction].
Clip 1.0 before each update, decay 0.05 on weights and adapters, lr 3e-3, ramp of 4 updates, then cosine with T = 30.
"""
import os

import numpy as np
import torch
from golden_data import batch, mask, uniform, weight
from peft import LoraConfig, inject_adapter_in_model
from safetensors.torch import save_file
from torch.nn import functional as F
from transformers import ViTConfig, ViTForImageClassification, get_cosine_schedule_with_warmup

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vit_step")
BATCH, CLASSES, UPDATES, LR, DECAY = 6, 5, 20, 3e-3, 0.05
COLOUR = dict(image=12, patch=4, channels=3, width=32, depth=3, heads=4, hidden=48, qkv_bias=True)
GRAY = dict(image=8, patch=4, channels=1, width=16, depth=1, heads=2, hidden=24, qkv_bias=False)
MASKED = dict(image=8, patch=4, channels=1, width=16, depth=2, heads=2, hidden=24, qkv_bias=True)
# module -> (rank, alpha); k is left out everywhere, block 1 keeps its q, block 2 its proj and fc1.
RANKS = {
    "blocks.0.attn.q": (2, 4), "blocks.0.attn.v": (4, 8), "blocks.0.attn.proj": (1, 2), "blocks.0.mlp.fc1": (8, 8), "blocks.0.mlp.fc2": (2, 16),
    "blocks.1.attn.v": (3, 6), "blocks.1.attn.proj": (4, 4), "blocks.1.mlp.fc1": (2, 4), "blocks.1.mlp.fc2": (16, 32),
    "blocks.2.attn.q": (4, 8), "blocks.2.attn.v": (1, 2), "blocks.2.mlp.fc2": (4, 8),
}
MASKED_RANKS = {"blocks.0.attn.q": (2, 4), "blocks.1.attn.proj": (4, 4), "blocks.1.mlp.fc1": (2, 4), "blocks.1.mlp.fc2": (1, 2)}
FAMILIES = {"attn.q": "attention.q_proj", "attn.k": "attention.k_proj", "attn.v": "attention.v_proj", "attn.proj": "attention.o_proj",
            "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2", "norm1": "layernorm_before", "norm2": "layernorm_after"}


def hf_module(module):
    if module.startswith("blocks."):
        _, layer, rest = module.split(".", 2)
        return f"vit.layers.{layer}.{FAMILIES[rest]}"
    return {"patchEmbed": "vit.embeddings.patch_embeddings.projection", "norm": "vit.layernorm", "head": "classifier"}[module]


class Model:
    """An HF model whose parameters are reached by native path and in native layout."""

    def __init__(self, shape):
        self.shape = s = shape
        config = ViTConfig(
            hidden_size=s["width"], num_hidden_layers=s["depth"], num_attention_heads=s["heads"], intermediate_size=s["hidden"],
            hidden_act="gelu", image_size=s["image"], patch_size=s["patch"], num_channels=s["channels"], qkv_bias=s["qkv_bias"],
            num_labels=CLASSES, layer_norm_eps=1e-6, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        self.net = ViTForImageClassification(config).double().train()
        self.ranks = {}
        self.fill(self.paths())

    def paths(self):
        s, found = self.shape, ["patchEmbed.weight", "patchEmbed.bias", "clsToken", "posEmbed"]
        modules = [f"blocks.{i}.{f}" for i in range(s["depth"]) for f in FAMILIES] + ["norm", "head"]
        for m in modules:
            found.append(f"{m}.weight")
            if s["qkv_bias"] or m.split(".")[-1] not in ("q", "k", "v"):
                found.append(f"{m}.bias")
        return found + [f"{m}.lora{ab}" for m in self.ranks for ab in "AB"]

    def parameter(self, path):
        if path == "clsToken":
            return self.net.get_parameter("vit.embeddings.cls_token")
        if path == "posEmbed":
            return self.net.get_parameter("vit.embeddings.position_embeddings")
        module, kind = path.rsplit(".", 1)
        name = hf_module(module)
        if kind in ("loraA", "loraB"):
            return self.net.get_parameter(f"{name}.lora_{kind[-1]}.default.weight")
        base = ".base_layer" if module in self.ranks else ""
        return self.net.get_parameter(f"{name}{base}.{kind}")

    def to_native(self, path, tensor):
        if path == "patchEmbed.weight":  # [D, K, ky, kx] -> [(ky, kx, k), D]
            return tensor.permute(2, 3, 1, 0).reshape(-1, tensor.shape[0])
        transposed = tensor.dim() == 2 and path not in ("clsToken", "posEmbed")
        return tensor.t() if transposed else tensor

    def fill(self, paths):
        s = self.shape
        for path in paths:
            p = self.parameter(path)
            native = tuple(self.to_native(path, p).shape)
            values = torch.from_numpy(weight(path, native)).double()
            if path == "patchEmbed.weight":
                values = values.reshape(s["patch"], s["patch"], s["channels"], s["width"]).permute(3, 2, 0, 1)
            elif values.dim() == 2:
                values = values.t()
            p.data.copy_(values)

    def adapt(self, ranks, zero_b=False):
        names = {hf_module(m): rank for m, rank in ranks.items()}
        config = LoraConfig(
            r=64, lora_alpha=64, lora_dropout=0.0, bias="none", target_modules=list(names),
            rank_pattern={n: r for n, (r, _) in names.items()}, alpha_pattern={n: a for n, (_, a) in names.items()})
        self.net = inject_adapter_in_model(config, self.net).double().train()
        self.ranks = ranks
        for module, (rank, alpha) in ranks.items():
            layer = self.net.get_submodule(hf_module(module))
            assert layer.r["default"] == rank and layer.scaling["default"] == alpha / rank, module
        self.fill([f"{m}.lora{ab}" for m in ranks for ab in "AB"])
        if zero_b:
            for m in ranks:
                self.parameter(f"{m}.loraB").data.zero_()
        self.train_only(self.paths())

    def train_only(self, paths):
        for path in self.paths():
            self.parameter(path).requires_grad_(path in paths)

    def images(self, patches):
        s = self.shape
        grid = s["image"] // s["patch"]
        x = torch.from_numpy(patches).double().reshape(-1, grid, grid, s["patch"], s["patch"], s["channels"])
        return x.permute(0, 5, 1, 3, 2, 4).reshape(-1, s["channels"], s["image"], s["image"])

    def batch(self, step):
        s = self.shape
        return batch(step, BATCH, (s["image"] // s["patch"]) ** 2, s["patch"] ** 2 * s["channels"], CLASSES)

    def logits_and_loss(self, step):
        patches, targets = self.batch(step)
        logits = self.net(pixel_values=self.images(patches)).logits
        return logits, F.cross_entropy(logits, torch.from_numpy(targets).double())

    def frozen_base(self):
        return [f"{m}.{kind}" for m in self.ranks for kind in ("weight", "bias") if f"{m}.{kind}" in self.paths()]


def decays(path):
    return path.endswith((".loraA", ".loraB")) or (path.endswith(".weight") and "norm" not in path.split(".")[-2])


def groups(model, paths):
    return [{"params": [model.parameter(p) for p in paths if decays(p) == flag], "weight_decay": DECAY if flag else 0.0} for flag in (True, False)]


def first_step(model, trainable):
    model.train_only(trainable)
    model.net.zero_grad()
    logits, loss = model.logits_and_loss(0)
    loss.backward()
    out = {"logits": logits.detach(), "loss": loss.detach()}
    out.update({f"grad/{p}": model.to_native(p, model.parameter(p).grad) for p in trainable})
    for p in model.paths():
        assert (model.parameter(p).grad is None) == (p not in trainable), p
    if model.ranks and len(trainable) == len(model.paths()):
        out = {k: v for k, v in out.items() if not k.startswith("grad/") or ".lora" in k or k.startswith("grad/blocks.0.")}
    out["gradNorm"] = torch.sqrt(sum((model.parameter(p).grad ** 2).sum() for p in trainable))
    return out


class Updates:
    """20 updates: the optimizer, HF's schedule stepped before each update (update s uses mult(s)), clip, records."""

    def __init__(self, model, trainable):
        self.model, self.trainable = model, list(trainable)
        self.optimizer = torch.optim.AdamW(groups(model, trainable), lr=LR, betas=(0.9, 0.999), eps=1e-8)
        probe = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        self.schedule = get_cosine_schedule_with_warmup(probe, num_warmup_steps=4, num_training_steps=30)
        self.probe, self.step, self.freeze_step = probe, 0, None
        self.losses, self.norms = [], []
        self.start = {}
        self.remember()

    def remember(self):
        for p in self.model.paths():
            self.start.setdefault(p, self.model.parameter(p).detach().clone())

    def run(self, count, ramp=0):
        for _ in range(count):
            self.step += 1
            self.probe.step()
            self.schedule.step()
            factor = min(1.0, (self.step - self.freeze_step) / ramp) if ramp else 1.0
            for group in self.optimizer.param_groups:
                group["lr"] = LR * self.schedule.get_last_lr()[0] * factor
            self.model.net.zero_grad()
            _, loss = self.model.logits_and_loss(self.step)
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_([self.model.parameter(p) for p in self.trainable], 1.0)
            self.optimizer.step()
            self.losses.append(loss.item())
            self.norms.append(norm.item())

    def results(self):
        out = {"losses": torch.tensor(self.losses, dtype=torch.float64), "gradNorms": torch.tensor(self.norms, dtype=torch.float64)}
        for p, start in self.start.items():
            moved = self.model.to_native(p, self.model.parameter(p).detach() - start).reshape(-1)
            direction = torch.from_numpy(uniform(f"direction {p}", moved.numel()))
            out[f"moved/{p}"] = torch.stack([moved.norm(), moved @ direction])
        return out


def run_case(name, model, trainable):
    out = first_step(model, trainable)
    updates = Updates(model, trainable)
    updates.run(UPDATES)
    save(name, {**out, **updates.results()})
    print(name, "losses", np.round(updates.losses, 4), "norms", np.round(updates.norms, 3))


def keep_by_name():
    model = Model(COLOUR)
    model.train_only(model.paths())
    updates = Updates(model, model.paths())
    updates.run(6)
    model.adapt(RANKS, zero_b=True)
    adapters = [f"{m}.lora{ab}" for m in RANKS for ab in "AB"]
    updates.optimizer.add_param_group({"params": [model.parameter(p) for p in adapters], "weight_decay": DECAY})
    updates.trainable = model.paths()
    updates.remember()
    updates.run(7)
    frozen = model.frozen_base()
    updates.trainable = [p for p in model.paths() if p not in frozen]
    model.net.zero_grad(set_to_none=True)
    model.train_only(updates.trainable)
    updates.freeze_step = updates.step
    updates.run(7, ramp=4)
    save("keepByName", updates.results())
    print("keepByName losses", np.round(updates.losses, 4))


def masked_forward(parameters, shape, patches, masks, ranks):
    """The pre-norm ViT written out on native tensors, with every dropout as a factor."""
    B, width, heads = patches.shape[0], shape["width"], shape["heads"]
    at = lambda name, x: x * masks[name].reshape(x.shape if masks[name].numel() == x.numel() else (B, 1, 1)) if name in masks else x

    def linear(module, x):
        y = x @ parameters[f"{module}.weight"]
        if f"{module}.bias" in parameters:
            y = y + parameters[f"{module}.bias"]
        if module not in ranks:
            return y
        rank, alpha = ranks[module]
        return y + alpha / rank * (at(f"{module}.loraDropout", x) @ parameters[f"{module}.loraA"]) @ parameters[f"{module}.loraB"]

    def norm(module, x):
        return F.layer_norm(x, (width,), parameters[f"{module}.weight"], parameters[f"{module}.bias"], 1e-6)

    x = torch.cat([parameters["clsToken"].expand(B, 1, width), linear("patchEmbed", patches)], 1) + parameters["posEmbed"]
    x = at("embed.dropout", x)
    for i in range(shape["depth"]):
        name = f"blocks.{i}"
        h = norm(f"{name}.norm1", x)
        q, k, v = (linear(f"{name}.attn.{part}", h).reshape(B, -1, heads, width // heads).transpose(1, 2) for part in "qkv")
        weights = torch.softmax(q @ k.transpose(-1, -2) / (width // heads) ** 0.5, -1)
        mixed = (at(f"{name}.attnDropout", weights) @ v).transpose(1, 2).reshape(B, -1, width)
        branch = linear(f"{name}.attn.proj", mixed)
        x = x + at(f"{name}.attn.dropPath", at(f"{name}.attn.dropout", branch))
        branch = linear(f"{name}.mlp.fc2", F.gelu(linear(f"{name}.mlp.fc1", norm(f"{name}.norm2", x))))
        x = x + at(f"{name}.mlp.dropPath", at(f"{name}.mlp.dropout", branch))
    return linear("head", norm("norm", x)[:, 0])


def masked_case():
    model, s = Model(MASKED), MASKED
    patches, targets = (torch.from_numpy(a).double() for a in model.batch(0))
    tokens = (s["image"] // s["patch"]) ** 2 + 1
    native = {p: model.to_native(p, model.parameter(p)).detach() for p in model.paths()}
    # Without masks and adapters this file's forward pass is HF's.
    assert torch.allclose(masked_forward(native, s, patches, {}, {}), model.logits_and_loss(0)[0], rtol=1e-12, atol=1e-12)
    model.adapt(MASKED_RANKS)
    parameters = {p: model.to_native(p, model.parameter(p)).detach().clone().requires_grad_() for p in model.paths()}
    assert torch.allclose(masked_forward(parameters, s, patches, {}, MASKED_RANKS), model.logits_and_loss(0)[0], rtol=1e-12, atol=1e-12)
    rows = (BATCH * tokens, s["width"])
    wanted = {"embed.dropout": (rows, 0.2)}
    for i in range(s["depth"]):
        wanted[f"blocks.{i}.attnDropout"] = ((BATCH, s["heads"], tokens, tokens), 0.25)
        for branch in ("attn", "mlp"):
            wanted[f"blocks.{i}.{branch}.dropout"] = (rows, 0.2)
    for branch in ("attn", "mlp"):  # grows linearly over the blocks: block 0 has rate 0
        wanted[f"blocks.1.{branch}.dropPath"] = ((BATCH, 1, 1), 0.5)
    for m in MASKED_RANKS:
        wanted[f"{m}.loraDropout"] = ((BATCH * tokens, s["hidden"] if m.endswith("fc2") else s["width"]), 0.5)
    masks = {name: torch.from_numpy(mask(name, shape, rate)).double() for name, (shape, rate) in wanted.items()}
    logits = masked_forward(parameters, s, patches, masks, MASKED_RANKS)
    loss = F.cross_entropy(logits, targets)
    loss.backward()
    norm = torch.sqrt(sum((p.grad**2).sum() for p in parameters.values()))
    save("masks", {"logits": logits.detach(), "loss": loss.detach(), "gradNorm": norm, **{f"grad/{p}": t.grad for p, t in parameters.items()}})
    print("masks loss", loss.item())


def adamw_case():
    start = torch.from_numpy(uniform("adamw", 12))
    p = start.clone().requires_grad_()
    optimizer = torch.optim.AdamW([p], lr=LR, betas=(0.9, 0.999), eps=1e-8, weight_decay=DECAY)
    out = {}
    for t in range(1, 6):
        p.grad = torch.from_numpy(uniform(f"adamw gradient {t}", 12))
        optimizer.step()
        state = optimizer.state[p]
        out[f"{t}/moved"], out[f"{t}/m"], out[f"{t}/v"] = p.detach() - start, state["exp_avg"].clone(), state["exp_avg_sq"].clone()
    save("adamw", out)


def save(name, tensors):
    save_file({k: v.detach().float().contiguous() for k, v in tensors.items()}, os.path.join(OUT, f"{name}.safetensors"))


os.makedirs(OUT, exist_ok=True)
for name, shape in (("full", COLOUR), ("gray", GRAY)):
    model = Model(shape)
    run_case(name, model, model.paths())
for name in ("joint", "lora"):
    model = Model(COLOUR)
    model.adapt(RANKS)
    frozen = model.frozen_base() if name == "lora" else []
    run_case(name, model, [p for p in model.paths() if p not in frozen])
keep_by_name()
masked_case()
adamw_case()
