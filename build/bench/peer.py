#!/usr/bin/env python3
"""The benchmark's peer: the same model, optimizer and adapters in PyTorch, as most people would write them.

PyTorch eager, fp32, transformers' ViTForImageClassification, torch.optim.AdamW, clip at global norm; LoRA with peft, same ranks, same
targets, and the same extra trainables (head, norms, embeddings). benchmarks.md section 1. Speaks the lines of main/host/bench/protocol.ts:
one JSON object in, one out. Without torch every answer says so.

    prelora bench --peer PYTHON
"""
import json
import os
import sys
import time

try:
    import torch
    import transformers

    MISSING = None
except ImportError as error:
    MISSING = f"not installed: {error}"

FAMILIES = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "proj": "o_proj", "fc1": "fc1", "fc2": "fc2"}


def process_bytes(key):
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    return 0


def build_model(shape):
    config = transformers.ViTConfig(
        hidden_size=shape["embedDim"],
        num_hidden_layers=shape["depth"],
        num_attention_heads=shape["numHeads"],
        intermediate_size=round(shape["mlpRatio"] * shape["embedDim"]),
        image_size=shape["imageSize"],
        patch_size=shape["patchSize"],
        num_channels=shape["inChannels"],
        num_labels=shape["numClasses"],
        qkv_bias=shape["qkvBias"],
        layer_norm_eps=shape["layerNormEps"],
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return transformers.ViTForImageClassification(config)


def with_adapters(model, ranks, gamma):
    """LoRA on the families in `ranks` at one rank; all that is not the weight or bias of an adapted linear goes on training."""
    import peft

    families = {module.rsplit(".", 1)[1] for module in ranks}
    (rank,) = set(ranks.values())
    targets = [FAMILIES[family] for family in families]
    wrapped = peft.get_peft_model(
        model, peft.LoraConfig(r=rank, lora_alpha=gamma * rank, target_modules=targets, lora_dropout=0.0, bias="none")
    )
    for name, parameter in wrapped.named_parameters():
        if ".base_layer." not in name:
            parameter.requires_grad_(True)
    return wrapped


class Peer:
    def versions(self, _ask):
        versions = {"python": sys.version.split()[0], "torch": torch.__version__, "transformers": transformers.__version__}
        try:
            import peft

            versions["peft"] = peft.__version__
        except ImportError:
            pass
        return {"versions": versions}

    def open(self, ask):
        config, shape, train = ask["config"], ask["config"]["model"], ask["config"]["train"]
        torch.set_num_threads(config["engine"]["threads"] or os.cpu_count())
        torch.manual_seed(train["seed"])
        if ask["phase"] != "full":
            import peft  # noqa: F401  so that its memory counts among the libraries
        base_bytes = process_bytes("VmRSS")
        model = build_model(shape)
        if ask["phase"] == "lora":
            model = with_adapters(model, ask["ranks"], 2)
        self.model = model.train()
        self.trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.clip = train["gradClip"]
        self.optimizer = torch.optim.AdamW(
            self.trainable, lr=train["lr"], betas=(train["beta1"], train["beta2"]), eps=train["adamEps"], weight_decay=train["weightDecay"]
        )
        batch = train["batchSize"]
        self.images = torch.randn(batch, shape["inChannels"], shape["imageSize"], shape["imageSize"])
        self.labels = torch.arange(batch) % shape["numClasses"]
        return {
            "library": f"torch {torch.__version__}",
            "compiled": False,
            "trainable": sum(parameter.numel() for parameter in self.trainable),
            "baseBytes": base_bytes,
            "traceMs": 0,
            "loadMs": 0,
        }

    def step(self, _ask):
        started = time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(self.model(pixel_values=self.images).logits, self.labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trainable, self.clip)
        self.optimizer.step()
        value = loss.item()
        return {"ms": 1000 * (time.perf_counter() - started), "loss": value}

    def memory(self, _ask):
        return {"peakBytes": process_bytes("VmHWM"), "residentBytes": process_bytes("VmRSS")}


def answer(peer, line):
    if MISSING:
        return {"error": MISSING}
    try:
        ask = json.loads(line)
        return getattr(peer, ask.pop("do"))(ask)
    except Exception as error:  # every failure is an answer: the other side waits for one
        return {"error": f"{type(error).__name__}: {error}"}


def main():
    peer = Peer()
    for line in sys.stdin:
        print(json.dumps(answer(peer, line)), flush=True)


if __name__ == "__main__":
    main()
